# SPDX-License-Identifier: Apache-2.0
"""Plans: what a file may say, what becomes of it, and the search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import RknnError, RknnTypeError, RknnValueError
from ez_rknn_async.planning import Arrivals, boards_needed, evaluate, read_plan, search
from ez_rknn_async.planning.arrivals import Cameras, Rate, Trace

SECOND = 1_000_000_000
DETECTOR = {"name": "detector", "npu_ms": 20, "schedule": "all", "cameras": {"fps": 15, "count": 6}, "deadline_ms": 60}


def plan(*models: dict[str, Any], **others: Any) -> dict[str, Any]:
    """A plan as TOML would make it."""
    return {"soc": "rk3588", "model": list(models), **others}


def test_a_file_and_a_dictionary_say_the_same(data: Path, tmp_path: Path) -> None:
    """Paths in a file are relative to it."""
    (tmp_path / "m.rknn").write_bytes((data / "block_int8.rknn").read_bytes())
    (tmp_path / "times.csv").write_text("# seconds\n0.5, first\n0.25\n")
    (tmp_path / "plan.toml").write_text(
        'soc = "rk3588"\nslowdown = { 1 = 2 }\n[[model]]\nfile = "m.rknn"\nschedule = [0, 1]\ntrace = "times.csv"\n'
    )
    read = read_plan(tmp_path / "plan.toml")
    file = {"file": str(tmp_path / "m.rknn"), "schedule": [0, 1], "trace": str(tmp_path / "times.csv")}
    assert read == read_plan(plan(file, slowdown={1: 2}))
    assert read.models[0].name == "m"
    assert read.models[0].arrivals == Trace((SECOND // 4, SECOND // 2))


def test_the_soc_is_that_of_the_models(data: Path) -> None:
    """Unless the plan says another."""
    file = {"file": str(data / "block_int8.rknn"), "in_flight": 1}
    assert read_plan({"model": [file]}).board.soc == "rk3588"


WRONG = [
    ({}, "needs at least one model"),
    (plan({**DETECTOR, "deadline": 3}), "'deadline' is no key of a model; did you mean 'deadline_ms'"),
    (plan(DETECTOR, duration=3), "'duration' is no key of a plan"),
    (plan(DETECTOR, soc="rk9"), "soc = 'rk9' is not one of rk3588"),
    (plan(DETECTOR, seconds=0), "seconds = 0 is not above 0"),
    (plan(DETECTOR, seconds=float("nan")), "seconds = nan"),
    (plan(DETECTOR, seed=1.5), "seed = 1.5 is not a whole number"),
    (plan(DETECTOR, priorities=1), "priorities = 1 is neither true nor false"),
    (plan(DETECTOR, slowdown=[2]), "slowdown takes a factor for each slow core"),
    (plan(DETECTOR, slowdown={0: 0.5}), "slowdown 0:0.5 is not possible"),
    (plan(DETECTOR, DETECTOR), "two models of the plan are called 'detector'"),
    (plan({**DETECTOR, "schedule": [3]}), "names core 3, but rk3588 has cores 0 to 2"),
    (plan({**DETECTOR, "tp_mode": "0,1"}), "model 'detector': schedule = 'all' and tp_mode = '0,1' are both set"),
    (plan({**DETECTOR, "file": "x.rknn"}), "give either the model's file, or the npu_ms"),
    (plan({**DETECTOR, "rate": 3}), "say once when requests come"),
    (plan({**DETECTOR, "npu_ms": 0}), "npu_ms = 0 is not above 0"),
    (plan({**DETECTOR, "npu_ms": True}), "npu_ms = True is not a number"),
    (plan({**DETECTOR, "input_ms": -1}), "input_ms = -1"),
    (plan({**DETECTOR, "cameras": 3}), "cameras takes their fps"),
    (plan({**DETECTOR, "cameras": {"fps": 1, "counts": 3}}), "did you mean 'count'"),
    (plan({**DETECTOR, "cameras": {"fps": 1, "count": 0}}), "count = 0 is not above 0"),
    (plan({**DETECTOR, "cameras": {"fps": 1000, "count": 100000}}), "are more than 5,000,000"),
    (plan({"npu_ms": 0.001, "in_flight": 1}, seconds=3600), "could make 10,800,000,000 requests in 3600 s"),
    (plan({"name": "x", "file": 3, "in_flight": 1}), "file = 3 is not a text"),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_rejects_what_is_not_possible_with_words(given: dict[str, Any], message: str) -> None:
    """A key that is not read would be a requirement that is not checked."""
    with pytest.raises((RknnValueError, RknnTypeError)) as caught:
        evaluate(read_plan(given))
    assert message in str(caught.value)


def test_names_files_that_are_no_plans(tmp_path: Path) -> None:
    """With the file, and the line of a trace."""
    with pytest.raises(RknnError, match=r"none\.toml cannot be read"):
        read_plan(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_text("soc = ")
    with pytest.raises(RknnValueError, match=r"a\.toml: it is no TOML"):
        read_plan(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff")
    with pytest.raises(RknnValueError, match=r"b\.toml: it is no TOML"):
        read_plan(str(tmp_path / "b.toml"))
    (tmp_path / "t").write_text("1\n-3\n")
    with pytest.raises(RknnValueError, match=r"line 2 of .* is '-3', not a number of seconds"):
        read_plan(plan({"npu_ms": 1, "trace": str(tmp_path / "t")}))


def test_arrivals_are_those_of_their_kind() -> None:
    """And the same for the same seed."""
    poisson = Rate(1000, poisson=True).load(10 * SECOND, 3)
    assert isinstance(poisson, Arrivals)
    assert poisson == Rate(1000, poisson=True).load(10 * SECOND, 3)
    gaps = np.diff(poisson.times_ns) / 1e6
    assert gaps.mean() == pytest.approx(1, rel=0.05)
    assert gaps.std() == pytest.approx(1, rel=0.05)
    fixed = Rate(4).load(SECOND, 0)
    assert isinstance(fixed, Arrivals)
    assert fixed.times_ns == (0, SECOND // 4, SECOND // 2, 3 * SECOND // 4)
    cameras = Cameras(25, 4, jitter_ms=2).load(2 * SECOND, 1)
    assert isinstance(cameras, Arrivals)
    assert len(cameras.times_ns) == pytest.approx(200, abs=4)
    assert cameras.drop


def test_a_plan_without_a_single_request_is_met(tmp_path: Path) -> None:
    """A trace may be empty; nothing is divided by nothing."""
    (tmp_path / "empty").write_text("# nothing\n")
    verdict = evaluate(read_plan(plan({"npu_ms": 1, "trace": str(tmp_path / "empty"), "deadline_ms": 1})))
    assert verdict.met
    assert (verdict.load, verdict.models[0].rate, verdict.models[0].requests.count) == (0, 0, 0)


def test_a_board_gets_its_share() -> None:
    """That of the one that gets most."""
    assert Cameras(25, 10).share(4).count == 3
    assert Rate(100).share(4) == Rate(25)
    assert Trace((1, 2, 3)).share(2) == Trace((1, 3))


LIMITS = [
    ("nothing", DETECTOR, {}),
    ("npu", {**DETECTOR, "cameras": {"fps": 60, "count": 10}}, {}),
    ("inference", {**DETECTOR, "deadline_ms": 15}, {}),
    ("callbacks", {**DETECTOR, "callback_ms": 50}, {}),
    ("conversion", {"npu_ms": 5, "schedule": [0], "input_ms": 10, "rate": 100, "deadline_ms": 50}, {}),
    ("waiting", {**DETECTOR, "dispatch": "modulo"}, {"slowdown": {1: 4}}),
    ("in flight", {"npu_ms": 5, "schedule": "all", "in_flight": 1}, {}),
    ("npu", {"npu_ms": 5, "schedule": "all", "in_flight": "saturated"}, {}),
]


@pytest.mark.parametrize(("limit", "model", "others"), LIMITS)
def test_names_the_limit_that_was_put_there(limit: str, model: dict[str, Any], others: dict[str, Any]) -> None:
    """Each has another remedy."""
    (verdict,) = evaluate(read_plan(plan(model, **others))).models
    assert verdict.limit == limit, verdict.text


def test_a_rate_beyond_the_cores_is_not_met_even_without_a_deadline() -> None:
    """Requests pile up."""
    assert evaluate(read_plan(plan({"npu_ms": 10, "schedule": [0], "rate": 90}))).met
    assert not evaluate(read_plan(plan({"npu_ms": 10, "schedule": [0], "rate": 120}))).met


def test_the_search_keeps_deadlines_with_the_least_load() -> None:
    """Beside a model that must not wait, the other one is moved to other cores."""
    alarm = {"name": "alarm", "npu_ms": 4, "schedule": [0], "poisson": 20, "deadline_ms": 10}
    given = read_plan(plan({**DETECTOR, "schedule": [0]}, alarm))
    assert not evaluate(given).met
    found = search(given)
    assert found.exhaustive
    assert found.verdict.met
    detector, alone = (model.options for model in found.verdict.plan.models)
    assert isinstance(detector.schedule, tuple)
    assert isinstance(alone.schedule, tuple)
    assert not set(detector.schedule) & set(alone.schedule)
    assert found.verdict.plan == search(given).verdict.plan


def test_the_search_of_many_models_ends_and_meets_what_can_be_met() -> None:
    """There are 13 to the fourth combinations, of which it tries a few hundred."""
    models = [{"name": f"m{i}", "npu_ms": 6, "schedule": [0], "rate": 30, "deadline_ms": 40} for i in range(4)]
    found = search(replace(read_plan(plan(*models)), seconds=2.0))
    assert not found.exhaustive
    assert found.verdict.met
    assert found.tried < 1000


def test_finds_the_number_of_boards_for_a_thousand_cameras() -> None:
    """One fewer is not enough."""
    cameras = {**DETECTOR, "dispatch": "least_loaded", "cameras": {"fps": 5, "count": 1000}}
    given = read_plan(plan(cameras, seconds=2))
    boards, verdict = boards_needed(given)
    assert verdict.met
    assert not evaluate(given.shared_by(boards - 1)).met
    assert 5000 / 150 <= boards <= 60  # three cores of 20 ms
    with pytest.raises(RknnValueError, match="no number of boards up to 100,000 is enough for detector"):
        boards_needed(read_plan(plan({**DETECTOR, "deadline_ms": 10}, seconds=1)))
