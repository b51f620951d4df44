"""Several versions of one resource: only the latest is read."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime

from kb_tools.cases.fhir.assembly import Assembly
from kb_tools.cases.fhir.doubts import DoubtCollector
from kb_tools.cases.fhir.references import References, unversioned
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, Skipped


def skip_older_versions(assembly: Assembly, doubts: DoubtCollector) -> None:
    """Skips all but the latest of several resources with one id."""
    versions: dict[str, list[Resource]] = defaultdict(list)
    servers: dict[str, set[str]] = defaultdict(set)
    for resource in assembly.resources:
        if resource.id and "://" in resource.url:
            servers[f"{resource.type}/{resource.id}"].add(unversioned(resource.url))
    for resource in assembly.resources:
        # One that is not understood can be the latest: then no earlier one stands for it.
        if resource.id and (resource not in assembly.done or resource in assembly.rejected):
            name = f"{resource.type}/{resource.id}"
            urls = servers[name]
            key = unversioned(resource.url) or (next(iter(urls)) if len(urls) == 1 else name)
            versions[key].append(resource)
    for same in versions.values():
        if len(same) > 1:
            _keep_latest(assembly, doubts, same)
    if assembly.rejected:
        # A reference leads to the version that is read.
        assembly.references = References(sorted(assembly.resources, key=assembly.rejected.__contains__))


def _keep_latest(assembly: Assembly, doubts: DoubtCollector, same: list[Resource]) -> None:
    first: dict[str, Resource] = {}
    for version in same:
        twin = first.setdefault(json.dumps(version.content, sort_keys=True), version)
        if twin is not version:
            doubts.skip(version, Skipped(IGNORED, f"the same as {twin.place}"))
    kept = list(first.values())
    times = [_updated(version) for version in kept]
    latest = max((time for time in times if time), default=None)
    undated = None in times
    unclear = len(kept) > 1 and (undated or times.count(latest) > 1)
    newest = kept[times.index(latest)].place
    replaced: set[Resource] = set()
    for version, time in zip(kept, times, strict=True):
        if unclear and version not in assembly.rejected:
            why = "several versions of one resource, without saying which is the latest"
            doubts.skip(version, Skipped(NOT_UNDERSTOOD, why))
            assembly.rejected.add(version)
        elif time != latest and not undated:
            replaced.add(version)
            doubts.skip(version, Skipped(IGNORED, f"replaced by {newest}"))
            assembly.rejected.add(version)
    # What is replaced leaves no doubt, understood or not.
    assembly.doubts = [doubt for doubt in assembly.doubts if doubt.resource not in replaced]


def _updated(resource: Resource) -> datetime | None:
    """When a version of a resource was made, where that is said to the second with a time zone."""
    meta = resource.content.get("meta")
    text = meta.get("lastUpdated") if isinstance(meta, dict) else None
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return time if time and time.tzinfo else None
