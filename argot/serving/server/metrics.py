"""What the server counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from argot.serving.server.shelf import Shelf

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = here = CollectorRegistry()
        self.requests = Counter("argot_requests", "Requests.", ["route", "status"], registry=here)
        self.seconds = Histogram(
            "argot_request_seconds",
            "From request to the end of its reply.",
            ["route"],
            buckets=SECONDS,
            registry=here,
        )
        self.at_work = Gauge(
            "argot_requests_at_work", "Requests not yet replied to.", registry=here
        )
        self.without_model = Counter(
            "argot_searches_without_model", "Searches that BM25 answered alone.", registry=here
        )
        self.batch = Histogram(
            "argot_batch",
            "Texts worked on together.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=here,
        )
        self.feedback = Counter("argot_feedback", "Feedback kept on disk.", ["kind"], registry=here)
        ProcessCollector(registry=self.registry)

    def watch(self, shelf: Shelf) -> None:
        """Tell of the releases on this shelf, too."""
        self.registry.register(_Releases(shelf))

    def page(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)


class _Releases(Collector):
    """What the shelf knows, read when it is asked for."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def collect(self) -> Iterator[Metric]:
        current = self.shelf.current
        info = GaugeMetricFamily(
            "argot_release", "The release that is served.", labels=["release", "model"]
        )
        info.add_metric([current.id, current.manifest.verdict.model], 1)
        yield info
        yield GaugeMetricFamily(
            "argot_passages", "Passages of it.", value=current.manifest.passages
        )
        yield CounterMetricFamily(
            "argot_releases_taken_up", "New releases taken up.", value=self.shelf.taken_up
        )
        yield CounterMetricFamily(
            "argot_releases_refused", "New releases found broken.", value=self.shelf.refused
        )
