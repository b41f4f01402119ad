# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's own providers beside those of this package."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async import InferenceSession
from ez_rknn_async._options.providers import RKNPU2, RKNPU2_SIMULATOR, choose

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.mark.parametrize(
    ("providers", "options", "chosen"),
    [
        ([RKNPU2, CPU], None, {}),
        ((CUDA, RKNPU2, CPU), [{}, {"schedule": 0}, {"threads": 1}], {"schedule": 0}),
        ({CUDA, CPU, RKNPU2_SIMULATOR, RKNPU2}, [], {}),
        (
            [CUDA, (RKNPU2, {"schedule": 0}), (CPU, {"arena_extend_strategy": "kSameAsRequested"})],
            None,
            {"schedule": 0},
        ),
        ([RKNPU2, CPU], {"schedule": 0}, {"schedule": 0}),
        ([RKNPU2, CPU], [{"schedule": 0}], {"schedule": 0}),
        ([RKNPU2, CPU], [{}, {}], {}),
        ([RKNPU2, "RKNPU3ExecutionProvider"], None, {}),
        ([RKNPU2], [{"use_tf32": 0, "trt_fp16_enable": True, "schedule": 0}], {"schedule": 0}),
        ([(RKNPU2, {"use_tf32": 0})], [{"schedule": 0}], {"schedule": 0}),
    ],
)
def test_the_usable_one_of_several_providers_is_chosen(providers: Any, options: Any, chosen: dict[str, Any]) -> None:
    """Programs written for ONNX Runtime name those of other machines beside it, with their options."""
    assert choose(providers, options) == (RKNPU2, chosen)


@pytest.mark.parametrize("options", [None, {}, [], [{}], [{}, {}], ({},), {"arena_extend_strategy": "kNextPowerOfTwo"}])
def test_options_that_say_nothing_are_accepted(options: Any) -> None:
    """With and without a provider."""
    assert choose(None, options) == (None, {})
    assert choose(RKNPU2, options) == (RKNPU2, {})


def test_options_of_other_providers_are_noted(caplog: pytest.LogCaptureFixture) -> None:
    """At debug level: they are a habit, and harmless."""
    with caplog.at_level(logging.DEBUG, "ez_rknn_async"):
        choose([RKNPU2, CPU], [{"use_tf32": 0}, {"arena_extend_strategy": 1}])
    assert [record.levelno for record in caplog.records] == [logging.DEBUG] * 2


@pytest.mark.parametrize(
    ("providers", "options", "message"),
    [
        (3, None, "providers takes a name"),
        ({RKNPU2: {}}, None, "providers takes a name"),
        ([3], None, r"a pair \(name, options\)"),
        (None, [3], "a sequence of dictionaries"),
        (None, "schedule", "a sequence of dictionaries"),
        (None, [{"schedule": 0}, {"layout": "nhwc"}], "has 2 dictionaries"),
    ],
)
def test_wrong_types_are_refused(providers: Any, options: Any, message: str) -> None:
    """They say what is taken."""
    with pytest.raises(TypeError, match=message):
        choose(providers, options)


def test_skipped_providers_are_a_warning(data: Path) -> None:
    """As in ONNX Runtime; it is about the user's line."""
    with pytest.warns(UserWarning, match=f"{CUDA}, {CPU} not available here, so skipped") as caught:
        session = InferenceSession(data / "tiny_conv_fp16.rknn", providers=[CUDA, RKNPU2_SIMULATOR, CPU])
    with session:
        assert session.get_providers() == [RKNPU2_SIMULATOR]
    assert [warning.filename for warning in caught] == [__file__]
