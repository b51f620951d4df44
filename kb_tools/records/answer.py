"""What a record holds of a determination: its values, and the digest of all that it says.

Of the input nothing stands in it: no name of a file or of a node, no text, no date. The digest is of the answer as
`recorded_answer` writes it, where the same case gives the same bytes whatever its file and its nodes are called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kb_tools.as_json import compact
from kb_tools.determine.choice import payer_notice
from kb_tools.determine.determiner import age_notice, difference_notices
from kb_tools.determine.result import CriterionResult, Determination, Need, Outcome, referral
from kb_tools.model.logic import Value, evaluate
from kb_tools.model.revision import Revision

# What a notice is about, in the order in which a determination gives them; as the rows of `kb run` call them.
NOTICES = ("in-force", "revision", "payer", "reading", "findings-differ", "age-of-findings")
# What stands in a record of an answer.
ANSWER = (
    *("sha256", "outcome", "disposition", "referredTo", "applicability", "criteria", "criterionValues", "decides"),
    *("conditionValues", "toSend", "advisories", "notices"),
)


def recorded_answer(found: Determination) -> dict[str, Any]:
    """Give a determination as `to_dict` does, with nothing in it that only the input calls so.

    The case goes by its digest; the name of the file, of nodes, and the record of the reading are left out.
    """
    answer = found.to_dict()
    answer.pop("reading", None)
    nameless = _without_nodes(answer)
    assert isinstance(nameless, dict)
    return nameless | {"case": f"sha256:{found.case.digest}", "file": None}


def written(found: Determination) -> bytes:
    """The recorded answer as JSON on one line: the bytes that a replay gives again."""
    return compact(recorded_answer(found))


def _without_nodes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: None if key == "node" else _without_nodes(inner) for key, inner in value.items()}
    return [_without_nodes(inner) for inner in value] if isinstance(value, list) else value


def content_of(found: Determination) -> dict[str, Any]:
    """What a record holds of a determination."""
    said = said_of(
        found.revision,
        found.outcome,
        found.criterion_results,
        {iri: (result.value, result.perhaps) for iri, result in found.condition_results.items()},
        found.needs,
        [advisory.iri for advisory in found.advisories],
        _notices(found),
    )
    return {"sha256": hashlib.sha256(written(found)).hexdigest(), **said}


def said_of(
    revision: Revision,
    outcome: Outcome,
    criteria: Sequence[CriterionResult],
    conditions: Mapping[str, tuple[Value, Value]],
    needs: Need | None,
    advisories: Sequence[str],
    notices: Sequence[str],
) -> dict[str, Any]:
    """What a record holds of an answer, but for its digest.

    Args:
        criteria: the values of the criteria, as a determination has them.
        conditions: the value of each condition, and the value that it perhaps has.
        advisories: IRIs.
        notices: some of NOTICES.
    """
    every = [part for result in criteria for part in result.with_parts()]
    values = {iri: value for iri, (value, _) in conditions.items()}
    disposition = revision.disposition if outcome is Outcome.NOT_MET else None
    referred = referral(outcome, criteria)
    return {
        "outcome": outcome.value,
        "disposition": disposition[0] if disposition else None,
        "referredTo": referred[1] if referred else None,
        "applicability": evaluate(revision.applicability_tree, values).value,
        "criteria": evaluate(revision.criteria_tree, values).value,
        "criterionValues": {result.criterion.iri: result.value.value for result in every},
        "decides": [result.criterion.iri for result in every if result.decides],
        "conditionValues": {iri: _value(*found) for iri, found in conditions.items()},
        "toSend": _need(needs) if needs else None,
        "advisories": list(advisories),
        "notices": list(notices),
    }


def _value(value: Value, perhaps: Value) -> str | list[str]:
    """The value of a condition; where a doubt keeps it unknown, with the value that it perhaps has."""
    return value.value if value is perhaps else [value.value, perhaps.value]


def _need(need: Need | str) -> str | dict[str, Any]:
    return need if isinstance(need, str) else need.to_dict(_need)


def chosen_notices(found: Determination) -> tuple[str, ...]:
    """What a determination says of how its revision was chosen: nothing where that was named."""
    return found.notices[: len(found.notices) - sum(_counted(found).values())]


def _counted(found: Determination) -> dict[str, int]:
    """How many notices of each kind there are, but for those on how the revision was chosen, which stand first."""
    results = found.condition_results
    return {
        "revision": len(found.revision.notices),
        "payer": len(payer_notice(found.case, found.revision.policy)),
        "reading": len(found.case.notices),
        "findings-differ": sum(1 for _ in difference_notices(results.values())),
        "age-of-findings": sum(1 for _ in age_notice(found.criterion_results, results)),
    }


def _notices(found: Determination) -> list[str]:
    counted = {"in-force": len(chosen_notices(found)), **_counted(found)}
    return [kind for kind in NOTICES if counted[kind]]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str, Any, Any]]:
    """In what two recorded answers differ, but for their digests.

    Returns:
        what it is of (a key of `content_of`), the IRI of the criterion or condition ("" for the whole), and the two
        values.
    """
    found: list[tuple[str, str, Any, Any]] = []
    for key in now:
        one, other = before.get(key), now[key]
        if key == "sha256" or one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict) and key.endswith("Values"):
            iris = dict.fromkeys((*one, *other))
            found += [(key, iri, one.get(iri), other.get(iri)) for iri in iris if one.get(iri) != other.get(iri)]
        else:
            found.append((key, "", one, other))
    return found


# ---------------------------------------------------------------------- reading


def is_of_many(content: Mapping[str, Any]) -> bool:
    """Whether a record is one of many cases, as `kb run` and compact rows have them."""
    return "groups" in content


def is_whole(content: Mapping[str, Any]) -> bool:
    """Whether a record says all that a record says."""
    match content:
        case {
            "made": str(),
            "policy": str(),
            "chosen": str(),
            "engine": str(),
            "values": list(),
            "conditions": dict(),
            "groups": list(groups),
        }:
            return all(_is_group(group) for group in groups)
        case {
            "made": str(),
            "state": str(),
            "policy": str(),
            "revision": str(),
            "chosen": str(),
            "case": {"sha256": str(), "kept": str() | None},
            "answer": dict(said),
        }:
            return set(ANSWER) <= set(said)
    return False


def _is_group(group: Any) -> bool:
    match group:
        case {"revision": str(), "state": str(), "answer": dict(said), "cases": list()}:
            return set(ANSWER) - {"sha256", "conditionValues"} <= set(said)
    return False


def states_of(content: Mapping[str, Any]) -> list[str]:
    """The states that a record names, each once, by their SHA-256."""
    named = [group["state"] for group in content["groups"]] if is_of_many(content) else [content["state"]]
    return list(dict.fromkeys(map(str, named)))


def determinations(content: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """The answers that a record holds.

    Yields:
        the revision, the answer, and how many cases came to it; of many cases without the values of conditions.
    """
    if is_of_many(content):
        for group in content["groups"]:
            yield group["revision"], group["answer"], len(group["cases"])
    else:
        yield content["revision"], content["answer"], 1


def leaves(need: Any) -> Iterator[str]:
    """The conditions to send in something for, of what a record holds of that."""
    if isinstance(need, str):
        yield need
    elif need:
        (parts,) = (found for found in need.values() if isinstance(found, list))
        for part in parts:
            yield from leaves(part)
