# SPDX-License-Identifier: Apache-2.0
"""The text that Prometheus reads: Triton's names, and our own for each core."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from .repository import Entry
    from .server import Server

_LABELS = ("model", "version")
_DURATIONS = {
    "success": "request",
    "queue": "queue",
    "compute_input": "compute_input",
    "compute_infer": "compute_infer",
    "compute_output": "compute_output",
}


def exposition(server: Server) -> tuple[bytes, str]:
    """Return the metrics, and their content type."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(server))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _Collector:
    """Reads the counts when it is asked for them."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        loaded = [entry for entry in self._server.repository.index() if entry.model is not None]
        yield from _requests(loaded)
        yield from _cores(loaded)


def _requests(entries: list[Entry]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    counts = {
        name: CounterMetricFamily(f"nv_inference_{name}", text, labels=_LABELS)
        for name, text in (
            ("request_success", "Requests answered with outputs"),
            ("request_failure", "Requests answered with an error"),
            ("count", "Samples inferred"),
            ("exec_count", "Runs of the NPU"),
        )
    }
    times = {
        key: CounterMetricFamily(f"nv_inference_{name}_duration_us", f"Microseconds: {name}", labels=_LABELS)
        for key, name in _DURATIONS.items()
    }
    pending = GaugeMetricFamily("ez_rknn_pending_requests", "Requests admitted and not answered", labels=_LABELS)
    ready = GaugeMetricFamily("ez_rknn_model_ready", "1 if the model takes requests", labels=_LABELS)
    for entry in entries:
        model = entry.model
        if model is None:
            continue
        labels = (entry.file.name, entry.file.version)
        durations = entry.statistics.read(model.session.stats)
        counts["request_success"].add_metric(labels, durations["success"].count)
        counts["request_failure"].add_metric(labels, durations["fail"].count)
        counts["count"].add_metric(labels, entry.statistics.inferences)
        counts["exec_count"].add_metric(labels, durations["compute_infer"].count)
        for key, family in times.items():
            family.add_metric(labels, durations[key].ns // 1000)
        pending.add_metric(labels, model.pending)
        ready.add_metric(labels, model.ready)
    yield from counts.values()
    yield from times.values()
    yield pending
    yield ready


def _cores(entries: list[Entry]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    labels = (*_LABELS, "core")
    busy = CounterMetricFamily("ez_rknn_core_busy_seconds", "Time that workers were occupied", labels=labels)
    queued = GaugeMetricFamily("ez_rknn_core_queued", "Tasks that wait for the core", labels=labels)
    for entry in entries:
        if entry.model is None:
            continue
        for core, stats in entry.model.session.stats.cores.items():
            of = (entry.file.name, entry.file.version, core)
            busy.add_metric(of, stats.busy_seconds)
            queued.add_metric(of, stats.queued)
    yield busy
    yield queued
