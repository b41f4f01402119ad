# SPDX-License-Identifier: Apache-2.0
"""Programs that feed more samples than a model was compiled for, through the stand-in for ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import RknnError, RknnTypeError, RknnValueError, RunOptions

genuine = pytest.importorskip("onnxruntime")

from ez_rknn_async.compat import onnxruntime as ort  # noqa: E402
from ez_rknn_async.compat.onnxruntime.models import BATCHES, configure  # noqa: E402

IMAGES = np.random.default_rng(0).standard_normal((3, 4, 16, 16)).astype(np.float32)


@pytest.fixture
def session(folder: Path) -> Any:
    with ort.InferenceSession(folder / "npu.onnx") as session:
        yield session


def completed(session: Any) -> int:
    return sum(core.completed for core in session.stats.cores.values())


@pytest.mark.parametrize("run_options", [None, {}, RunOptions, genuine.RunOptions])
def test_each_sample_is_a_task_where_the_user_says_so(session: Any, run_options: Any) -> None:
    """Whatever options the program gives."""
    configure(None, None, dispatch_batches=True)
    alone = [session.run(None, {"x": image[None]})[0] for image in IMAGES]
    before = completed(session)
    (together,) = session.run(None, {"x": IMAGES}, run_options() if callable(run_options) else run_options)
    np.testing.assert_array_equal(together, np.concatenate(alone))
    assert completed(session) - before == len(IMAGES)


def test_a_larger_batch_is_refused_otherwise(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first dimension may be time, too."""
    for setting in ("", "0"):
        monkeypatch.setenv(BATCHES, setting)
        with pytest.raises(genuine.capi.onnxruntime_pybind11_state.InvalidArgument):
            session.run(None, {"x": IMAGES})


def test_the_call_counts_before_the_environment(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the other settings."""
    monkeypatch.setenv(BATCHES, "1")
    assert session.run(None, {"x": IMAGES})[0].shape[0] == 3
    configure(None, None, dispatch_batches=False)
    with pytest.raises(RknnValueError):
        session.run(None, {"x": IMAGES})


@pytest.mark.parametrize("feed", [{"x": IMAGES[:, :2]}, {"y": IMAGES}, {"x": 1.0}, {}, None, [IMAGES[:0]]])
def test_what_is_no_batch_is_refused_as_ever(session: Any, feed: Any) -> None:
    """By the session, whose messages say why."""
    configure(None, None, dispatch_batches=True)
    with pytest.raises(RknnError):
        session.run(None, feed)


def test_refuses_other_settings(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of what was set."""
    with pytest.raises(RknnTypeError, match="dispatch_batches takes True or False"):
        configure(None, None, dispatch_batches=1)  # type: ignore[arg-type]
    monkeypatch.setenv(BATCHES, "yes")
    with pytest.raises(RknnValueError, match="EZ_RKNN_ONNXRUNTIME_BATCHES takes 1"):
        session.run(None, {"x": IMAGES})
