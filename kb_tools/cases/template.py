"""An empty case in JSON, with notes on what each key takes and what a policy asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rdflib.namespace import XSD

from kb_tools.cases.form import ROOT, CaseForms, Form, Key
from kb_tools.cases.plain import NOTE
from kb_tools.cases.schema import ID_HINT, NAME_HINT
from kb_tools.model.revision import Revision

_WORDS = {"minInclusive": "at least", "maxInclusive": "at most", "minExclusive": "above", "maxExclusive": "below"}


# ---------------------------------------------------------------------- template


def template(plain: CaseForms, revision: Revision) -> dict[str, Any]:
    """An empty case in which notes say what each key takes and what of it the revision asks for.

    It is plain JSON itself: notes are not read, so what is not filled in is not stated.
    """
    asked = _asked(revision)
    intro = (
        f"A case for {revision.policy.identifier} revision {revision.entry.name}. A key that begins with {NOTE} is a "
        f"note and is not read. Where something is known, write the key without {NOTE}, and the value in place of the "
        "note. Leave out what is not known: what is not stated is unknown, never a no. Put into findings, once for "
        f"each finding, the object of {NOTE}findings that fits, and fill it in."
    )
    return {NOTE: intro, f"{NOTE}id": f"{ID_HINT} {NAME_HINT}", **_blank(plain, plain.forms[ROOT], asked)}


def _asked(revision: Revision) -> dict[str, list[str]]:
    """What the conditions of a revision ask for, by the class or property that they read."""
    places: dict[str, list[str]] = {}
    for criterion in revision.criteria:
        for iri in criterion.tree.conditions() if criterion.tree else ():
            places.setdefault(iri, []).append(criterion.notation)
    asked: dict[str, dict[str, list[str]]] = {}
    for iri, condition in revision.conditions.items():
        for read in condition.reads:
            asked.setdefault(read, {}).setdefault(condition.asks_for, []).extend(places.get(iri, ["an advisory"]))
    return {
        read: [f"Asked for by {' and '.join(dict.fromkeys(by))}: {text}" for text, by in texts.items()]
        for read, texts in asked.items()
    }


def _blank(plain: CaseForms, form: Form, asked: dict[str, list[str]]) -> dict[str, Any]:
    """The keys of an object, those without objects in them as notes."""
    found: dict[str, Any] = {}
    for key in form.keys.values():
        if len(key.classes) == 1:
            found[key.name] = _blank(plain, plain.forms[key.classes[0]], asked)
        elif key.classes:
            found[key.name] = []
            forms = (plain.forms[name] for name in key.classes)
            found[f"{NOTE}{key.name}"] = [
                {
                    NOTE: " ".join((inner.definition, *inner.rules, *asked.get(str(inner.iri), ()))),
                    "type": inner.name,
                    **_blank(plain, inner, asked),
                }
                for inner in forms
                if _reads(inner, asked)
            ]
        else:
            found[f"{NOTE}{key.name}"] = _note(key, asked.get(str(key.path), ()))
    return found


def _reads(form: Form, asked: dict[str, list[str]]) -> bool:
    """Whether a revision reads objects of this form, or what they state of a class that it reads."""
    named = (iri for key in form.keys.values() if key.kind is None for iri in key.terms.values())
    return str(form.iri) in asked or any(iri in asked for iri in named)


def _note(key: Key, asked: Iterable[str]) -> str:
    if key.terms:
        takes = f"{'Any of, in brackets' if key.many else 'One of'}: {', '.join(key.terms)}."
    elif key.datatype == XSD.boolean:
        takes = "Takes true or false."
    elif key.datatype == XSD.date:
        takes = "Takes a full date, as YYYY-MM-DD."
    elif key.datatype in (XSD.integer, XSD.decimal):
        bounds = "".join(f", {_WORDS[name]} {bound}" for name, bound in key.bounds)
        takes = f"Takes a {'whole ' if key.datatype == XSD.integer else ''}number{bounds}."
    elif key.datatype is None and not key.is_code:
        takes = NAME_HINT
    else:
        takes = f"{'In brackets. ' if key.many else ''}{key.hint}"
    return " ".join(("Required." if key.required else "Optional.", key.definition, takes, *asked))
