"""Reads what stands in a range and is no plain JSON: FHIR bundles, and rows without a text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import count
from pathlib import Path

from kb_tools.batch.ranges import PARQUET, Range
from kb_tools.cases.case import Case
from kb_tools.cases.fhir.reader import FhirReader, is_fhir
from kb_tools.cases.isolate import isolate
from kb_tools.cases.record import NDJSON
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.repository import Repository


class OtherReader:
    """Reads the cases that are no lines of plain JSON, each as `kb validate` does."""

    def __init__(self, kb: Repository, terminology: Sequence[str], record: bool) -> None:
        """Prepares reading.

        Args:
            terminology: the paths of files that say what the codes of a plan's own systems mean.
            record: whether cases get the record of their reading.
        """
        self._kb = kb
        self._terminology = [Path(path) for path in terminology]
        self._record = record
        self._numbers = count(1)

    @cached_property
    def _fhir(self) -> FhirReader:
        # Rows and answers name no patient, by a pseudonym neither.
        return FhirReader(self._kb, self._terminology, self._record, pseudonyms=False)

    def read(self, one: Range, number: int, text: bytes | None) -> Case | KbError | None:
        """What stands on a line or in a row of a range; None for plain JSON.

        Args:
            number: of the line or the row.
        """
        if text is None:
            return UnreadableInput("no text in this row", hint="leave the row out, or write the case into it")
        if one.form != NDJSON and not (one.form == PARQUET and is_fhir(text)):
            return None
        where, fhir = f"{one.source}:{number}", self._fhir
        try:
            (case,) = isolate(self._kb, fhir.line(text, where), self._numbers)
        except UnreadableInput as error:
            return UnreadableInput(error.what, hint=error.hint)
        except KbError:
            raise
        except Exception as error:  # As CaseReader: what nobody foresaw in one case stops no other.
            return UnreadableInput(f"cannot be read: {type(error).__name__}: {error}", hint="correct it")
        return case
