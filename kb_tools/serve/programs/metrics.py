"""Counts and durations for Prometheus: by door, status and outcome, never of whom. No label comes from a request."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kb_tools import __version__

# Upper limits of durations that are told apart, in seconds.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What happened since the start."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("kb_requests", "Requests answered.", ("door", "status"), registry=registry)
        self._seconds = Histogram(
            "kb_request_seconds",
            "Time of a request, in seconds.",
            ("door",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._cases = Counter("kb_cases", "Cases, by what they came to.", ("door", "outcome"), registry=registry)
        self._running = Gauge("kb_requests_running", "Requests that are being answered.", registry=registry)
        info = Gauge("kb_info", "The version of the tool.", ("version",), registry=registry)
        info.labels(__version__).set(1)

    def begun(self) -> None:
        """Count a request as running."""
        self._running.inc()

    def ended(self, door: str, status: int, seconds: float, outcomes: Mapping[str, int]) -> None:
        """Count a request that is answered, and its cases."""
        self._running.dec()
        self._requests.labels(door, status).inc()
        self._seconds.labels(door).observe(seconds)
        for outcome, number in outcomes.items():
            self._cases.labels(door, outcome).inc(number)

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self._registry)
