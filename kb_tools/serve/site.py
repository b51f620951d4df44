"""The reading pages as a folder of files for any web host: relative links, a search of its own, the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from kb_tools import as_json
from kb_tools.ask.library import find_question, questions
from kb_tools.ask.pool import Pool
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository
from kb_tools.serve import description, html
from kb_tools.serve.answers import inquiry
from kb_tools.serve.asked import asked_for, query_of, stated
from kb_tools.serve.formats import ENDINGS
from kb_tools.serve.index import index
from kb_tools.serve.links import Links, SiteLinks, path_of
from kb_tools.serve.pages import COMPARE, COMPARISON, FIXED, QUESTION, Page, page_of
from kb_tools.serve.pages.compare import neighbours
from kb_tools.serve.results import for_readers
from kb_tools.serve.table import shown_answer
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench

# Says of a folder that it is a site of ours, and lists what was written into it.
MARK = "kb-site.txt"
# The most seconds that a question takes.
_TIMEOUT = 60
_HEAD = "Written by kb site, which replaces and removes the files named here.\n"


def write_site(
    kb: Repository, folder: Path, day: date | None = None, progress: Callable[[int], None] = lambda done: None
) -> int:
    """Write the site; of one that is there already, replace it, and remove pages that are gone.

    Args:
        folder: is made if it is missing.
        day: on which the knowledge base is shown; None for the first day of the latest revision on file.
        progress: called with the number of files so far.

    Returns:
        the number of files.

    Raises:
        KbError: the folder holds something else, or cannot be written.
    """
    old = _written(folder)
    names: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The mark first: a folder that was left half written is still one of ours.
        _mark(folder, sorted(old))
        for name, content in files(kb, day):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            names.append(name)
            progress(len(names))
        for gone in sorted(old - set(names), reverse=True):
            _remove(folder, gone)
        _mark(folder, sorted(names))
    except OSError as error:
        where = str(error.filename or folder)
        raise KbError(error.strerror or str(error), where=where, hint="name a folder that can be written") from None
    return len(names) + 1


def _written(folder: Path) -> set[str]:
    """The files of the site that is in a folder; none if there is none yet.

    Raises:
        KbError: the folder holds something that is no site of ours.
    """
    mark = folder / MARK
    if mark.is_file() and (text := mark.read_text(encoding="utf-8")).startswith(_HEAD):
        return set(text.removeprefix(_HEAD).splitlines())
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise KbError("holds something else than a site", where=str(folder), hint="name a new or an empty folder")
    return set()


def _mark(folder: Path, names: list[str]) -> None:
    (folder / MARK).write_text(_HEAD + "".join(f"{name}\n" for name in names), encoding="utf-8", newline="\n")


def _remove(folder: Path, name: str) -> None:
    """Remove a file of the site, and folders that are left empty; nothing that lies outside of it."""
    path = folder / name
    if ".." in Path(name).parts or Path(name).is_absolute():
        return
    path.unlink(missing_ok=True)
    for above in path.parents:
        if above == folder or not above.is_dir() or any(above.iterdir()):
            break
        above.rmdir()


# ---------------------------------------------------------------------- what is written


def files(kb: Repository, day: date | None = None) -> Iterator[tuple[str, bytes]]:
    """Every file of the site by its name, and its content."""
    bench = Workbench(kb)
    view = View(bench, day)
    pages = pages_of(bench)
    folders = folders_of(pages)
    # One query at a time, each given what time it takes.
    pool = Pool(kb, size=1, timeout=_TIMEOUT, patience=_TIMEOUT)
    try:
        yield from _pages(view, pages, folders, pool)
    finally:
        pool.close()
    for name, body in html.assets().items():
        yield f"static/{name}", body
    yield "static/search-index.js", search_index(view, folders)


def _pages(
    view: View, pages: Mapping[str, tuple[Page, str]], folders: Mapping[str, str], pool: Pool
) -> Iterator[tuple[str, bytes]]:
    bench = view.bench
    for path, (page, target) in pages.items():
        content = {"page": page.name, "on": view.day.isoformat(), **page.data(view, target)}
        for format_ in page.formats:
            if format_ == "html":
                said = (
                    _answer(view, target, SiteLinks(bench.ours, folders, folders[path]), pool)
                    if page is QUESTION
                    else {}
                )
                body = html.render(shown(view, page, path, folders), {**content, **said}, bench)
            elif format_ == "json":
                body = as_json.dump(content).encode()
            elif format_ in page.writers:
                body = page.writers[format_](view, target)
            else:
                body = description.of(view, target, format_)
            yield f"{folders[path]}/index.{ENDINGS[format_]}".lstrip("/"), body


def _answer(view: View, name: str, links: Links, pool: Pool) -> dict[str, Any]:
    """What a question comes to by default on the day of the site, or why it cannot be answered."""
    question = find_question(name)
    try:
        found = stated(view, question, pool.ask(inquiry(question, view, {}, view.day)))
    except KbError as error:
        return {"answer": None, "asked": [], "error": str(for_readers(error)), "query": ""}
    return {
        "answer": shown_answer(view.bench, links, found),
        "asked": asked_for(view, question, found),
        "error": "",
        "query": query_of(found),
    }


def shown(view: View, page: Page, path: str, folders: Mapping[str, str]) -> html.Shown:
    """How a page is shown in the site."""
    links = SiteLinks(view.bench.ours, folders, folders[path])
    return html.Shown(page.name, path, view.day, links, False, page.formats, fixed=True)


def pages_of(bench: Workbench) -> dict[str, tuple[Page, str]]:
    """Every page by its path, with what it is about."""
    pages = {page.path: (page, "") for page in FIXED if page is not QUESTION}
    pages |= {f"/questions/{found.name}": (QUESTION, found.name) for found in questions()}
    for policy in bench.policies.values():
        pages[f"/{policy.identifier}/compare"] = COMPARE, policy.identifier
        for before, after in neighbours(policy):
            target = f"{policy.identifier}/{before.name}/{after.name}"
            pages[f"/{policy.identifier}/compare/{before.name}/{after.name}"] = COMPARISON, target
    return pages | {path_of(iri): (page_of(bench, iri), iri) for iri in bench.ours}


def folders_of(paths: Iterable[str]) -> dict[str, str]:
    """The folder of each page. Two that differ in case alone are told apart: not every file system does."""
    folders: dict[str, str] = {}
    taken: set[str] = set()
    for path in sorted(paths):
        folder = path.strip("/")
        while folder.casefold() in taken:
            folder += "_"
        taken.add(folder.casefold())
        folders[path] = folder
    return folders


def search_index(view: View, folders: Mapping[str, str]) -> bytes:
    """What can be searched for, as a script: a page that is opened from a disk may not read a file of JSON."""
    entries = [
        {
            "at": f"{folders[entry.path]}/index.html",
            "label": entry.label,
            "notation": entry.notation,
            "kind": entry.kind,
            "text": entry.text,
            "names": entry.names,
            "words": entry.words,
            "stated": entry.stated,
            "others": [asdict(other) for other in entry.others],
        }
        for entry in index(view)
    ]
    written = json.dumps(entries, ensure_ascii=True, separators=(",", ":"))
    return f"var searchIndex = {written};\n".encode()
