"""An empty case in JSON, with notes on what each key takes and what a policy asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rdflib.namespace import XSD

from kb_tools.cases.form import ROOT, CaseForms, Form, Key
from kb_tools.cases.narrowed import narrowed
from kb_tools.cases.plain import NOTE
from kb_tools.cases.schema import ID_HINT, NAME_HINT
from kb_tools.model.revision import Revision

_WORDS = {"minInclusive": "at least", "maxInclusive": "at most", "minExclusive": "above", "maxExclusive": "below"}


# ---------------------------------------------------------------------- template


def template(plain: CaseForms, revision: Revision) -> dict[str, Any]:
    """An empty case in which notes say what each key takes and what of it the revision asks for.

    It is plain JSON itself: notes are not read, so what is not filled in is not stated.
    """
    asks = asked(revision)
    plain = narrowed(plain, [revision])
    intro = (
        f"A case for {revision.policy.identifier} revision {revision.entry.name}. A key that begins with {NOTE} is a "
        f"note and is not read. Where something is known, write the key without {NOTE}, and the value in place of the "
        "note. Leave out what is not known: what is not stated is unknown, never a no. Put into findings, once for "
        f"each finding, the object of {NOTE}findings that fits, and fill it in."
    )
    if any(len(key.classes) > 1 and key.default for form in plain.forms.values() for key in form.keys.values()):
        intro += f" Put into product the objects of {NOTE}product that fit, at most one of each type."
    return {NOTE: intro, f"{NOTE}id": f"{ID_HINT} {NAME_HINT}", **_blank(plain, plain.forms[ROOT], asks)}


def asked(revision: Revision) -> dict[str, list[str]]:
    """What the conditions of a revision ask for, by the IRI of the class or property that they read."""
    places: dict[str, list[str]] = {}
    for criterion in revision.criteria:
        for iri in criterion.tree.conditions() if criterion.tree else ():
            places.setdefault(iri, []).append(criterion.notation)
    found: dict[str, dict[str, list[str]]] = {}
    for iri, condition in revision.conditions.items():
        for read in condition.reads:
            found.setdefault(read, {}).setdefault(condition.asks_for, []).extend(places.get(iri, ["an advisory"]))
    return {
        read: [f"Asked for by {' and '.join(dict.fromkeys(by))}: {text}" for text, by in texts.items()]
        for read, texts in found.items()
    }


def _blank(plain: CaseForms, form: Form, asks: dict[str, list[str]]) -> dict[str, Any]:
    """The keys of an object, those without objects in them as notes."""
    found: dict[str, Any] = {}
    for key in form.keys.values():
        if len(key.classes) == 1 and not key.many:
            (name,) = key.classes
            named = {"type": name} if key.is_typed(name) else {}
            found[key.name] = named | _blank(plain, plain.forms[name], asks)
        elif key.classes:
            found[key.name] = []
            forms = (plain.forms[name] for name in key.classes)
            found[f"{NOTE}{key.name}"] = [
                {
                    NOTE: " ".join((inner.definition, *inner.rules, *asks.get(str(inner.iri), ()))),
                    "type": inner.name,
                    **_blank(plain, inner, asks),
                }
                for inner in forms
                if _reads(inner, asks)
            ]
        else:
            found[f"{NOTE}{key.name}"] = _note(key, asks.get(str(key.path), ()))
    return found


def _reads(form: Form, asks: dict[str, list[str]]) -> bool:
    """Whether a revision reads objects of this form, or what they state of a class that it reads."""
    named = (iri for key in form.keys.values() if key.kind is None for iri in key.terms.values())
    return str(form.iri) in asks or any(iri in asks for iri in named)


def _note(key: Key, asks: Iterable[str]) -> str:
    if key.terms:
        allowed = f"{'Any of, in brackets' if key.many else 'One of'}: {', '.join(key.terms)}."
    else:
        allowed = f"{'In brackets. ' if key.many else ''}{takes(key)}"
    return " ".join(("Required." if key.required else "Optional.", key.definition, allowed, *asks))


def takes(key: Key) -> str:
    """What a value of a key that is no term and no object must be, in words."""
    if key.datatype == XSD.boolean:
        return "Takes true or false."
    if key.datatype == XSD.date:
        return "Takes a full date, as YYYY-MM-DD."
    if key.datatype in (XSD.integer, XSD.decimal):
        bounds = "".join(f", {_WORDS[name]} {bound}" for name, bound in key.bounds)
        unit = f", in {key.unit}, or in text with another unit of UCUM" if key.unit else ""
        return f"Takes a {'whole ' if key.datatype == XSD.integer else ''}number{bounds}{unit}."
    if key.datatype is None and not key.is_code:
        return NAME_HINT
    return key.hint
