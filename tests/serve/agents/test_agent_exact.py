"""What the protocol's reader of JSON would lose without a word is refused before it reads."""

from __future__ import annotations

import json

import pytest

from kb_tools.errors import KbError
from kb_tools.serve.mcp.arguments import Arguments, OfCase
from kb_tools.serve.mcp.exact import LOST, exact


def message(case: str) -> str:
    return (
        f'{{"id": 1, "method": "tools/call", "params": {{"name": "determine_case", "arguments": {{"case": {case}}}}}}}'
    )


@pytest.mark.parametrize(
    "case",
    [
        "{}",
        '{"grade": 1}',
        '{"share": 89.5}',
        "[90.10, 1e2, 0.1, -0.0, 1E-7]",
        "12345678901234567890123",
        '"89.99999999999999999"',
    ],
)
def test_what_is_read_exactly_goes_on_as_it_came(case: str) -> None:
    assert exact(message(case)) == message(case)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ('{"grade": 1, "grade": 3}', "a key stands twice in one object; keep one"),
        ('[{"a": {"b": 1, "b": 1}}]', "a key stands twice in one object; keep one"),
        # Read as 90.0, which is not mixed chimerism, and less is.
        ("89.99999999999999999", "a number has more digits than are read exactly; send the case as a text"),
        ("1e400", "a number has more digits than are read exactly; send the case as a text"),
        ("NaN", "NaN and infinity are no numbers of JSON; leave out what is unknown"),
        ("-Infinity", "NaN and infinity are no numbers of JSON; leave out what is unknown"),
    ],
)
def test_in_place_of_arguments_of_which_something_would_be_lost_stands_why(case: str, reason: str) -> None:
    found = json.loads(exact(message(case)))
    assert (found["id"], found["params"]["name"]) == (1, "determine_case")
    assert list(found["params"]["arguments"]) == [LOST]
    with pytest.raises(KbError) as error:
        Arguments("determine_case", OfCase).read(found["params"]["arguments"])
    assert str(error.value).startswith(f"the arguments cannot be read exactly; {reason}")


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[" * 100_000, "[1, 1]", '{"a": 1, "a": 2}', '{"params": [{"a": 1, "a": 2}]}']
)
def test_what_is_no_call_goes_on_as_it_came(text: str) -> None:
    assert exact(text) == text
