# SPDX-License-Identifier: Apache-2.0
"""Figures by a live measurement: sessions are opened, and a load is offered to each of them at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ..._options.run_options import DISPATCH_BATCH
from ..._runtime.locate import locate
from ...errors import RknnError
from ...session import InferenceSession
from .figures import STAGES, CoreUse, Figures
from .host import HostWatch
from .inputs import bench_feeds, inferences_in
from .pacer import Pacer
from .ways import offer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from ..._observing.stats import SessionStats
    from ..._runtime.library import Library
    from .host import HostLoad
    from .load import Load

    Progress = Callable[[float], None]

_ALONE_RUNS = 8  # at most so many warm-up runs, the last ones, tell the NPU's time when nothing else runs


@dataclass(frozen=True)
class Subject:
    """A session that is measured, with the feeds that it is given in turn."""

    session: InferenceSession
    feeds: Sequence[Mapping[str, Any]]
    inferences: int = 1  # in each feed


def measure(
    subjects: Sequence[Subject], load: Load, progress: Progress, library: Library | None = None
) -> list[Figures]:
    """Offer the load to every session at once, and return the figures of each; ``library`` is their runtime.

    Ctrl-C ends the measurement early: what was measured until then is returned.

    Raises:
        RknnError: an inference failed.
    """
    alone = [_warm_up(subject, load) for subject in subjects]
    pacers = [Pacer(load, progress if number == 0 else _ignore) for number in range(len(subjects))]
    before = [subject.session.stats for subject in subjects]
    watch = HostWatch(device=_device_process(library))
    with _interrupting(pacers):
        _offer_to_all(subjects, pacers, load)
    host = watch.read(sum(pacer.ended_threads_waited() for pacer in pacers))
    return [
        _figures(subject, load, pacer, earlier, time_alone, host)
        for subject, pacer, earlier, time_alone in zip(subjects, pacers, before, alone)
    ]


def _device_process(library: Library | None) -> int:
    """Return the process that computes for a simulated NPU; 0 if there is none."""
    name = "ez_rknn_simulator_device_pid"
    return int(library.function(name)()) if library is not None and library.has(name) else 0


def _ignore(_share: float) -> None:
    pass


def _warm_up(subject: Subject, load: Load) -> float | None:
    """Run the model a few times, and return the NPU's mean milliseconds meanwhile."""
    session, feeds = subject.session, subject.feeds
    single = Subject(session, feeds[:1], subject.inferences)
    cold = max(load.warmup - _ALONE_RUNS, min(1, load.warmup))
    before = session.stats
    for number in range(load.warmup):
        if number == cold:
            before = session.stats
        _run_once(single, load)
    return _means(before, session.stats)["npu"] if load.warmup > 1 and subject.inferences == 1 else None


def _run_once(subject: Subject, load: Load) -> None:
    subject.session.run(None, subject.feeds[0], {DISPATCH_BATCH: True} if load.batch is not None else None)


def _offer_to_all(subjects: Sequence[Subject], pacers: Sequence[Pacer], load: Load) -> None:
    jobs = [
        (subject.session, subject.feeds, pacer, load, workers_of(subject.session))
        for subject, pacer in zip(subjects, pacers)
    ]
    threads = [threading.Thread(target=offer, args=job, daemon=True) for job in jobs[1:]]
    for thread in threads:
        thread.start()
    offer(*jobs[0])
    for thread in threads:
        thread.join()


