# SPDX-License-Identifier: Apache-2.0
"""Metadata, environment variables, the other generation's models.

Elsewhere: weight sharing (tests/session/test_shared_weights.py), how the runtime library is found
(tests/runtime/test_locate.py), custom operators (tests/session/test_custom_ops.py).
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from types import ModuleType
from typing import Callable

import pytest

import ez_rknn_async
from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

from ..session.conftest import feed_of


def test_that_librarys_variable_may_name_the_runtime_library(
    api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deployments set it."""
    monkeypatch.delenv("EZ_RKNN_RUNTIME_LIBRARY")
    monkeypatch.setenv("ZTU_RKNPU2_RUNTIME_LIBRARY", str(SIMULATOR_LIBRARY))
    with api.InferenceSession(data / "tiny_conv_int8.rknn") as session:
        assert session.run(None, feed_of(session))


def test_the_error_names_a_missing_library(api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That library said 'rknn_init failed'; and the variable is exclusive, so nothing else is tried."""
    monkeypatch.delenv("EZ_RKNN_RUNTIME_LIBRARY")
    monkeypatch.setenv("ZTU_RKNPU2_RUNTIME_LIBRARY", "/nowhere/librknnrt.so")
    with pytest.raises(RuntimeError, match=r"/nowhere/librknnrt\.so") as caught:
        api.InferenceSession(data / "tiny_conv_int8.rknn")
    assert isinstance(caught.value, api.RknnRuntimeNotFoundError)
    assert [path for path, _ in caught.value.tried] == ["/nowhere/librknnrt.so"]


def test_the_version_is_that_of_the_package(api: ModuleType) -> None:
    """It is the same under both names."""
    assert api.__version__ == ez_rknn_async.__version__ != ""


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("1.5.2 (c6b7b351a@2023-08-23T15:28:22)", True),
        ("2.4.0 (a)", True),
        ("2.4.1 (b)", False),
        ("2.10.0", False),
        ("librknnrt 2.3.2", True),
        ("unknown", False),
    ],
)
def test_warns_of_a_runtime_older_than_2_4_1(
    version: str, old: bool, api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The UserWarning is at the line that opened the session, which works; an unreadable version gives no warning."""
    monkeypatch.setattr(Context, "versions", lambda _self: (version, "0.9.8"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session = api.InferenceSession(data / "tiny_conv_int8.rknn")
    assert session.run(None, feed_of(session))
    session.close()
    assert [(warning.category, warning.filename) for warning in caught] == [(UserWarning, __file__)] * old


def test_a_warning_raised_as_an_error_leaves_nothing_behind(
    api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, living_contexts: Callable[[], int]
) -> None:
    """python -W error raises it."""
    monkeypatch.setattr(Context, "versions", lambda _self: ("1.5.2", "0.9.8"))
    before = living_contexts()
    with pytest.raises(UserWarning, match=r"version 1\.5\.2; before 2\.4\.1"):
        api.InferenceSession(data / "tiny_conv_int8.rknn", provider_options={"schedule": [0, 1, 2]})
    assert living_contexts() == before


PERF_LINE = re.compile(
    r"\[ztu_ez_rknn_async_perf\] task_id=(\d+) thread_id=(\d+) core_id=(\d+) "
    r"set_input_us=\d+ infer_us=(\d+) copy_output_us=\d+ total_us=(\d+)"
)


@pytest.mark.parametrize("value", ["1", "true", "on", "YES"])
def test_prints_a_line_for_each_task_if_the_variable_asks_for_it(
    value: str, api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Scripts parse this form; the variable is read when the session is opened."""
    monkeypatch.setenv("ZTU_EZRKNN_ASYNC_PRINT_PERF", value)
    monkeypatch.setenv("EZ_RKNN_SIMULATOR", "compute=off,timing=fixed:2000")
    with api.InferenceSession(data / "tiny_conv_int8.rknn", provider_options={"schedule": [2, 0]}) as session:
        monkeypatch.delenv("ZTU_EZRKNN_ASYNC_PRINT_PERF")
        session.run(None, feed_of(session))
        session.run_async(None, feed_of(session), lambda *_: None)
        session.submit(feed_of(session)).result()
    printed, lines = capfd.readouterr()
    assert printed == ""
    parsed = [tuple(map(int, PERF_LINE.fullmatch(line).groups())) for line in lines.splitlines()]  # type: ignore[union-attr]
    assert [(task, core) for task, _, core, _, _ in sorted(parsed)] == [(0, 2), (1, 0), (2, 2)]
    for _, worker, core, npu, total in parsed:
        assert worker == {0: 0, 2: 1}[core]
        assert 2000 <= npu <= total


def test_cores_that_work_together_go_by_the_first_ones_number(
    api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """That library does the same; a task that never reached the NPU has no line."""
    monkeypatch.setenv("ZTU_EZRKNN_ASYNC_PRINT_PERF", "1")
    for options in ({"tp_mode": "0,1,2"}, {}):
        with api.InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options) as session:
            session.run(None, feed_of(session))
    assert [match[3] for match in PERF_LINE.finditer(capfd.readouterr().err)] == ["0", "0"]


@pytest.mark.parametrize("value", ["", "0", "off", "perhaps"])
def test_prints_nothing_by_default(
    value: str, api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Messages go to the logger, or are exceptions."""
    monkeypatch.setenv("ZTU_EZRKNN_ASYNC_PRINT_PERF", value)
    with api.InferenceSession(data / "tiny_conv_int8.rknn") as session:
        session.run(None, feed_of(session))
        with pytest.raises(RuntimeError):
            session.run(None, {})
    assert capfd.readouterr() == ("", "")
