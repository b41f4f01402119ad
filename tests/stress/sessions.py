# SPDX-License-Identifier: Apache-2.0
"""The sessions of a round, shared by its threads, and values left for any thread."""

from __future__ import annotations

import collections
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ez_rknn_async import InferenceSession, OrtValue, RknnError

from .fate import Fate
from .ledger import Ledger, Task
from .order import Order
from .samples import DATA, Sample, Samples, samples_of
from .scenario import SAMPLES, Scenario

if TYPE_CHECKING:
    import random

MOST_KEPT = 24  # shared values; adding another drops the oldest
ATTEMPTS = 50  # to open a session whose runtime fails now and then


@dataclass
class Frames:
    """The frames under way in one session's pipeline. One thread at a time uses it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    tasks: collections.deque[Task] = field(default_factory=collections.deque)
    errors: list[BaseException] = field(default_factory=list)  # of frames that are not identified yet
    are_forgotten: bool = False  # the session is dropped with whatever is under way


@dataclass(eq=False)
class Handle:
    """One session, and what is known of it. Its tasks know only the fate: they do not keep the session alive."""

    session: InferenceSession
    samples: Samples
    fate: Fate
    ordered: bool
    order: Order = field(default_factory=Order)
    frames: Frames = field(default_factory=Frames)


@dataclass(eq=False)
class Kept:
    """Values that one thread created, and any other may read, bind or drop."""

    samples: Samples
    sample: Sample
    inputs: dict[str, OrtValue]
    outputs: list[OrtValue]


class Sessions:
    """The shared objects of the threads of a round.

    Attributes:
        longest: how many seconds reset() and set_providers() took at most.
    """

    def __init__(self, scenario: Scenario, ledger: Ledger) -> None:
        self.scenario, self.ledger = scenario, ledger
        self._lock = threading.Lock()  # guards the two below
        self._handles: list[Handle] = []
        self._kept: collections.deque[Kept] = collections.deque()
        self.longest: dict[str, float] = {}
        for model in scenario.models:
            self._handles.append(self.open(model))

    def handle(self, place: int) -> Handle:
        """Return the session that has this place at present."""
        with self._lock:
            return self._handles[place % len(self._handles)]

    def handles(self) -> list[Handle]:
        """Return all sessions that have a place."""
        with self._lock:
            return list(self._handles)

    def open(self, model: str) -> Handle:
        """Open a fresh session."""
        scenario = self.scenario
        fate = Fate(scenario.fails, scenario.is_limited, scenario.goes_by_copy)
        for _ in range(ATTEMPTS):
            try:
                session = InferenceSession(DATA / f"{model}.rknn", provider_options=self.options(scenario.options))
            except RknnError as error:
                if not fate.excuses(error):
                    raise
                self.ledger.count("open", type(error).__name__)
                continue
            self.ledger.count("open", "done")
            return Handle(session, samples_of(model, SAMPLES), fate, scenario.options["sequential_callbacks"])
        raise RuntimeError(f"no session could be opened in {ATTEMPTS} attempts")

    def options(self, variant: dict[str, Any]) -> dict[str, Any]:
        """Return provider options with the round's faults."""
        options = dict(variant)
        simulator: dict[str, Any] = {"timing": options.pop("timing")}
        if self.scenario.faults:
            simulator["fault"] = list(self.scenario.faults)
            # All sessions of the round count together, or the fault of one that is opened would recur in the next.
            simulator["counter"] = f"stress {self.scenario.seed} {self.scenario.number}"
        return {"runtime_library": "simulator", **options, "simulator": simulator}

    def replace(self, former: Handle) -> None:
        """Put a fresh session in the place of one that ends."""
        fresh = self.open(former.samples.model)
        with self._lock:
            self._handles[self._handles.index(former)] = fresh

    def keep(self, kept: Kept) -> None:
        """Share values with the other threads."""
        dropped: Kept | None = None
        with self._lock:
            self._kept.append(kept)
            if len(self._kept) > MOST_KEPT:
                dropped = self._kept.popleft()
        del dropped  # here, outside the lock, their memory is freed

    def take_kept(self) -> Kept | None:
        """Take shared values."""
        with self._lock:
            return self._kept.popleft() if self._kept else None

    def look_at_kept(self, draw: random.Random) -> Kept | None:
        """Return shared values, and leave them shared."""
        position = draw.random()
        with self._lock:
            return self._kept[int(position * len(self._kept))] if self._kept else None

    def took(self, what: str, seconds: float) -> None:
        """Note the duration of an exchange."""
        with self._lock:
            self.longest[what] = max(seconds, self.longest.get(what, 0.0))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            handles, self._handles = self._handles, []
            kept, self._kept = self._kept, collections.deque()
        handles.clear()
        kept.clear()
