# SPDX-License-Identifier: Apache-2.0
"""The limit of a load: what held it back, and what would help.

Decided from figures alone, in this order: a rate that was kept up with has no limit; a slow core, the memory or a low
clock are kinds of an NPU that is always at work; where it is not, another program, too few requests, callbacks or
conversions may be the reason, and what is left is this program. Where this machine was too busy to tell, that is said
instead of a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..._messages.wording import option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .figures import Figures
    from .host import HostLoad

# Above this share of a worker's time the NPU itself is the limit.
_NPU_BOUND = 0.9
# Above this share there is no room for a higher rate, even if this one is just kept up with.
_FULL = 0.98
# Above this share of a worker's own work, conversions are worth a mention.
_NOTICEABLE = 0.1
# A core that takes this much longer than the quickest one is a slow one.
_SLOW_CORE = 1.25
# An NPU that takes this much longer while its cores are busy waits for memory.
_MEMORY_BOUND = 1.15
# Above this share of the time the thread that delivers results does nothing but run callbacks.
_CALLBACK_BOUND = 0.7
# Above this share of all processors there is nothing left for this program.
_PROCESSOR_BOUND = 0.9


@dataclass(frozen=True)
class Limit:
    """The limit of a load.

    Attributes:
        cause: one of ``"nothing"``, ``"npu"``, ``"slow core"``, ``"memory"``, ``"clock"``, ``"busy machine"``,
            ``"in flight"``, ``"callbacks"``, ``"conversion"``, ``"processor"``, ``"submission"``.
        text: a sentence, with what would help.
    """

    cause: str
    text: str


def diagnose(figures: Figures, threads_per_core: int = 1) -> Limit:
    """Return what limits the throughput, and what would raise it; ``threads_per_core`` is the option in force."""
    if not figures.runs:
        return Limit("nothing", "Nothing was measured.")
    if figures.offered is not None and figures.kept_up and figures.computing < _FULL:
        text = f"Not limited: it kept up with the rate, with the NPU at work {figures.computing:.0%} of the time."
        return Limit("nothing", text)
    # In the order of what is certain: an NPU that is always at work is the limit however busy the machine is.
    limit = _slow_core(figures) or _npu(figures) or _busy_machine(figures) or _in_flight(figures)
    limit = limit or _callbacks(figures) or _conversion(figures, threads_per_core) or _processor(figures.host)
    return limit or Limit(
        "submission",
        f"Limited by this process: the NPU was at work {figures.computing:.0%} of the time and workers waited for "
        "submissions. Submit from several threads, or give the interpreter less to do meanwhile.",
    )


def caveat(hosts: Iterable[HostLoad | None]) -> str:
    """Return a sentence where other programs may have changed figures that were measured; "" if not."""
    busy = [host for host in hosts if host is not None and host.is_too_busy]
    if not busy:
        return ""
    host = max(busy, key=lambda each: each.others)
    return (
        f"Other programs used up to {host.others:.0%} of this machine's processors, and this one had to wait: figures "
        "will differ from run to run."
    )


def _slow_core(figures: Figures) -> Limit | None:
    used = {name: core for name, core in figures.cores.items() if core.inferences}
    if len(used) < 2:
        return None
    slow = max(used, key=lambda name: used[name].mean_ms)
    others = [core for name, core in used.items() if name != slow]
    quick_ms, idle = min(core.mean_ms for core in others), 1 - min(core.busy for core in others)
    factor = used[slow].mean_ms / quick_ms if quick_ms else 0.0
    if factor < _SLOW_CORE or used[slow].busy < _NPU_BOUND or idle < 1 - _NPU_BOUND:
        return None
    fewer = ",".join(name for name in used if name != slow)
    return Limit(
        "slow core",
        f"Limited by core {slow}: an inference takes {used[slow].mean_ms:.3g} ms there and {quick_ms:.3g} ms on the "
        f"quickest core, which was idle {idle:.0%} of the time. Let idle cores take what comes next "
        f"({option('dispatch', 'least_loaded')}), or leave it out ({option('schedule', fewer)}).",
    )


def _npu(figures: Figures) -> Limit | None:
    if figures.computing < _NPU_BOUND or _wakes_late(figures):
        return None
    at_work = f"it was at work {figures.computing:.0%} of the time"
    host = figures.host
    if host is not None and host.clock is not None and host.clock.is_low:
        return _clock(host, at_work)
    busy_ms, alone_ms = figures.split_ms["npu"], figures.alone_ms
    sure = host is None or not host.is_too_busy  # or the wait may be for a processor
    if sure and len(figures.cores) > 1 and alone_ms and busy_ms >= _MEMORY_BOUND * alone_ms:
        return Limit(
            "memory",
            f"Limited by memory: an inference takes the NPU {busy_ms:.3g} ms with {len(figures.cores)} cores busy and "
            f"{alone_ms:.3g} ms with one, because they wait for each other's data. A smaller input, int8 instead of "
            "float16, or fewer cores.",
        )
    return Limit("npu", f"Limited by the NPU: {at_work}.")


def _wakes_late(figures: Figures) -> bool:
    """Check if the NPU's time is largely a thread's wait for a processor: it ends when that wakes up."""
    if figures.host is None or not figures.host.is_too_busy:
        return False
    waited_ms = 1e3 * figures.host.waited / max(figures.throughput, 1e-9)
    return waited_ms >= figures.split_ms["npu"] / 2


def _clock(host: HostLoad, at_work: str) -> Limit:
    clock = host.clock
    assert clock is not None
    speed = f"{clock.mhz} of {clock.highest_mhz} MHz"
    if host.cooled:
        hot = "" if host.celsius is None else f" at {host.celsius:.0f} degrees C"
        return Limit(
            "clock",
            f"Limited by heat: {at_work}, at {speed}; the kernel lowers the clock{hot}. Cool the board, or expect "
            "these figures in the long run.",
        )
    return Limit(
        "clock",
        f"Limited by the NPU's clock: {at_work}, at {speed} (governor {clock.governor}). `ezrknn doctor` says how to "
        "raise it.",
    )


def _busy_machine(figures: Figures) -> Limit | None:
    host = figures.host
    if host is None or not host.is_too_busy:
        return None
    return Limit(
        "busy machine",
        f"This machine is too busy to say: other programs used {host.others:.0%} of its processors, and threads of "
        f"this one waited {host.waited:.2g} s a second for one. Stop them, and measure again.",
    )


def _in_flight(figures: Figures) -> Limit | None:
    """More workers than requests under way: by Little's law for a rate, by what the load says otherwise."""
    if figures.in_flight is None or figures.in_flight >= figures.workers or figures.inferences > 1:
        return None
    own = _own(figures)
    # Where requests cannot even keep the workers busy that they could, more of them would not help either.
    if own * figures.runs / 1e3 < _CALLBACK_BOUND * figures.seconds * figures.in_flight:
        return None
    under_way = "1 request" if figures.in_flight == 1 else f"{figures.in_flight} requests"
    return Limit(
        "in flight",
        f"Limited by too few in flight: {under_way} under way for {figures.workers} workers. "
        f"Keep at least {figures.workers + 1} under way (--in-flight {figures.workers + 1}).",
    )


