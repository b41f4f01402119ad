# SPDX-License-Identifier: Apache-2.0
"""The plan that schedule and tp_mode make on each SoC."""

from __future__ import annotations

import pytest

from ez_rknn_async._options.plan import Plan, plan
from ez_rknn_async._options.provider_options import ProviderOptions
from ez_rknn_async._options.soc import soc


def plan_for(name: str, **options: object) -> Plan:
    return plan(ProviderOptions.parse(options), soc(name))


def masks(made: Plan) -> list[int | None]:
    return [worker.core_mask for worker in made.workers]


def test_each_core_of_a_schedule_gets_a_group_and_a_mask() -> None:
    """A core named twice gets twice the tasks, not a second thread."""
    made = plan_for("rk3588", schedule=[2, 0, 0, 1])
    assert made.groups == ("0", "1", "2")
    assert masks(made) == [1, 2, 4]
    assert made.routes == (2, 0, 0, 1)


def test_threads_per_core_multiplies_the_workers() -> None:
    """Each thread has its own context on the same core."""
    made = plan_for("rk3588", schedule=[0, 1], threads_per_core=2)
    assert [(w.group, w.core_mask) for w in made.workers] == [(0, 1), (1, 2), (0, 1), (1, 2)]


@pytest.mark.parametrize(("name", "cores"), [("rk3588", 3), ("rk3576", 2), ("rk3566", 1), ("rk3562", 1)])
def test_schedule_all_is_every_core_of_the_soc(name: str, cores: int) -> None:
    """This one value is right on every board."""
    assert plan_for(name, schedule="all").routes == tuple(range(cores))


@pytest.mark.parametrize(
    ("mode", "mask"), [("auto", 0), ("0", 1), ("1", 2), ("2", 4), ("0,1", 3), ("0,1,2", 7), ("all", 7)]
)
def test_tp_mode_is_one_group_with_the_mask_of_its_cores(mode: str, mask: int) -> None:
    """All contexts work on the same cores, so there is one queue."""
    made = plan_for("rk3588", tp_mode=mode, threads_per_core=2)
    assert masks(made) == [mask, mask]
    assert made.routes == (0,)


def test_no_option_means_tp_mode_auto() -> None:
    """The documentation says so."""
    assert plan_for("rk3588") == plan_for("rk3588", tp_mode="auto")


@pytest.mark.parametrize("options", [{}, {"schedule": 0}, {"tp_mode": "all"}, {"tp_mode": "0"}, {"schedule": "all"}])
def test_a_single_core_soc_never_gets_a_mask(options: dict[str, object]) -> None:
    """Its rknn_set_core_mask always fails."""
    assert masks(plan_for("rk3566", **options)) == [None]


@pytest.mark.parametrize(
    ("name", "options", "cores"),
    [
        ("rk3588", {"schedule": [0, 3]}, "cores 0 to 2"),
        ("rk3588", {"schedule": [32]}, "cores 0 to 2"),
        ("rk3576", {"schedule": [0, 1, 2]}, "cores 0 to 1"),
        ("rk3566", {"schedule": [0, 1]}, "core 0 only"),
        ("rk3576", {"tp_mode": "0,1,2"}, "cores 0 to 1"),
        ("rk3576", {"tp_mode": "2"}, "cores 0 to 1"),
        ("rk3566", {"tp_mode": "0,1"}, "core 0 only"),
    ],
)
def test_refuses_a_core_that_the_soc_lacks_and_lists_its_cores(
    name: str, options: dict[str, object], cores: str
) -> None:
    """The library that this one replaces hung or aborted here."""
    with pytest.raises(ValueError, match=f"{name} has {cores}"):
        plan_for(name, **options)
