"""The reading pages as a folder of files for any web host: relative links, a search of its own, the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from kb_tools import as_json, printable
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
from kb_tools.serve.pages import COMPARE, COMPARISON, FIXED, POLICIES_COMPARED, QUESTION, Page, page_of
from kb_tools.serve.pages.compare import across, neighbours, path_between
from kb_tools.serve.results import for_readers
from kb_tools.serve.table import shown_answer
from kb_tools.serve.view import View
from kb_tools.serve.workbench import Workbench

# Says of a folder that it is a site of ours, and lists what was written into it.
MARK = "kb-site.txt"
# The most seconds that a question takes.
_TIMEOUT = 60
# The end of the name of a file that is being written.
_BEGUN = ".new"
_ANEW = "remove it, or name a new or an empty folder"
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
    made: dict[str, bytes] = {}
    for name, content in files(kb, day):
        made[name] = content
        progress(len(made))
    try:
        _refuse_links(folder, {MARK, *old, *made})
        folder.mkdir(parents=True, exist_ok=True)
        # The mark first, with all that is going to be there: a run that is ended leaves nothing that the next one does
        # not know.
        _mark(folder, old | made.keys())
        for name, content in made.items():
            _write(folder / name, content)
        for gone in sorted(old - made.keys(), reverse=True):
            _remove(folder, gone)
        for name in old | made.keys():
            (folder / f"{name}{_BEGUN}").unlink(missing_ok=True)
        _mark(folder, made.keys())
    except OSError as error:
        where = str(error.filename or folder)
        raise KbError(error.strerror or str(error), where=where, hint="name a folder that can be written") from None
    return len(made) + 1


def _written(folder: Path) -> set[str]:
    """The files of the site that is in a folder; none if there is none yet.

    Raises:
        KbError: the folder holds something that is no site of ours, or its mark lists what is no file of one.
    """
    mark = folder / MARK
    try:
        if mark.is_file() and (text := mark.read_text(encoding="utf-8")).startswith(_HEAD):
            return {_listed(folder, name) for name in text.removeprefix(_HEAD).splitlines()}
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise KbError("holds something else than a site", where=str(folder), hint="name a new or an empty folder")
    except UnicodeDecodeError:
        raise KbError("is not UTF-8, and not as kb site wrote it", where=str(mark), hint=_ANEW) from None
    except OSError as error:
        raise KbError(error.strerror or str(error), where=str(error.filename or folder), hint=_ANEW) from None
    return set()


def _listed(folder: Path, name: str) -> str:
    """A name of the mark.

    Raises:
        KbError: it is none of a file within the folder.
    """
    path = Path(name)
    if not name or path.is_absolute() or ".." in path.parts or (folder / path).is_dir():
        what = f"lists {name!a}, which is no file of a site"
        raise KbError(what, where=str(folder / MARK), hint=_ANEW)
    return name


def _refuse_links(folder: Path, names: Iterable[str]) -> None:
    """Refuses to write or remove what lies beyond a link: it is somewhere else.

    Raises:
        KbError: a file, or a folder in which it is to stand, is a link.
    """
    inner = {Path(name) for name in names}
    for place in sorted(inner | {above for path in inner for above in path.parents if above.name}):
        if (folder / place).is_symlink():
            raise KbError("is a link, and nothing is written through one", where=str(folder / place), hint=_ANEW)


def _mark(folder: Path, names: Iterable[str]) -> None:
    _write(folder / MARK, (_HEAD + "".join(f"{name}\n" for name in sorted(names))).encode())


def _write(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_name(path.name + _BEGUN)
    begun.unlink(missing_ok=True)
    # Only a new file: a link that someone puts there is not followed.
    with begun.open("xb") as file:
        file.write(content)
    begun.replace(path)


def _remove(folder: Path, name: str) -> None:
    """Remove a file of the site, and folders that are left empty."""
    path = folder / name
    path.unlink(missing_ok=True)
    (folder / f"{name}{_BEGUN}").unlink(missing_ok=True)
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
    for first, old, second, new in across(bench):
        path = path_between(first, old.name, second, new.name)
        pages[path] = POLICIES_COMPARED, path.removeprefix("/compare/")
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
    entries: list[dict[str, Any]] = [
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
    written = json.dumps(_printable(entries), ensure_ascii=True, separators=(",", ":"))
    return f"var searchIndex = {written};\n".encode()


def _printable(value: Any) -> Any:
    """The same values, whose texts have nothing that turns the direction of a line or a terminal obeys."""
    if isinstance(value, str):
        return printable.text(value)
    if isinstance(value, Mapping):
        return {key: _printable(inner) for key, inner in value.items()}
    return [_printable(inner) for inner in value] if isinstance(value, (list, tuple)) else value
