"""The page on which a case is tried, and the address at which programs have one determined.

A case comes in the body of a request alone, and nothing of it is kept, logged or put into an address.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kb_tools import as_json
from kb_tools.cases.form import CaseForms
from kb_tools.errors import KbError, UnknownRevision, did_you_mean
from kb_tools.model.policy import Policy
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import BASE
from kb_tools.serve import html
from kb_tools.serve.case.answer import Answer, Slip
from kb_tools.serve.case.desk import Chosen, Page
from kb_tools.serve.case.fields import CASE_FIELD, Fields
from kb_tools.serve.case.form import Section, section
from kb_tools.serve.case.workers import Busy, Workers
from kb_tools.serve.formats import asked_for
from kb_tools.serve.links import ServedLinks
from kb_tools.serve.view import day_asked
from kb_tools.serve.workbench import Workbench

PATH, API = "/try", "/api/determine"
# The largest case, in bytes, and the most fields of a form.
MAX_CASE, MAX_FIELDS = 4 * 1024 * 1024, 4_000
# A form writes a byte as three, at most.
_MAX_FORM = 3 * MAX_CASE
_FORM = "application/x-www-form-urlencoded"
# The format of a case by the media type of the body, as kb validate --input-format calls it.
FORMATS = {
    "application/json": "json",
    "application/fhir+json": "json",
    "text/turtle": "turtle",
    "application/trig": "trig",
    "application/n-triples": "ntriples",
    "application/ld+json": "jsonld",
}
_FILES = {"json": ("case.json", "application/json"), "turtle": ("case.ttl", "text/turtle")}


class Choice(TypedDict):
    """A revision under which a case can be determined; "" and a policy alone mean the one in force at the service."""

    value: str
    label: str


class Choices(TypedDict):
    """The revisions of a policy whose criteria are on file."""

    policy: str
    revisions: list[Choice]


class Example(TypedDict):
    """An example case: its name, and the sentence that it is."""

    value: str
    label: str


class Examples(TypedDict):
    """The example cases of one outcome."""

    outcome: str
    examples: list[Example]


class Try(TypedDict):
    """What a case can say, under which revisions it can be determined, and cases to begin with."""

    title: str
    choices: list[Choices]
    examples: list[Examples]
    form: Section


def routes(bench: Workbench) -> list[Route]:
    """The page and the address."""
    trial = _Trial(bench)
    return [
        Route(PATH, trial.show, name="try"),
        Route(PATH, trial.post, methods=["POST"]),
        Route(API, trial.determine, methods=["POST"], name="determine"),
    ]


class _Trial:
    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.workers = Workers(bench.kb.root)
        self._sections: dict[str, Section] = {}

    # ------------------------------------------------------------------ the page

    def show(self, request: Request) -> Response:
        """The empty form, or an example case in it."""
        query = request.query_params
        chosen = query.get("revision", "")
        policy, revision = self._chosen(chosen)
        if asked_for(query.get("format"), request.headers.get("accept", ""), ("html", "json")) == "json":
            content = {"page": "try", **self._content(policy, revision)}
            return Response(as_json.dump(content), media_type="application/json", headers={"Vary": "Accept"})
        if query.get("example"):
            path = self._example(query["example"])
            text = path.read_bytes().decode("latin-1")
            page: Page = self._ask("read", text, "turtle", _as_asked(policy, revision))
        else:
            # A patient without a name is some patient: any name says as much.
            page = {"fields": {f"{CASE_FIELD}.patient": ["patient"]}, "answer": _nothing(), "notes": []}
        shown = self._shown(request)
        return self._page(shown, chosen, page, "")

    async def post(self, request: Request) -> Response:
        """The form as it was sent, with what becomes of the case; a file of the case; or only what becomes of it."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise HTTPException(415, f"this address takes a form, as {_FORM}; programs post to {API}")
        data = await _body(request, _MAX_FORM)
        return await run_in_threadpool(self._posted, request, data)

    def _posted(self, request: Request, data: bytes) -> Response:
        try:
            sent = parse_qs(data.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            raise HTTPException(413, f"this is no form, or one of more than {MAX_FIELDS} fields") from None
        fields = {name: values for name, values in sent.items() if name.startswith(f"{CASE_FIELD}.")}

        def control(name: str) -> str:
            return sent.get(name, [""])[0]

        chosen, text = control("revision"), control("text")
        policy, revision = self._chosen(chosen)
        do, _, target = control("do").partition(":")
        if do in _FILES:
            # What is no case yet cannot be written: the page says why.
            with suppress(KbError):
                name, media_type = _FILES[do]
                headers = {"Content-Disposition": f'attachment; filename="{name}"'}
                return Response(self._ask("write", fields, do), media_type=media_type, headers=headers)
        if do == "add":
            name, _, kind = target.rpartition(":")
            fields[f"{name}[{_next(fields, name)}].type"] = [kind]
        if do == "remove":
            fields = {name: values for name, values in fields.items() if not name.startswith(f"{target}.")}
        if do == "read":
            if len(text.encode()) > MAX_CASE:
                raise _too_large()
            content = text.encode().decode("latin-1")
            page: Page = self._ask("read", content, control("format") or None, _as_asked(policy, revision))
            text = "" if page["answer"]["status"] else text
        else:
            page = self._ask("fill", fields, _as_asked(policy, revision))
        if control("part") == "answer":
            return Response(html.render(self._shown(request, "try_answer"), _answered(page)), media_type="text/html")
        return self._page(self._shown(request), chosen, page, text)

    def _page(self, shown: html.Shown, chosen: str, page: Page, text: str) -> Response:
        policy, revision = self._chosen(chosen)
        content = {
            **self._content(policy, revision),
            **_answered(page),
            "chosen": chosen,
            "fields": page["fields"],
            "rows": lambda name: _rows(page["fields"], name),
            "text": text,
            "notes": page["notes"],
        }
        return Response(html.render(shown, content), media_type="text/html", headers={"Vary": "Accept"})

    def _shown(self, request: Request, template: str = "try") -> html.Shown:
        on = day_asked(request.query_params.get("on"))
        links = ServedLinks(self.bench.ours, on)
        return html.Shown(template, PATH, on or date.today(), links, on is not None, ("html", "json"))

    # ------------------------------------------------------------------ for programs

    async def determine(self, request: Request) -> Response:
        """A case as kb validate --format json answers it."""
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given not in FORMATS:
            raise HTTPException(415, f"a case comes as {', '.join(FORMATS)}, named in the header Content-Type")
        chosen = self._asked(request)
        data = await _body(request, MAX_CASE)
        found = await run_in_threadpool(self._ask, "determine", data.decode("latin-1"), FORMATS[given], chosen)
        if found["read"]:
            return Response(as_json.dump(found["document"]), media_type="application/json")
        errors = found["document"]["errors"]
        content = {"type": "about:blank", "title": "No case can be read", "status": 422, "detail": errors[0]}
        problem = as_json.dump({**content, "near": [], "errors": errors})
        return Response(problem, 422, media_type="application/problem+json")

    def _asked(self, request: Request) -> Chosen:
        """The revision that the address names.

        Raises:
            KbError: a parameter is none of those known, or there is no such policy, revision or day.
        """
        known = ("policy", "revision", "asOf")
        for name in request.query_params:
            if name not in known:
                hint = did_you_mean(name, known) or f"known: {', '.join(known)}"
                raise KbError(f"no parameter {name!a}", hint=hint)
        policy, revision, as_of = (request.query_params.get(name) or None for name in known)
        if revision and as_of:
            raise KbError("a revision and a day", hint="give revision or asOf")
        found = self.bench.kb.policy_of(policy, *([revision] if revision else []))
        if revision:
            found.require_criteria(found.entry(revision))
        day = day_asked(as_of, "asOf")
        if day:
            found.in_force(day)
        return {"policy": found.identifier, "revision": revision, "asOf": as_of}

    # ------------------------------------------------------------------ what there is to choose

    def _chosen(self, chosen: str) -> tuple[Policy, str | None]:
        """The policy and the revision that a choice names, as "CP.MP.101/2026-02"; None for that of the service date.

        Raises:
            KbError: there is no such policy, or no revision of that name whose criteria are on file.
        """
        identifier, _, revision = chosen.rpartition("/") if "/" in chosen else (chosen, "", "")
        policy = self.bench.kb.policy(identifier or self._policies[0].identifier)
        return policy, policy.require_criteria(policy.entry(revision)).name if revision else None

    @cached_property
    def _policies(self) -> list[Policy]:
        return list(self.bench.policies.values())

    def _content(self, policy: Policy, revision: str | None) -> Try:
        return {
            "title": "Try a case",
            "choices": self._choices,
            "examples": self._examples,
            "form": self._section(policy, revision),
        }

    def _section(self, policy: Policy, name: str | None) -> Section:
        """The form, with the questions of a revision, or else of the one that is in force today."""
        try:
            entry = policy.entry(name) if name else policy.in_force(date.today()).revision
        except UnknownRevision:
            entry = None
        key = entry.iri if entry else policy.iri
        if key not in self._sections:
            revision: Revision | None = self.bench.revision(entry.iri) if entry else None
            self._sections[key] = section(self._forms, revision, self._codes)
        return self._sections[key]

    @cached_property
    def _forms(self) -> CaseForms:
        return CaseForms(self.bench.kb)

    @cached_property
    def _codes(self) -> dict[str, str]:
        """The codes on file, as a case writes them, each with what it is called."""
        under = f"{BASE}code/"
        codes = (iri for iri in self.bench.ours if iri.startswith(under))
        return {self.bench.kb.curie(iri): self.bench.label(iri) for iri in codes}

    @cached_property
    def _choices(self) -> list[Choices]:
        several = len(self._policies) > 1
        found: list[Choices] = []
        for policy in self._policies:
            in_force = {"value": policy.identifier if several else "", "label": "in force on the service date"}
            named = [
                {"value": f"{policy.identifier}/{entry.name}", "label": f"revision {entry.name}"}
                for entry in reversed(policy.history)
                if entry.criteria_on_file
            ]
            revisions: list[Choice] = [in_force, *named]  # type: ignore[list-item]
            found.append({"policy": policy.identifier, "revisions": revisions})
        return found

    @cached_property
    def _examples(self) -> list[Examples]:
        """The example cases by what they come to, first under their latest revision."""
        found: dict[str, list[Example]] = {}
        for policy, expectations in self.bench.examples.values():
            latest = max(expectations, key=lambda expected: expected.revision)
            name = latest.path.stem
            example: Example = {"value": f"{policy.identifier}/{name}", "label": name.replace("-", " ")}
            outcome = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", latest.outcome).capitalize()
            found.setdefault(outcome, []).append(example)
        return [{"outcome": outcome, "examples": examples} for outcome, examples in sorted(found.items())]

    def _example(self, named: str) -> Path:
        paths = {
            f"{policy.identifier}/{expected.path.stem}": expected.path
            for policy, expectations in self.bench.examples.values()
            for expected in expectations
        }
        if named not in paths:
            raise KbError(f"no example {named!a}", hint=did_you_mean(named, paths) or "choose one on the page")
        return paths[named]

    def _ask(self, operation: str, *arguments: Any) -> Any:
        try:
            return self.workers.ask(operation, *arguments)
        except Busy:
            raise HTTPException(503, "too many cases at once; try again in a moment", {"Retry-After": "2"}) from None


async def _body(request: Request, most: int) -> bytes:
    """The body of a request.

    Raises:
        HTTPException: it is longer than it may be.
    """
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > most:
            raise _too_large()
    return bytes(found)


def _too_large() -> HTTPException:
    return HTTPException(413, f"a case of more than {MAX_CASE // 2**20} MiB; send less, or use kb validate")


def _as_asked(policy: Policy, revision: str | None) -> Chosen:
    return {"policy": policy.identifier, "revision": revision, "asOf": None}


def _nothing() -> Answer:
    return {"slips": [], "refusal": "", "status": None}


def _answered(page: Page) -> dict[str, Any]:
    beside: dict[str, list[Slip]] = {}
    for slip in page["answer"]["slips"]:
        beside.setdefault(slip["field"], []).append(slip)
    return {"title": "Try a case", "answer": page["answer"], "beside": beside}


def _rows(fields: Fields, name: str) -> list[tuple[str, str]]:
    """The rows of an array that are on the page: the name of each, and what it is."""
    found = {
        int(match[1]): values[0]
        for field, values in fields.items()
        if values and (match := re.fullmatch(re.escape(name) + r"\[([0-9]{1,6})\]\.type", field))
    }
    return [(f"{name}[{index}]", kind) for index, kind in sorted(found.items())]


def _next(fields: Fields, name: str) -> int:
    rows = _rows(fields, name)
    return int(rows[-1][0][len(name) + 1 : -1]) + 1 if rows else 0
