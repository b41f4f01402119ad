# SPDX-License-Identifier: Apache-2.0
"""The counts that the protocol's statistics and the metrics show of one model."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._observing.stats import SessionStats

# The protocol's stages, by the session's.
_STAGES = {"compute_input": "input", "compute_infer": "npu", "compute_output": "output"}


@dataclass
class Duration:
    """How often something happened, and how long it took altogether."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int, count: int = 1) -> None:
        """Add what took ``ns`` nanoseconds."""
        self.count += count
        self.ns += ns


@dataclass
class ModelStatistics:
    """The counts of one model, over all its sessions. Thread-safe."""

    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    inferences: int = 0
    last_ms: int = 0
    _earlier: dict[str, Duration] = field(default_factory=lambda: {name: Duration() for name in _STAGES})
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards the counts

    def answered(self, samples: int, offered_ns: int, started_ns: int, *, failed: bool) -> None:
        """Count a request that has just been answered."""
        now = time.perf_counter_ns()
        with self._lock:
            (self.fail if failed else self.success).add(now - offered_ns)
            self.queue.add((started_ns or now) - offered_ns)
            self.last_ms = int(time.time() * 1000)
            if not failed:
                self.inferences += samples

    def session_ended(self, stats: SessionStats) -> None:
        """Keep the stages of a session whose own counts end."""
        with self._lock:
            for name, duration in _stages(stats).items():
                self._earlier[name].add(duration.ns, duration.count)

    def read(self, stats: SessionStats) -> dict[str, Duration]:
        """Return the durations by the protocol's names; ``stats`` is the present session's."""
        with self._lock:
            counted = {
                name: Duration(duration.count + self._earlier[name].count, duration.ns + self._earlier[name].ns)
                for name, duration in _stages(stats).items()
            }
            own = {"success": self.success, "fail": self.fail, "queue": self.queue}
            return {**{name: Duration(d.count, d.ns) for name, d in own.items()}, **counted}


def as_protocol(name: str, version: str, statistics: ModelStatistics, stats: SessionStats) -> dict[str, Any]:
    """Return an entry of ``model_stats``."""
    durations = {key: vars(duration) for key, duration in statistics.read(stats).items()}
    nothing = {"count": 0, "ns": 0}
    return {
        "name": name,
        "version": version,
        "last_inference": statistics.last_ms,
        "inference_count": statistics.inferences,
        "execution_count": durations["compute_infer"]["count"],
        "inference_stats": {**durations, "cache_hit": nothing, "cache_miss": nothing},
        "batch_stats": [],
    }


def _stages(stats: SessionStats) -> dict[str, Duration]:
    found = {name: stats.latency[stage] for name, stage in _STAGES.items()}
    return {name: Duration(latency.count, int(latency.count * latency.mean * 1e6)) for name, latency in found.items()}
