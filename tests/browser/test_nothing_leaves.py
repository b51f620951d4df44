"""No request leaves the machine; and what would leave is seen, so that the other tests mean something."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import browsers
import pytest
from outgoing import Listener, Watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing() or "there is a browser"),
]


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("http://elsewhere.example/a?b=c", "GET http://elsewhere.example/a?b=c HTTP/1.1"),
        ("https://elsewhere.example/a", "CONNECT elsewhere.example:443 HTTP/1.1"),
        ("http://192.0.2.1:8014/", "GET http://192.0.2.1:8014/ HTTP/1.1"),
    ],
)
def test_the_listener_sees_what_a_browser_asks_of_another_machine(
    browser: Browser, outside: Listener, address: str, line: str
) -> None:
    from playwright.sync_api import Error

    context = browser.new_context()
    page = context.new_page()
    # Nothing answers there.
    with suppress(Error):
        page.goto(address)
    context.close()
    seen = set(outside.asked)
    outside.asked.clear()
    assert seen == {line}


def test_nothing_leaves_from_any_page_or_process(page: Page, outside: Listener, watched: Watched) -> None:
    for path in ("/", "/CP.MP.101", "/CP.MP.101/2026-02", "/clinical", "/model", "/try", "/questions/codes"):
        page.goto(path, wait_until="networkidle")
    page.goto("/query", wait_until="networkidle")
    page.evaluate(
        "fetch('/sparql?query=' + encodeURIComponent('SELECT * FROM <http://elsewhere.example/> {?s ?p ?o}'))"
    )
    # The server, the process that answers queries, and one that reads cases, if not more.
    assert len(watched.processes) >= 2
    assert (outside.asked, watched.asked) == ([], [])
