# SPDX-License-Identifier: Apache-2.0
"""The warning that a model is of a kind that failed on boards, which the simulated NPU cannot show."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

import pytest

from ez_rknn_async._running import board_reports

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OpenSession


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """What earlier tests have opened must not matter."""
    monkeypatch.setattr(board_reports, "_said", {})


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_opening_a_session_names_the_layer_and_the_report(
    open_session: OpenSession, caplog: pytest.LogCaptureFixture
) -> None:
    """A user who tests here would otherwise be told that all is well."""
    open_session("last_state_fp16", schedule=[0])
    (warning,) = warnings_of(caplog)
    assert "layer 'exLSTM:lstm0': airockchip/rknn-toolkit2#305" in warning
    assert "ezrknn doctor" in warning


def test_says_it_once_for_each_model(
    open_session: OpenSession, caplog: pytest.LogCaptureFixture, data: Path, tmp_path: Path
) -> None:
    """A server opens the same model again and again; another model is another warning."""
    for _ in range(3):
        open_session("last_state_fp16", schedule=[0])
    assert len(warnings_of(caplog)) == 1
    shutil.copy(data / "last_state_fp16.rknn", tmp_path / "another.rknn")
    open_session(str(tmp_path / "another"), schedule=[0])
    assert len(warnings_of(caplog)) == 2


def test_says_nothing_of_an_ordinary_model(open_session: OpenSession, caplog: pytest.LogCaptureFixture) -> None:
    """A warning that everybody gets is read by nobody."""
    open_session("residual_int8", schedule=[0, 1, 2])
    assert warnings_of(caplog) == []


def test_several_cores_at_one_inference_are_a_report_of_their_own(
    open_session: OpenSession, caplog: pytest.LogCaptureFixture
) -> None:
    """Results that several cores computed together were wrong on a board."""
    open_session("block_int8", tp_mode="0,1,2")
    (warning,) = warnings_of(caplog)
    assert "airockchip/rknn-toolkit2#228" in warning
