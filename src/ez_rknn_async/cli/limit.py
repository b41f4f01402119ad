# SPDX-License-Identifier: Apache-2.0
"""The limit of a model's throughput, derived from the times of an inference's stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._messages.wording import option

if TYPE_CHECKING:
    from collections.abc import Mapping

# Above this share of a worker's time the NPU itself is the limit.
_NPU_BOUND = 0.9
# Above this share of a worker's own work, conversions are worth a mention.
_NOTICEABLE = 0.1


def limit(split_ms: Mapping[str, float], computing: float, threads_per_core: int) -> str:
    """Return a sentence on what limits the throughput, and what would raise it.

    Args:
        split_ms: mean milliseconds of each stage of an inference while every worker was kept busy, as
            :class:`.measurement.Measurement` has them.
        computing: the share of that time for which the workers' inferences were on the NPU.
        threads_per_core: the provider option in force.
    """
    if computing >= _NPU_BOUND:
        return f"Limited by the NPU: it was at work {computing:.0%} of the time."
    own = split_ms["input"] + split_ms["npu"] + split_ms["output"]
    converting = (
        {stage: split_ms[stage] / own for stage in ("input", "output")} if own else {"input": 0.0, "output": 0.0}
    )
    # Waiting in the queue means that there was always work for the workers.
    if split_ms["queue"] >= split_ms["npu"] / 2 and sum(converting.values()) >= _NOTICEABLE:
        advice = [_advice(stage) for stage, share in converting.items() if share >= _NOTICEABLE / 2]
        if threads_per_core == 1:
            advice.insert(0, f"{option('threads_per_core', 2)} converts the next inference while the NPU computes")
        shares = ", ".join(f"{stage} {share:.0%}" for stage, share in converting.items())
        return f"Limited by conversion ({shares} of each worker's time): {'; '.join(advice)}."
    if split_ms["callback"] >= own:
        return (
            f"Limited by the callbacks: results waited {split_ms['callback']:.3g} ms for the thread that delivers "
            "them. Do less in callbacks, or hand the results to a thread of your own."
        )
    return (
        f"Limited by this process: the NPU was at work {computing:.0%} of the time and workers waited for submissions. "
        "Submit from several threads, or give the interpreter less to do meanwhile."
    )


def _advice(stage: str) -> str:
    if stage == "output":
        return f"ask for {option('output_dtype', 'native')}, or for fewer outputs when compiling the model"
    return (
        f"feed uint8 images in NHWC order ({option('layout', 'nhwc')}) if the model takes pixels, and leave "
        f"{option('io_mode')} at 'auto'"
    )
