# SPDX-License-Identifier: Apache-2.0
"""Public measurements of RK3588 beside what is modelled: whole systems are simulated, in virtual time.

It prints a table of ``docs/explanation/timing.md``; a test holds the page to it. Needs the package and numpy::

    python tools/timing/public_report.py

Each row says whether a constant was fitted to it. Where a measurement has work of the processor in it that nobody
published, the model has none: there it is too quick by as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ez_rknn_async._options.provider_options import ProviderOptions
from ez_rknn_async.planning import Board, ClosedLoop, Model, Requests, System, Times, simulate
from model import constants_in_use, milliseconds, networks

ONE, THREE, TOGETHER = {"schedule": [0]}, {"schedule": [0, 1, 2]}, {"tp_mode": "0,1,2"}
RATE, LATENCY = "frames/s", "ms"
HANNAH, JAS, FRIGATE = "hannahrepo/rk3588-npu#2", "jas-hacks, SDK 1.5.0", "frigate#8382"


@dataclass(frozen=True)
class Measurement:
    """One public figure.

    Attributes:
        what: was measured.
        network: ours that is alike.
        options: of the session that does the same.
        published: the figure.
        unit: of it.
        source: of it.
        kind: ``"fitted"``, if a constant was fitted to it; ``"ratio fitted"``, if one was to its ratio to another; else
            ``"held out"``, or ``"not alike"`` where more was measured than is modelled.
    """

    what: str
    network: str
    options: dict[str, Any]
    published: float
    unit: str
    source: str
    kind: str


MEASUREMENTS = (
    Measurement("three threads, one a core", "yolov5s_relu", THREE, 173.57, RATE, HANNAH, "held out"),
    Measurement(
        "six threads, two a core", "yolov5s_relu", {**THREE, "threads_per_core": 2}, 177.10, RATE,
        HANNAH, "fitted",
    ),
    Measurement(
        "twelve threads, four a core", "yolov5s_relu", {**THREE, "threads_per_core": 4}, 176.86, RATE,
        HANNAH, "held out",
    ),
    Measurement("three cores, one inference each", "yolov5s_relu", THREE, 3 * 53.1, RATE, JAS, "ratio fitted"),
    Measurement("three cores together", "yolov5s_relu", TOGETHER, 101.4, RATE, JAS, "ratio fitted"),
    Measurement("three detectors", "yolov8m", THREE, 45, RATE, FRIGATE, "held out"),
    Measurement("one detector", "yolov8m", ONE, 60, LATENCY, FRIGATE, "held out"),
    Measurement("three cores together", "yolov8m", TOGETHER, 60, LATENCY, FRIGATE, "held out"),
    Measurement("rknn_run", "mobilenet_v2", ONE, 2.65, LATENCY, "rknn_model_zoo#167", "held out"),
    Measurement("rknn_run", "yolov5s_relu", ONE, 17.49, LATENCY, "rknn_model_zoo#167", "held out"),
    Measurement("rknn_benchmark, one core", "yolov5s", ONE, 27.5, LATENCY, "rknn-toolkit2#129", "not alike"),
    Measurement("RKNNLite, median", "yolov8n", ONE, 19.8, LATENCY, "rknn-toolkit2#42", "not alike"),
    Measurement("one thread around a video", "yolov5s_relu", ONE, 41.6, RATE, "leafqycc, C++", "not alike"),
    Measurement(
        "twelve threads around a video", "yolov5s_relu", {**THREE, "threads_per_core": 4}, 140.9, RATE,
        "leafqycc, C++", "not alike",
    ),
)  # fmt: skip


def simulated(measurement: Measurement) -> float:
    """Return the model's figure: the rate with full queues, or the median of single runs."""
    network, constants = networks("rk3588")[measurement.network], constants_in_use()["rk3588"]
    times = Times(
        tuple(
            tuple(round(1e6 * milliseconds(network, constants, together, max(together, busy))) for busy in (1, 2, 3))
            for together in (1, 2, 3)
        )
    )
    load = ClosedLoop(None if measurement.unit == RATE else 1)
    model = Model(measurement.network, times, load, ProviderOptions.parse(measurement.options))
    result = simulate(System(Board("rk3588"), (model,), 20_000_000_000))
    requests: Requests = result.requests[0]
    return result.throughput(requests) if measurement.unit == RATE else requests.percentile_ms(50)


def report() -> str:
    """Return the table, as Markdown."""
    lines = [
        "| measured | network | | published | modelled | error of the time | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in MEASUREMENTS:
        ours = simulated(each)
        # Of a rate, the time is its inverse: positive means too slow, as everywhere on the page.
        error = each.published / ours - 1 if each.unit == RATE else ours / each.published - 1
        lines.append(
            f"| {each.what} | {each.network} | {each.kind} | {each.published:.4g} {each.unit} | {ours:.4g} {each.unit} "
            f"| {error:+.0%} | {each.source} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
