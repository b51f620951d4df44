"""The page on which a case is tried.

A case comes in the body of a request alone, and nothing of it is kept, logged or put into an address.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kb_tools import as_json
from kb_tools.errors import KbError, did_you_mean
from kb_tools.serve import html
from kb_tools.serve.case.answer import Slip, refused
from kb_tools.serve.case.desk import Chosen, Page
from kb_tools.serve.case.fields import CASE_FIELD, MAX_FIELDS, MAX_ROWS, Fields, fit
from kb_tools.serve.case.form import Section, title_of
from kb_tools.serve.determining import Determining
from kb_tools.serve.formats import asked_for
from kb_tools.serve.links import ServedLinks
from kb_tools.serve.pages import TRY
from kb_tools.serve.pages.trial import Witness, chosen_revision, example, with_codes, witness
from kb_tools.serve.programs.asked import body
from kb_tools.serve.programs.determine import API, FORMATS, MAX_CASE, TOO_LARGE
from kb_tools.serve.view import View, day_asked
from kb_tools.serve.workbench import Workbench

# A form writes a byte as three, at most.
_MAX_FORM = 3 * MAX_CASE
_FORM = "application/x-www-form-urlencoded"
# The formats in which a case is read here.
_READ = tuple(dict.fromkeys(FORMATS.values()))
_FILES = {"json": ("case.json", "application/json"), "turtle": ("case.ttl", "text/turtle")}


def routes(bench: Workbench, determining: Determining) -> list[Route]:
    """The page."""
    trial = _Trial(bench, determining)
    return [
        Route(TRY.path, trial.show, name=TRY.name),
        Route(TRY.path, trial.post, methods=["POST"]),
    ]


class _Trial:
    def __init__(self, bench: Workbench, determining: Determining) -> None:
        self.bench = bench
        self.determining = determining
        self.workers = determining.workers

    # ------------------------------------------------------------------ the page

    def show(self, request: Request) -> Response:
        """The empty form, or an example case in it."""
        query = request.query_params
        chosen = query.get("revision", "")
        format_ = asked_for(query.get("format"), request.headers.get("accept", ""), TRY.formats)
        text, name = b"", ""
        shown: Witness | None = None
        if query.get("witness"):
            found, shown = witness(self._view(request), query["witness"])
            text, name = found.encode(), "witness"
        elif query.get("example"):
            path = example(self.bench, query["example"])
            text, name = self.bench.kb.content(path), path.stem
            if not chosen and self.bench.kb.has_several:
                # An example is one of its policy.
                chosen = query["example"].partition("/")[0]
        if format_ == "json":
            view = self._view(request)
            content = {"page": TRY.name, "on": view.day.isoformat(), **TRY.data(view, chosen)}
            return Response(as_json.dump(content), media_type="application/json", headers={"Vary": "Accept"})
        if text:
            page = _named(self._read(text, chosen), name)
        else:
            # A patient without a name is some patient: any name says as much.
            page = {"fields": {f"{CASE_FIELD}.patient": ["patient"]}, "answer": refused([]), "notes": []}
        return self._page(request, chosen, page, witness=shown)

    def _read(self, text: bytes, chosen: str) -> Page:
        """A case of ours in the form."""
        page: Page = self.workers.ask("read", text.decode("latin-1"), "turtle", self._under(chosen))
        return page

    async def post(self, request: Request) -> Response:
        """The form as it was sent, with what becomes of the case; a file of the case; or only what becomes of it."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise HTTPException(415, f"this address takes a form, as {_FORM}; programs post to {API}")
        data = await body(request, _MAX_FORM, TOO_LARGE)
        return await run_in_threadpool(self._posted, request, data)

    def _posted(self, request: Request, data: bytes) -> Response:
        try:
            sent = parse_qs(data.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            raise HTTPException(413, f"this is no form, or one of more than {MAX_FIELDS} fields") from None
        stated = {name: values for name, values in sent.items() if name.startswith(f"{CASE_FIELD}.")}
        if not fit(stated):
            raise HTTPException(413, f"a form of more than {MAX_ROWS} rows; send less, or use kb validate")
        fields = with_codes(self.bench, stated)

        def control(name: str) -> str:
            return sent.get(name, [""])[0]

        chosen, text = control("revision"), control("text")
        do, _, target = control("do").partition(":")
        if do in _FILES:
            # What is no case yet cannot be written: the page says why.
            with suppress(KbError):
                name, media_type = _FILES[do]
                headers = {"Content-Disposition": f'attachment; filename="{name}"'}
                return Response(self.workers.ask("write", fields, do), media_type=media_type, headers=headers)
        if do == "add":
            name, _, kind = target.rpartition(":")
            fields[f"{name}[{_next(fields, name)}].type"] = [kind]
        if do == "remove":
            fields = {name: values for name, values in fields.items() if not name.startswith(f"{target}.")}
        if do == "read":
            if len(text.encode()) > MAX_CASE:
                raise _too_large()
            if (format_ := control("format")) and format_ not in _READ:
                hint = did_you_mean(format_, _READ) or f"known: {', '.join(_READ)}"
                raise KbError(f"format: {format_!a} is no format of a case", hint=hint)
            content = text.encode().decode("latin-1")
            page: Page = self.workers.ask("read", content, format_ or None, self._under(chosen))
            text = "" if page["answer"]["status"] else text
        else:
            page = self.workers.ask("fill", fields, self._under(chosen))
        if control("part") == "answer":
            shown = self._shown(self._view(request), request, "try_answer")
            form = TRY.data(self._view(request), chosen)["form"]
            return Response(html.render(shown, _answered(page, form), self.bench), media_type="text/html")
        return self._page(request, chosen, page, text)

    def _page(
        self, request: Request, chosen: str, page: Page, text: str = "", witness: Witness | None = None
    ) -> Response:
        view, come = self._view(request), page["answer"]["status"]
        # Beside its fields the form asks what the policy asks that the case was found to be of.
        data = TRY.data(view, chosen or (f"{come['policy']}/{come['revision']}" if come else ""))
        content = {
            **data,
            **_answered(page, data["form"]),
            "witness": witness,
            "on": view.day.isoformat(),
            "chosen": chosen,
            "example": request.query_params.get("example", ""),
            "fields": page["fields"],
            "rows": lambda name: _rows(page["fields"], name),
            "text": text,
            "notes": page["notes"],
        }
        body = html.render(self._shown(view, request, TRY.name), content, self.bench)
        return Response(body, media_type="text/html", headers={"Vary": "Accept"})

    def _view(self, request: Request) -> View:
        return View(self.bench, day_asked(request.query_params.get("on")) or date.today())

    def _shown(self, view: View, request: Request, template: str) -> html.Shown:
        on = day_asked(request.query_params.get("on"))
        return html.Shown(template, TRY.path, view.day, ServedLinks(self.bench.ours, on), on is not None, TRY.formats)

    def _under(self, chosen: str) -> Chosen:
        policy, revision = chosen_revision(self.bench, chosen)
        return {"policy": policy.identifier if policy else None, "revision": revision, "asOf": None}


def _too_large() -> HTTPException:
    return HTTPException(413, TOO_LARGE)


def _named(page: Page, name: str) -> Page:
    """A case of ours in the form, called by a name in place of its IRI."""
    own: dict[str, list[str]] = {f"{CASE_FIELD}.id": [name], f"{CASE_FIELD}.patient": ["patient"]}
    return {**page, "fields": {**page["fields"], **own}}


def _answered(page: Page, form: Section) -> dict[str, Any]:
    beside: dict[str, list[Slip]] = {}
    for slip in page["answer"]["slips"]:
        beside.setdefault(slip["field"], []).append(slip)
    titles = {name: title_of(form, page["fields"], name) for name in beside if name}
    return {"answer": page["answer"], "beside": beside, "titles": titles}


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
