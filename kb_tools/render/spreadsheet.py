"""Sheets as a spreadsheet (Office Open XML), in which no text is taken for a formula; always the same bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from kb_tools import printable
from kb_tools.errors import KbError

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from openpyxl.worksheet.worksheet import Worksheet

Cell: TypeAlias = "str | int | float | Decimal | date | None"
# The longest text of a cell, in characters: under the 32,767 that a program reads, even if each takes two of its units.
LONGEST = 16_000
_CUT = " … (cut: too long for a cell)"
# Of columns, in characters.
_NARROW, _WIDE = 10, 70
# What XML 1.0 has no place for, beside the controls that are replaced wherever something is printed.
_NO_CHARACTERS = re.compile("[\ufffe\uffff]")
# The first day that a zip archive can name.
_DAY = (1980, 1, 1, 0, 0, 0)
_WRITTEN = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


@dataclass(frozen=True)
class Sheet:
    """A table of a spreadsheet.

    Attributes:
        name: at most 31 characters, none of []:*?/\\.
        rows: cells of text, which may have several lines; of numbers, days or truth values; or of nothing.
    """

    name: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def require() -> None:
    """Say in one line what is missing to write a spreadsheet.

    Raises:
        KbError: openpyxl is not installed.
    """
    if find_spec("openpyxl") is None:
        raise KbError("openpyxl is not installed", hint="pip install 'kb-tools[xlsx]'")


def spreadsheet(title: str, sheets: Sequence[Sheet]) -> bytes:
    """A spreadsheet with these sheets: text stays text, and the same content gives the same bytes.

    Raises:
        KbError: openpyxl is not installed.
    """
    require()
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.title = _readable(title)
    book.properties.creator = "kb"
    for sheet in sheets:
        _fill(book.create_sheet(sheet.name), sheet)
    written = BytesIO()
    book.save(written)
    return _without_time(written.getvalue())


def _fill(page: Worksheet, sheet: Sheet) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    for number, row in enumerate((sheet.headings, *sheet.rows), 1):
        for column, value in enumerate(row, 1):
            cell = page.cell(number, column)
            cell.alignment = Alignment(vertical="top", wrap_text=True)
            if not isinstance(value, str):
                cell.value = value
                continue
            if not value:
                continue
            cell.value = _readable(value)
            # Whatever it begins with: the type says that it is text, the mark that it stays so when it is edited.
            cell.data_type = "s"
            cell.quotePrefix = value.startswith(("=", "+", "-", "@", "\t", "\r"))
            if number == 1:
                cell.font = Font(bold=True)
    for column, cells in enumerate(zip(sheet.headings, *sheet.rows, strict=True), 1):
        longest = max(len(line) for cell in cells if cell is not None for line in str(cell).split("\n"))
        page.column_dimensions[get_column_letter(column)].width = min(max(longest + 2, _NARROW), _WIDE)
    page.freeze_panes = "A2"
    page.auto_filter.ref = page.dimensions


def _readable(value: str) -> str:
    """A text without what a file of XML cannot hold, and no longer than a cell can be; what is cut says so."""
    text = _NO_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", printable.text(value))
    return text if len(text) <= LONGEST else text[: LONGEST - len(_CUT)] + _CUT


def _without_time(written: bytes) -> bytes:
    """The same archive with one fixed time in place of the times at which it was written."""
    out = BytesIO()
    with ZipFile(BytesIO(written)) as old, ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = _WRITTEN.sub(rb"\g<1>1980-01-01T00:00:00Z", content)
            item = ZipInfo(name, _DAY)
            item.compress_type = ZIP_DEFLATED
            # On every system the same: as if written on Unix, with plain permissions.
            item.create_system, item.external_attr = 3, 0o644 << 16
            new.writestr(item, content)
    return out.getvalue()