def _callbacks(figures: Figures) -> Limit | None:
    if figures.callback_busy < _CALLBACK_BOUND:
        return None
    return Limit(
        "callbacks",
        f"Limited by the callbacks: they took {figures.callback_busy:.0%} of the time. Do less in callbacks, or hand "
        "the results to a thread of your own.",
    )


def _conversion(figures: Figures, threads_per_core: int) -> Limit | None:
    split, own = figures.split_ms, _own(figures)
    if not own:
        return None
    converting = {stage: split[stage] / own for stage in ("input", "output")}
    # Workers that are occupied nearly all the time, or tasks that wait for them: there was always work.
    occupied = min((core.busy for core in figures.cores.values()), default=0.0)
    if (occupied < _NPU_BOUND and split["queue"] < split["npu"] / 2) or sum(converting.values()) < _NOTICEABLE:
        return None
    advice = [_advice(stage) for stage, share in converting.items() if share >= _NOTICEABLE / 2]
    if threads_per_core == 1:
        advice.insert(0, f"{option('threads_per_core', 2)} converts the next inference while the NPU computes")
    shares = ", ".join(f"{stage} {share:.0%}" for stage, share in converting.items())
    return Limit("conversion", f"Limited by conversion ({shares} of each worker's time): {'; '.join(advice)}.")


def _processor(host: HostLoad | None) -> Limit | None:
    if host is None or host.own < _PROCESSOR_BOUND:
        return None
    return Limit(
        "processor",
        f"Limited by this machine's processor: this program used {host.own:.0%} of it. Do less in Python between "
        "inferences, or use several processes.",
    )


def _own(figures: Figures) -> float:
    split = figures.split_ms
    return split["input"] + split["npu"] + split["output"]


def _advice(stage: str) -> str:
    if stage == "output":
        return f"ask for {option('output_dtype', 'native')}, or for fewer outputs when compiling the model"
    return (
        f"feed uint8 images in NHWC order ({option('layout', 'nhwc')}) if the model takes pixels, and leave "
        f"{option('io_mode')} at 'auto'"
    )
