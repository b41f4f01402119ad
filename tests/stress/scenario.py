# SPDX-License-Identifier: Apache-2.0
"""The definition of one round, drawn from the seed.

A *profile* is a theme: the frequent operations, and the faults. Rounds take the profiles in turn, so that a short run
meets each; everything else about a round is drawn by a generator that is seeded with the seed and the number of the
round. So a round can be repeated without those before it. The operating system's scheduler makes it differ every time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

MODELS = (
    "tiny_conv_int8",
    "tiny_conv_fp16",
    "mean_std_int8",
    "two_inputs_fp16",
    "dynamic_fp16",
    "fused_int8",
    "attention_int8",
)
SAMPLES = 300  # of each kind and model

RUNS = {"run": 12, "batch": 3, "run_async": 8, "submit": 8, "map": 4, "awaitable": 4, "map_awaitable": 3, "pipeline": 6}
BINDINGS = {"binding_run": 5, "binding_submit": 4, "binding_async": 4, "binding_awaitable": 2, "binding_kept": 6}
VALUES = {"value_shared": 3, "value_read": 3, "value_drop": 4, "value_cycle": 2, "collect": 1}
EXCHANGES = {"reset": 1, "set_providers": 1}
ENDINGS = {"close": 1, "close_cancel": 1, "with": 1, "drop": 1, "drop_cycle": 1, "close_in_callback": 1}
LOOKS = {"look": 2}

# A fault of the NPU that ends: it widens the windows of races, and nothing fails.
DELAYS = (
    "rknn_init#every2:delay=3000",
    "rknn_destroy#every3:delay=3000",
    "rknn_run#every5:delay=4000",
    "rknn_destroy_mem:delay=1000",
)


@dataclass(frozen=True)
class Profile:
    """A theme of rounds.

    Attributes:
        weights: the frequency of each operation.
        faults: a round has any number of these.
        always: faults that each round has.
        fails: True if runtime calls fail by them.
        limits: options that make waiting end early.
        models: the number of sessions at once.
    """

    weights: dict[str, int]
    faults: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    fails: bool = False
    limits: dict[str, Any] = field(default_factory=dict)
    models: int = 2


def _times(factor: int, weights: dict[str, int]) -> dict[str, int]:
    return {name: factor * weight for name, weight in weights.items()}


_ALL = {**RUNS, **BINDINGS, **VALUES, **EXCHANGES, **ENDINGS, **LOOKS}
_FAILING = (
    "rknn_run#every7:fail=-1",
    "rknn_run@core1#every3:fail=-3",
    "rknn_set_io_mem#every31:fail=-1",
    "rknn_create_mem2#every41:fail=-4",
    "rknn_create_mem_from_fd#every43:fail=-1",
    "rknn_init#every17:fail=-4",
    "rknn_dup_context#every19:fail=-4",
)

PROFILES: dict[str, Profile] = {
    "first use": Profile({**_times(3, RUNS), **_times(6, EXCHANGES), **_times(3, ENDINGS)}, DELAYS, models=1),
    "bindings": Profile({**_times(3, BINDINGS), **_times(2, VALUES), **_times(2, EXCHANGES)}, DELAYS, models=1),
    "everything": Profile(_ALL, DELAYS),
    "endings": Profile({**_ALL, **_times(8, ENDINGS)}, DELAYS),
    "limits": Profile(_ALL, DELAYS, fails=False, limits={"submit_timeout_ms": 15, "max_queue_size": 1}),
    "failures": Profile(_ALL, _FAILING, fails=True),
    "hangs": Profile(
        _ALL, DELAYS, ("rknn_run#every12:hang",), fails=True, limits={"run_timeout_ms": 150, "load_timeout_ms": 20_000}
    ),
    "loss": Profile({**_ALL, "recover": 12}, (), ("rknn_run#60:lose",), fails=True),
}


@dataclass(frozen=True)
class Scenario:
    """One round.

    Attributes:
        seed, number: the seed, and the number of the round.
        profile: the name of its theme.
        models: the sessions' models, one for each session.
        options: the options of all sessions.
        variants: options that ``set_providers()`` chooses from.
        faults: the faults of the simulated NPU.
        threads: the number of threads that do operations.
        operations: the number of operations of each thread.
        jitter: the share of the package's lines at which a thread pauses.
    """

    seed: int
    number: int
    profile: str
    models: tuple[str, ...]
    options: dict[str, Any]
    variants: tuple[dict[str, Any], ...]
    faults: tuple[str, ...]
    threads: int
    operations: int
    jitter: float

    @property
    def weights(self) -> dict[str, int]:
        """The frequency of each operation."""
        return PROFILES[self.profile].weights

    @property
    def fails(self) -> bool:
        """True if runtime calls fail by injected faults."""
        return PROFILES[self.profile].fails

    @property
    def is_limited(self) -> bool:
        """True if waiting may end early."""
        return bool(PROFILES[self.profile].limits)

    @property
    def goes_by_copy(self) -> bool:
        """True if tensors are copied at times."""
        return any(options.get("io_mode") == "copy" for options in self.variants)

    def generator(self, who: str) -> random.Random:
        """Return the random numbers of one thread of this round."""
        return random.Random(f"{self.seed}/{self.number}/{who}")

    def __str__(self) -> str:
        return f"seed {self.seed}, round {self.number} ({self.profile}: {', '.join(self.models)})"


def scenario(seed: int, number: int, profiles: tuple[str, ...] = tuple(PROFILES)) -> Scenario:
    """Return the round of that number."""
    name = profiles[number % len(profiles)]
    profile, draw = PROFILES[name], random.Random(f"{seed}/{number}")
    options = _options(draw, profile)
    faults = (*profile.always, *(fault for fault in profile.faults if draw.random() < 0.4))
    return Scenario(
        seed,
        number,
        name,
        models=tuple(draw.choices(MODELS, k=profile.models)),
        options=options,
        variants=(options, *(_variant(draw, options) for _ in range(2))),
        faults=faults,
        threads=draw.choice((6, 8, 12)),
        operations=draw.choice((20, 40)),
        jitter=draw.choice((0.0, 0.005, 0.02)),
    )


def _options(draw: random.Random, profile: Profile) -> dict[str, Any]:
    return {
        **_cores(draw),
        "max_queue_size": draw.choice((1, 3, 10)),
        "submit_timeout_ms": 60_000,
        "sequential_callbacks": draw.random() < 0.8,
        "dispatch": draw.choice(("modulo", "least_loaded")),
        "disable_dup_context": draw.random() < 0.2,
        "timing": draw.choice(("off", "off", "fixed:500", "fixed:2000")),
        **profile.limits,
    }


def _variant(draw: random.Random, options: dict[str, Any]) -> dict[str, Any]:
    """Return other options that keep every promise made to accepted tasks."""
    kept = {name: value for name, value in options.items() if name not in ("schedule", "tp_mode", "threads_per_core")}
    copying = {"io_mode": "copy"} if draw.random() < 0.15 else {}
    return {**kept, **_cores(draw), **copying, "max_queue_size": draw.choice((1, 3, 10))}


def _cores(draw: random.Random) -> dict[str, Any]:
    if draw.random() < 0.2:
        return {"tp_mode": draw.choice(("auto", "0,1", "0,1,2"))}
    return {"schedule": draw.choice(([0], [0, 1], [0, 1, 2], [2, 0])), "threads_per_core": draw.choice((1, 1, 2))}
