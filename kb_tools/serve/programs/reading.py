"""What programs read over HTTP: revisions with their criteria, comparisons, ready questions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from functools import lru_cache

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kb_tools import as_json
from kb_tools.errors import KbError
from kb_tools.model.revision import Revision
from kb_tools.render.revision import revision_json
from kb_tools.revisions.compare import entries_of
from kb_tools.serve.determining import Determining
from kb_tools.serve.pages import QUESTIONS
from kb_tools.serve.programs.asked import parameters
from kb_tools.serve.view import View, day_asked
from kb_tools.serve.workbench import Workbench

DIFF, CRITERIA, ASKED, ASK = "/api/diff", "/api/criteria", "/api/questions", "/api/questions/{name}"


def routes(bench: Workbench, determining: Determining, ask: Callable[[Request], Awaitable[Response]]) -> list[Route]:
    """The addresses.

    Args:
        ask: answers a ready question, whose name is in the path.
    """

    async def diff(request: Request) -> Response:
        """Two revisions compared, as kb diff --format json; who waits for it takes no thread from other readers."""
        asked = parameters(request, ("before", "after", "policy"))
        missing = [name for name in ("before", "after") if name not in asked]
        if missing:
            raise KbError(f"no {' and no '.join(missing)}", hint="name two revisions, as before=2019-10&after=2026-02")
        before, after = asked["before"], asked["after"]
        if not asked.get("policy") and len({name.split("/")[-2] for name in (before, after) if "/" in name}) == 2:
            asked_for = (before, after)
            sides = [await run_in_threadpool(determining.policy, None, name) for name in asked_for]
            first, second = (determining.entry(side, name).name for side, name in zip(sides, asked_for, strict=True))
            found = await asyncio.wrap_future(bench.comparisons.of(sides[0], first, second, sides[1]))
            return _json(found.diff.to_json())
        policy = await run_in_threadpool(determining.policy, asked.get("policy"), before, after)
        for name in (before, after):
            determining.entry(policy, name)
        old, new = entries_of(policy, before, after)
        found = await asyncio.wrap_future(bench.comparisons.of(policy, old.name, new.name))
        return _json(replace(found.diff, impact=None).to_json())

    def criteria(request: Request) -> Response:
        """A revision with its criteria, as kb show --format json."""
        asked = parameters(request, ("policy", "revision", "asOf"))
        chosen = determining.chosen(asked.get("policy"), asked.get("revision"), asked.get("asOf"))
        policy = determining.policy(chosen["policy"])
        if chosen["revision"]:
            entry = determining.entry(policy, chosen["revision"])
        else:
            entry = determining.in_force(policy, day_asked(chosen["asOf"], "asOf") or date.today())
        return _json(written(policy.identifier, entry.name))

    @lru_cache
    def written(policy: str, revision: str) -> str:
        found = determining.policy(policy)
        return revision_json(Revision.load(found, found.entry(revision)))

    def questions(request: Request) -> Response:
        """The ready questions with their parameters."""
        parameters(request, ())
        view = View(bench, date.today())
        return _json(as_json.dump(QUESTIONS.data(view, "")))

    return [
        Route(DIFF, diff),
        Route(CRITERIA, criteria),
        Route(ASKED, questions),
        Route(ASK, ask),
    ]


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")
