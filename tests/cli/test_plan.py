# SPDX-License-Identifier: Apache-2.0
"""``ezrknn plan``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ez_rknn_async.cli import main

from .conftest import Ezrknn

PLAN = """
soc = "rk3588"

[[model]]
name = "detector"
npu_ms = 20
schedule = {schedule}
deadline_ms = 60
cameras = {{ fps = 15, count = 6 }}
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A plan that is met."""
    (tmp_path / "good.toml").write_text(PLAN.format(schedule='"all"'))
    return tmp_path / "good.toml"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """One that is not: six cameras on one core."""
    (tmp_path / "bad.toml").write_text(PLAN.format(schedule="[0]"))
    return tmp_path / "bad.toml"


def test_prints_models_cores_and_limits(good: Path, ezrknn: Ezrknn) -> None:
    """And what kind of figures they are."""
    printed = ezrknn("plan", good)
    for part in (
        "detector",
        "p99 (ms)",
        "deadline (ms)",
        "busy (%)",
        "Does what is required",
        "modelled, not measured",
    ):
        assert part in printed


def test_the_status_says_if_the_plan_is_met(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts ask for it; the limit is named."""
    assert main(["plan", str(bad)]) == 1
    printed = capsys.readouterr().out
    assert "FAILS" in printed
    assert "Limited by the NPU: core 0 is busy 100% of the time." in printed


def test_the_same_plan_gives_the_same_figures(good: Path, ezrknn: Ezrknn) -> None:
    """To the last digit."""
    assert ezrknn("plan", good, "--json") == ezrknn("plan", good, "--json")


def test_search_proposes_a_schedule(bad: Path, ezrknn: Ezrknn) -> None:
    """In the words of a plan, to be copied into it."""
    described = json.loads(ezrknn("plan", bad, "--search", "--json"))
    assert described["met"]
    assert described["search"] == {"tried": 13, "exhaustive": True}
    assert "schedule = [0, 1]" in ezrknn("plan", bad, "--search")


def test_boards_share_the_load(bad: Path, ezrknn: Ezrknn, ezrknn_refuses: Ezrknn) -> None:
    """A number of them, or the smallest that is enough."""
    assert "2 boards share the load" in ezrknn("plan", bad, "--boards", 2)
    assert json.loads(ezrknn("plan", bad, "--boards", "find", "--json"))["boards"] == 2
    assert "--boards find takes the schedules" in ezrknn_refuses("plan", bad, "--boards", "find", "--search")
    with pytest.raises(SystemExit):
        main(["plan", str(bad), "--boards", "0"])


def test_a_mistake_names_the_file_and_its_key(tmp_path: Path, ezrknn_refuses: Ezrknn) -> None:
    """As the file writes it, not as a flag."""
    file = tmp_path / "plan.toml"
    file.write_text(PLAN.format(schedule="[4]"))
    assert f"{file}: schedule names core 4, but rk3588 has cores 0 to 2" in ezrknn_refuses("plan", file)


def test_the_plan_of_the_documentation_is_one(data: Path, root: Path, tmp_path: Path, ezrknn: Ezrknn) -> None:
    """Its TOML, with every command of the page."""
    page = (root / "docs" / "how-to" / "plan-a-system.md").read_text()
    (plan,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    commands = re.findall(r"^    ezrknn (.*)$", page, re.MULTILINE)
    (tmp_path / "plan.toml").write_text(plan)
    (tmp_path / "model.rknn").write_bytes((data / "snippet.rknn").read_bytes())
    assert len(commands) == 4
    for command in commands:
        assert "detector" in ezrknn(*command.replace("plan.toml", str(tmp_path / "plan.toml")).split())


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_fits_the_terminal(
    bad: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """Tables drop columns, sentences wrap."""
    monkeypatch.setenv("COLUMNS", str(columns))
    main(["plan", str(bad)])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= columns


@pytest.mark.parametrize("_times", range(3))
def test_bench_on_the_simulated_npu_is_the_same_every_time(data: Path, ezrknn: Ezrknn, _times: int) -> None:
    """Computed from the file, however busy this machine is."""
    arguments = ("bench", data / "block_int8.rknn", "--compare", "--json", "--runtime-library", "simulator")
    described = ezrknn(*arguments)
    assert described == ezrknn(*arguments)
    assert "in virtual time" in json.loads(described)["times"]
