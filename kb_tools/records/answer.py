"""What a record holds of a determination: its values, and the digest of all that it says.

Of the input nothing stands in it: no name of a file or of a node, no text, no date. The digest is of the answer as
`recorded_answer` writes it, where the same case gives the same bytes whatever its file and its nodes are called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from kb_tools.as_json import compact
from kb_tools.determine.determiner import age_notice, difference_notices
from kb_tools.determine.result import ConditionResult, Determination, Need, Outcome

# What a notice is about, in the order in which a determination gives them; as the rows of `kb run` call them.
NOTICES = ("in-force", "revision", "reading", "findings-differ", "age-of-findings")
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
    criteria = found.every_criterion
    disposition = found.revision.disposition if found.outcome is Outcome.NOT_MET else None
    return {
        "sha256": hashlib.sha256(written(found)).hexdigest(),
        "outcome": found.outcome.value,
        "disposition": disposition[0] if disposition else None,
        "referredTo": found.referred_to[1] if found.referred_to else None,
        "applicability": found.applicability.value,
        "criteria": found.criteria.value,
        "criterionValues": {result.criterion.iri: result.value.value for result in criteria},
        "decides": [result.criterion.iri for result in criteria if result.decides],
        "conditionValues": {iri: _value(result) for iri, result in found.condition_results.items()},
        "toSend": _need(found.needs) if found.needs else None,
        "advisories": [advisory.iri for advisory in found.advisories],
        "notices": list(_notices(found)),
    }


def _value(result: ConditionResult) -> str | list[str]:
    """The value of a condition; where a doubt keeps it unknown, with the value that it perhaps has."""
    if result.value is result.perhaps:
        return result.value.value
    return [result.value.value, result.perhaps.value]


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


def is_whole(content: Mapping[str, Any]) -> bool:
    """Whether a record says all that a record says."""
    match content:
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


def determinations(content: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """The answers that a record holds.

    Yields:
        the revision, the answer, and how many cases came to it.
    """
    yield content["revision"], content["answer"], 1


def leaves(need: Any) -> Iterator[str]:
    """The conditions to send in something for, of what a record holds of that."""
    if isinstance(need, str):
        yield need
    elif need:
        (parts,) = (found for found in need.values() if isinstance(found, list))
        for part in parts:
            yield from leaves(part)
