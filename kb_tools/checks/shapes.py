"""Checks of how shapes are written, whatever they ask."""

from __future__ import annotations

from collections.abc import Iterator

from kb_tools.checks.core import FOLDERS, Problem, name
from kb_tools.model.repository import Repository
from kb_tools.rdf.shape_form import faults


def shape_form(kb: Repository) -> Iterator[Problem]:
    """Shapes that are not of the form of SHACL: what engines take in silence, and misspelt or unsupported terms."""
    for fault in faults(kb.graph(kb.files(*FOLDERS)), lambda node: name(kb, node)):
        yield Problem(name(kb, fault.at), fault.message)
