"""Metadata, environment variables, the other generation's models.

Elsewhere: weight sharing (tests/session/test_shared_weights.py), how the runtime library is found
(tests/runtime/test_locate.py). Custom operators come with the options that are not implemented yet.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

import ez_rknn_async
from ez_rknn_async.runtime.locate import SIMULATOR_LIBRARY

from ..session.conftest import feed_of


def test_the_runtime_library_may_be_named_by_that_librarys_variable(
    api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deployments set it."""
    monkeypatch.delenv("EZ_RKNN_RUNTIME_LIBRARY")
    monkeypatch.setenv("ZTU_RKNPU2_RUNTIME_LIBRARY", str(SIMULATOR_LIBRARY))
    with api.InferenceSession(data / "tiny_conv_int8.rknn") as session:
        assert session.run(None, feed_of(session))


def test_a_library_that_is_missing_is_named_in_the_error(
    api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That library said 'rknn_init failed'; and the variable is exclusive, so nothing else is tried."""
    monkeypatch.delenv("EZ_RKNN_RUNTIME_LIBRARY")
    monkeypatch.setenv("ZTU_RKNPU2_RUNTIME_LIBRARY", "/nowhere/librknnrt.so")
    with pytest.raises(RuntimeError, match=r"/nowhere/librknnrt\.so") as caught:
        api.InferenceSession(data / "tiny_conv_int8.rknn")
    assert isinstance(caught.value, api.RknnRuntimeNotFoundError)
    assert [path for path, _ in caught.value.tried] == ["/nowhere/librknnrt.so"]


def test_the_version_is_that_of_the_package(api: ModuleType) -> None:
    """Under both names."""
    assert api.__version__ == ez_rknn_async.__version__ != ""


def test_nothing_is_printed(api: ModuleType, data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What there is to say goes to the logger, or is an exception."""
    with api.InferenceSession(data / "tiny_conv_int8.rknn") as session:
        session.run(None, feed_of(session))
        with pytest.raises(RuntimeError):
            session.run(None, {})
    assert capfd.readouterr() == ("", "")
