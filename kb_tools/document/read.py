"""Reads the text of a document from plain text, PDF or HTML."""

from __future__ import annotations

import codecs
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kb_tools.document.digest import NUMBERS
from kb_tools.document.unit import DocumentError

if TYPE_CHECKING:
    from bs4 import Tag

# A policy's document is some hundred kilobytes. Above this a file is refused before it is read.
MAX_BYTES = 64 * 1024 * 1024


# --- reading ------------------------------------------------------------------------------------------------------

_INSTALL = "run pip install 'kb-tools[documents]'"
_SUFFIXES = (".txt", ".md", ".html", ".htm", ".pdf")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w.:-]+)", re.I)


def read(path: Path) -> str:
    """The text of a document: .txt or .md (UTF-8), .html or .htm, or .pdf, whose pages are parted by form feeds.

    Raises:
        DocumentError: the file cannot be read, is too large, is empty, has no text, is encrypted or damaged, is of
            another kind or encoding, or the library that reads its kind is not installed.
    """
    where, suffix = str(path), path.suffix.lower()
    try:
        if path.is_dir():
            raise DocumentError("this is a folder", where=where, hint="name the document's file in it")
        size = path.stat().st_size
        if not path.is_file():
            raise DocumentError("not a file", where=where, hint="name the document's file")
        if suffix not in _SUFFIXES:
            raise DocumentError(
                f"unknown kind of document {path.suffix or '(no extension)'}",
                where=where,
                hint="use " + ", ".join(_SUFFIXES),
            )
        if size > MAX_BYTES:
            raise _too_large(f"{size / 2**20:.0f} MiB", where)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(
            error.strerror or "cannot be read", where=where, hint="check the path and its permissions"
        ) from error
    if len(data) > MAX_BYTES:
        raise _too_large(f"more than {MAX_BYTES // 2**20} MiB", where)
    if not data.strip():
        raise DocumentError("the file is empty", where=where, hint="fetch or save the document again")
    if suffix == ".pdf":
        return _read_pdf(data, where)
    text = _read_html(data, where) if suffix in (".html", ".htm") else _decode(data, where)
    if not text.strip():
        raise DocumentError("no text in this document", where=where, hint="fetch or save the document again")
    return text


def _too_large(size: str, where: str) -> DocumentError:
    return DocumentError(
        f"{size}, and a document may have {MAX_BYTES // 2**20} MiB", where=where, hint="name the policy's document"
    )


def _decode(data: bytes, where: str) -> str:
    """The text of the bytes, which are UTF-8, or UTF-16 with its byte order mark."""
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = "UTF-16" if utf_16 else "UTF-8"
        raise DocumentError(
            f"not {what}: byte {error.start + 1}, in line {line}", where=where, hint="save it as UTF-8"
        ) from None
    if "\0" in text:
        raise DocumentError("not text: it has NUL bytes", where=where, hint="save it as plain text in UTF-8")
    return text


def _missing(library: str, where: str) -> DocumentError:
    return DocumentError(f"reading this kind of document needs {library}", where=where, hint=_INSTALL)


def _read_pdf(data: bytes, where: str) -> str:
    try:
        import pypdf
    except ImportError as error:
        raise _missing("pypdf", where) from error
    import io

    if b"%PDF-" not in data[:1024]:
        raise DocumentError("not a PDF", where=where, hint="fetch the document again")
    logger = logging.getLogger("pypdf")
    before = logger.disabled
    logger.disabled = True  # its remarks quote the file
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentError("encrypted, and a password is needed", where=where, hint="save it without a password")
        pages, size = [], 0
        for page in reader.pages:
            pages.append(page.extract_text())
            size += len(pages[-1])
            if size > MAX_BYTES:
                raise _too_large(f"text of more than {MAX_BYTES // 2**20} MiB", where)
    except DocumentError:
        raise
    except pypdf.errors.DependencyError as error:
        raise DocumentError(
            "encrypted in a way that pypdf alone cannot read", where=where, hint="save it without encryption"
        ) from error
    except Exception as error:
        # A damaged file makes pypdf fail in many ways (KeyError, RecursionError, its own errors): all mean the same.
        raise DocumentError("a damaged PDF", where=where, hint="fetch the document again") from error
    finally:
        logger.disabled = before
    if not any(page.strip() for page in pages):
        raise DocumentError(
            "a PDF without text, perhaps a scan", where=where, hint="run text recognition (OCR) on it first"
        )
    return "\f".join(pages)


def _read_html(data: bytes, where: str) -> str:
    try:
        import bs4
    except ImportError as error:
        raise _missing("beautifulsoup4", where) from error
    declared = _CHARSET.search(data[:2048])
    try:
        text = data.decode(declared[1].decode()) if declared else _decode(data, where)
    except (LookupError, UnicodeDecodeError):
        text = _decode(data, where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it may be XML, or looks like a file name, changes nothing
        soup = bs4.BeautifulSoup(text, "html.parser")
    for element in soup.find_all(["script", "style", "head", "template", "noscript"]):
        element.decompose()
    try:
        text = "".join(_html_text(soup))
    except RecursionError as error:
        raise DocumentError("its elements are nested too deep", where=where, hint="save the document again") from error
    return re.sub(r"[ ]*\n[ ]*", "\n", text)


_BREAKS = re.compile(
    "address|article|aside|blockquote|body|caption|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|header|hr|html|li|"
    "main|nav|ol|p|pre|section|table|ul"
)


def _html_text(element: Tag) -> Iterator[str]:
    """The text of an element: a blank line between blocks, a line a table row with tabs between cells, list numbers."""
    from bs4.element import NavigableString, Tag

    for child in element.children:
        if isinstance(child, Tag):
            inner = "".join(_html_text(child))
            name = child.name
            if name == "br":
                yield "\n"
            elif name == "sup" and re.fullmatch(rf"\s*{NUMBERS}\s*", inner):
                yield f"^{{{inner.strip()}}}"
            elif name == "a" and str(child.get("href", "")).startswith("#") and inner.strip():
                yield f"[{' '.join(inner.split())}](#)"
            elif name in ("td", "th"):
                yield " ".join(inner.split()) + "\t"
            elif name == "tr":
                yield inner.strip(" \n").rstrip("\t") + "\n"
            elif name == "li":
                yield f"\n\n{_list_number(child)}{inner.strip()}\n\n"
            elif re.fullmatch(r"h[1-6]", name):
                yield f"\n\n# {' '.join(inner.split())}\n\n"
            elif _BREAKS.fullmatch(name):
                yield f"\n\n{inner.strip(' ')}\n\n"
            else:
                yield inner
        elif type(child) is NavigableString and not (element.name in ("tr", "table", "tbody") and not child.strip()):
            yield re.sub(r"\s+", " ", child)


def _list_number(item: Tag) -> str:
    """The number that a browser prints before a list item, or a bullet."""
    listed = item.parent
    if listed is None or listed.name != "ol":
        return "- "
    start = str(listed.get("start", ""))
    number = (int(start) if start.isdigit() else 1) + len(item.find_previous_siblings("li"))
    style = str(listed.get("type", "1"))
    if style in "Aa" and number <= 26:
        letter = chr(ord("a") + number - 1)
        return f"{letter.upper() if style == 'A' else letter}. "
    if style in "Ii" and number < 40:
        roman = "x" * (number // 10) + ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"][number % 10]
        return f"{roman.upper() if style == 'I' else roman}. "
    return f"{number}. "
