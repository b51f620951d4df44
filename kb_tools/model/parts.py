"""The parts of a revision, what is known of each, and the operators of criteria, each with its name in text."""

from __future__ import annotations

from kb_tools.model.logic import Tree

# The parts that a revision has on file or not, and that its log tells of.
DOCUMENT_PARTS = {
    "Criteria": "criteria",
    "DispositionPart": "disposition",
    "Definitions": "definitions",
    "Codes": "codes",
    "References": "references",
    "Evidence": "evidence",
}
# The parts that two revisions are compared by. Conditions follow from criteria; no log row tells of advisories.
COMPARED_PARTS = {
    "Criteria": "criteria",
    "DispositionPart": "disposition",
    "Conditions": "conditions",
    "Definitions": "definitions",
    "Codes": "codes",
    "References": "references",
    "Evidence": "evidence",
    "Advisories": "advisories",
}
# What a part of a revision rests on.
BASES = {
    "DocumentOnFile": "document on file",
    "InferredFromLog": "inferred from the log",
    "NotOnFile": "not on file",
}
_OPERATOR_WORDS = {"allOf": "all of", "anyOf": "any of", "noneOf": "none of", "atLeast": "at least {} of"}


def operator_words(tree: Tree) -> str:
    """How a tree combines its parts, in words: "all of", "at least 2 of"."""
    return _OPERATOR_WORDS[tree.operator].format(tree.least)
