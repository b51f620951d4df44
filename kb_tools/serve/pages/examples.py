"""The example cases: what each comes to, and on which side of a condition or a criterion it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from kb_tools.determine.examples import Expectation
from kb_tools.model.logic import Value
from kb_tools.rdf.files import unix_lines
from kb_tools.rdf.namespaces import POL
from kb_tools.serve.view import Link, View


class Example(TypedDict):
    """An example case under one revision: its sentence, and the outcome that it comes to."""

    case: Link
    revision: Link
    outcome: Link


class Determined(TypedDict):
    """What an example case must come to under one revision, and the value of each condition."""

    revision: Link
    outcome: Link
    values: dict[str, list[Link]]
    toSend: list[Link]


class ExampleCase(TypedDict):
    """An example case: made up, to show one thing. `turtle` is the case as the example gives it."""

    iri: str
    title: str
    policy: Link
    about: str
    determined: list[Determined]
    turtle: str


def data(view: View, target: str) -> ExampleCase:
    """The content of the page of an example case."""
    bench = view.bench
    policy, expectations = bench.examples[target]
    text = unix_lines(bench.kb.content(expectations[0].path)).decode()
    about = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
    return {
        "iri": target,
        "title": sentence(expectations[0].path.stem),
        "policy": view.link(policy.iri),
        "about": " ".join(about).removeprefix("Example case: "),
        "determined": [
            {
                "revision": view.link(f"{policy.iri}/{expected.revision}"),
                "outcome": view.link(str(POL[expected.outcome])),
                "values": {
                    value.value: view.links(sorted(iri for iri, found in expected.values.items() if found is value))
                    for value in Value
                },
                "toSend": view.links(sorted(expected.to_send)),
            }
            for expected in expectations
        ],
        "turtle": text,
    }


def sentence(name: str) -> str:
    """The sentence that the name of an example is: "a-grade-of-1-meets" as "a grade of 1 meets"."""
    return name.replace("-", " ")


def by_value(view: View, value_of: Callable[[Expectation], Value | None]) -> dict[str, list[Example]]:
    """The examples on each side: by "holds", "fails", "unknown" and "conflicting".

    Args:
        value_of: the value of what is looked at in an example; None where its revision does not have that.
    """
    found: dict[str, list[Example]] = {value.value: [] for value in Value}
    for case, (policy, expectations) in view.bench.examples.items():
        for expected in expectations:
            value = value_of(expected)
            if value is not None:
                name = sentence(expected.path.stem)
                found[value.value].append(
                    {
                        "case": {"iri": case, "label": name, "notation": ""},
                        "revision": view.link(f"{policy.iri}/{expected.revision}"),
                        "outcome": view.link(str(POL[expected.outcome])),
                    }
                )
    return found
