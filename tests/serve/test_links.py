"""Every link within the workbench leads to a page."""

from __future__ import annotations

import html
import re
from itertools import permutations

from starlette.testclient import TestClient

from kb_tools.serve.links import path_of
from kb_tools.serve.pages import THING, compare, page_of
from kb_tools.serve.workbench import Workbench

# Of the pages that are made alike, every so many is read.
EVERY = 30


def test_every_link_leads_to_a_page_and_every_fragment_to_a_place_on_it(client: TestClient, bench: Workbench) -> None:
    alike = [iri for iri in bench.ours if page_of(bench, iri) is THING or iri in bench.examples]
    read = ["/", "/search?q=gvhd", "/questions", "/model", "/questions/where-cited", "/CP.MP.102"]
    read += ["/CP.MP.101/compare", "/CP.MP.101/compare/2019-10/2026-02"]
    read += [path_of(iri) for iri in bench.ours if iri not in set(alike)] + [path_of(iri) for iri in alike[::EVERY]]
    targets: dict[str, str] = {}
    for path in read:
        page = client.get(path).text
        places = set(re.findall(r' id="([^"]*)"', page))
        for address in map(html.unescape, re.findall(r'(?:href|src|action)="([^"]*)"', page)):
            if address.startswith("#"):
                assert address[1:] in places, (path, address)
            elif not address.startswith(("https://", "http://")):
                targets.setdefault(address.partition("#")[0], path)
    known = {path_of(iri) for iri in bench.ours} | {path.partition("?")[0] for path in read} - {"/CP.MP.102"}
    # Each takes seconds to make, and is read in test_compare.
    policy = bench.kb.policy()
    on_file = [entry.name for entry in policy.history if entry.criteria_on_file]
    known |= {compare.path_of(policy, before, after) for before, after in permutations(on_file, 2)}
    fixed = {target: client.get(target).status_code for target in targets if target.partition("?")[0] not in known}
    assert {target: (status, targets[target]) for target, status in fixed.items() if status != 200} == {
        "/CP.MP.102": (404, "/CP.MP.102")
    }
    assert len(targets) > 1500
