# SPDX-License-Identifier: Apache-2.0
"""The cost of a call beside what it must cost: CPU time of all threads, in ratio to an anchor of the same run.

Anchors are ONNX Runtime's ``run`` of an Identity model of the same shape, and a warm memcpy of a large input. Anchor
and subject alternate in short blocks, so that the noise of a shared machine meets both; a figure is the median of the
blocks' ratios. Time on the NPU is none, and the tensors of the small model are so small that converting them costs
nothing: what remains is the call.
"""

from __future__ import annotations

import resource
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import modes
import numpy as np
from rig import CORES, IMAGE, TINY, feed_of, session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BLOCKS = 40
# Calls in a block; a multiple of the coroutines of modes.asyncio_.
CALLS, LARGE_CALLS = 300, 48

LOOPS: dict[str, modes.Loop] = {
    "run": modes.run,
    "run_async": modes.run_async,
    "submit": modes.submit,
    "map": modes.map_,
    "asyncio": modes.asyncio_stream,
}


@dataclass(frozen=True)
class Spent:
    """What a number of calls cost, each: CPU microseconds of the process, and context switches of its threads."""

    microseconds: float
    switches: float


def spent(block: Callable[[], object], calls: int) -> Spent:
    """Measure a block of calls."""
    before, cpu = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
    block()
    cpu = time.process_time() - cpu
    after = resource.getrusage(resource.RUSAGE_SELF)
    switches = after.ru_nvcsw - before.ru_nvcsw + after.ru_nivcsw - before.ru_nivcsw
    return Spent(1e6 * cpu / calls, switches / calls)


def identity(feed: Mapping[str, Any]) -> Callable[[], None]:
    """Return a block of ``run`` calls of ONNX Runtime, of a model that hands such a feed through."""
    import onnxruntime
    from onnx import TensorProto, helper

    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in feed.items()]
    outputs = [helper.make_tensor_value_info(f"{info.name}_out", TensorProto.FLOAT, None) for info in infos]
    nodes = [helper.make_node("Identity", [i.name], [o.name]) for i, o in zip(infos, outputs)]
    model = helper.make_model(
        helper.make_graph(nodes, "identity", infos, outputs), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    opened = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def block() -> None:
        for _ in range(CALLS):
            opened.run(None, feed)

    return block


def calls() -> dict[str, tuple[float, Spent]]:
    """Return, for each way to run the small model, its cost as a multiple of the anchor's, and in itself."""
    with session(TINY, 0, (0,)) as opened:
        feed = feed_of(opened)
        anchor = identity(feed)
        figures = {}
        for name, loop in LOOPS.items():
            taken = list(_alternating(anchor, lambda loop=loop: loop(opened, feed, CALLS), CALLS))  # type: ignore[misc]
            ratio = statistics.median(subject.microseconds / a.microseconds for a, subject in taken)
            figures[name] = ratio, _median([subject for _, subject in taken])
    return figures


def copy_beyond_run(tiny_difference: float) -> float:
    """Return what ``run_async`` of 600 kB costs beyond ``run()`` of it, by the cost of a warm memcpy of the input.

    Args:
        tiny_difference: the same difference with tiny tensors, in microseconds, which is not the copy's.
    """
    with session(IMAGE, 0, (0,)) as opened:
        feed = feed_of(opened)
        (source,) = feed.values()
        target = np.empty_like(source)

        def copies() -> None:
            for _ in range(LARGE_CALLS):
                np.copyto(target, source)

        costs = []
        for _ in range(BLOCKS):
            copied = spent(copies, LARGE_CALLS)
            blocking = spent(lambda: modes.run(opened, feed, LARGE_CALLS), LARGE_CALLS)
            queued = spent(lambda: modes.run_async(opened, feed, LARGE_CALLS), LARGE_CALLS)
            costs.append((queued.microseconds - blocking.microseconds - tiny_difference) / copied.microseconds)
    return statistics.median(costs)


def switches_of_a_busy_stream() -> float:
    """Return the context switches of an inference while three cores of 300 µs are kept busy by ``run_async``."""
    with session(IMAGE, 300, CORES) as opened:
        feed = feed_of(opened)
        runs = 480
        modes.run_async(opened, feed, runs)
        return statistics.median(spent(lambda: modes.run_async(opened, feed, runs), runs).switches for _ in range(7))


def _alternating(
    anchor: Callable[[], object], subject: Callable[[], object], number: int
) -> Iterator[tuple[Spent, Spent]]:
    anchor()
    subject()
    for _ in range(BLOCKS):
        yield spent(anchor, number), spent(subject, number)


def _median(taken: list[Spent]) -> Spent:
    return Spent(
        statistics.median(each.microseconds for each in taken), statistics.median(each.switches for each in taken)
    )


def main() -> None:
    """Print the figures."""
    figures = calls()
    for name, (ratio, each) in figures.items():
        print(f"{name:10} {ratio:6.2f} x Identity  {each.microseconds:6.1f} µs  {each.switches:5.2f} switches")
    beyond = figures["run_async"][1].microseconds - figures["run"][1].microseconds
    print(f"run_async of 600 kB beyond run(): {copy_beyond_run(beyond):.2f} x memcpy")
    print(f"busy stream: {switches_of_a_busy_stream():.2f} context switches an inference")


if __name__ == "__main__":
    main()