@contextlib.contextmanager
def _interrupting(pacers: Sequence[Pacer]) -> Iterator[None]:
    """Let Ctrl-C end the loads inside the ``with`` block; a second one ends the program as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for pacer in pacers:
            pacer.interrupt()

    former = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def _figures(
    subject: Subject, load: Load, pacer: Pacer, before: SessionStats, alone_ms: float | None, host: HostLoad
) -> Figures:
    due, finished, in_callbacks = pacer.times()
    errors = pacer.errors()
    if errors:
        raise RknnError(f"{len(errors)} of {len(finished) + 1} inferences failed; the first: {errors[0]}")
    after = subject.session.stats
    seconds = float(finished.max()) if len(finished) else 0.0
    split = _means(before, after)
    total = split.pop("total")
    # Of a batch the samples overlap, so their means say nothing about the time that is left over.
    split["callback"] = max(0.0, pacer.mean_under_way_ms() - total) if subject.inferences == 1 else 0.0
    workers = workers_of(subject.session)
    return Figures(
        due=due,
        finished=finished,
        inferences=subject.inferences,
        offered=load.rate,
        in_flight=load.in_flight,
        split_ms={stage: split[stage] for stage in STAGES},
        alone_ms=alone_ms,
        cores=_cores(before, after, seconds, workers),
        workers=workers,
        callback_busy=in_callbacks / seconds if seconds else 0.0,
        host=host,
        interrupted=pacer.interrupted,
    )


def workers_of(session: InferenceSession) -> int:
    """Return the number of a session's worker threads."""
    (options,) = session.get_provider_options().values()
    per_core: int = options["threads_per_core"]
    return per_core * len(session.stats.cores)


def _cores(before: SessionStats, after: SessionStats, seconds: float, workers: int) -> dict[str, CoreUse]:
    per_core = workers // len(after.cores)
    return {
        name: _core(
            core.completed - before.cores[name].completed,
            core.busy_seconds - before.cores[name].busy_seconds,
            seconds * per_core,
        )
        for name, core in after.cores.items()
    }


def _core(inferences: int, busy: float, seconds: float) -> CoreUse:
    share = min(1.0, busy / seconds) if seconds else 0.0
    return CoreUse(inferences, share, 1e3 * busy / inferences if inferences else 0.0)


def _means(before: SessionStats, after: SessionStats) -> dict[str, float]:
    """Return the mean of each stage between two snapshots, in milliseconds."""
    means = {}
    for stage, latency in after.latency.items():
        earlier = before.latency[stage]
        runs = latency.count - earlier.count
        means[stage] = (latency.mean * latency.count - earlier.mean * earlier.count) / max(runs, 1)
    return means


class LiveModels:
    """Sessions of all models in one mode; see :class:`.rows.Opened`."""

    def __init__(
        self, mode: str, threads_per_core: int, names: Sequence[str], subjects: Sequence[Subject], library: Library
    ) -> None:
        """Use :meth:`open`."""
        self.mode = mode
        self.threads_per_core = threads_per_core
        self.names = names
        self._subjects = subjects
        self._library = library

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, arguments: argparse.Namespace, sources: Sequence[Any], options: dict[str, Any]
    ) -> Iterator[LiveModels]:
        """Open a session for each model (a ``ModelSource``); they are closed after the ``with`` block."""
        with contextlib.ExitStack() as stack:
            subjects = []
            for source in sources:
                session = stack.enter_context(InferenceSession(source, provider_options=options))
                feeds = bench_feeds(arguments, session.get_inputs(), session.get_modelmeta().custom_metadata_map)
                subjects.append(Subject(session, feeds, inferences_in(feeds[0], session.get_inputs())))
            library = locate(arguments.runtime_library).library
            yield cls(label(options), options.get("threads_per_core", 1), names_of(sources), subjects, library)

    def measure(self, load: Load, progress: Progress) -> list[Figures]:
        """Offer the load to every model at once."""
        return measure(self._subjects, load, progress, self._library)


def label(options: Mapping[str, Any]) -> str:
    """Return the mode that provider options are: ``"schedule=0,1"``."""
    threads = f", {options['threads_per_core']} threads a core" if options.get("threads_per_core", 1) != 1 else ""
    if "schedule" in options:
        return f"schedule={options['schedule']}{threads}"
    return f"tp_mode={options.get('tp_mode', 'auto')}{threads}"


def names_of(sources: Sequence[Any]) -> list[str]:
    """Return a name for each model: its file's, with a number where several have the same."""
    names = [Path(str(source.name)).name for source in sources]
    return [f"{name} #{names[: i + 1].count(name)}" if names.count(name) > 1 else name for i, name in enumerate(names)]
