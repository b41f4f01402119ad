# SPDX-License-Identifier: Apache-2.0
"""Provider options: the table, at a session, and the meaning of each layout.

Elsewhere: the forms and the refusals of each option (tests/test_options.py), each conversion (tests/test_inputs.py).
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, Callable, get_type_hints

import numpy as np
import pytest

from .conftest import OpenSession

DOCUMENTED = {
    "layout": "original",
    "max_queue_size": 5,
    "threads_per_core": 2,
    "submit_timeout_ms": 500,
    "sequential_callbacks": False,
    "schedule": [0, 1, 2],
    "enable_pacing": True,
    "disable_dup_context": True,
}


def test_every_documented_option_may_be_set_at_once(api: ModuleType, open_session: OpenSession) -> None:
    """The options in force can be read back, defaults included."""
    assert api.make_provider_options(**DOCUMENTED) == DOCUMENTED
    assert api.make_rknpu2_provider_options is api.make_provider_options
    session = open_session(**DOCUMENTED)
    (options,) = session.get_provider_options().values()
    assert options["layout"] == "nchw"
    assert options["schedule"] == (0, 1, 2)
    assert options["tp_mode"] is None
    assert options["max_queue_size"] == 5


def test_option_dictionaries_have_types(api: ModuleType, open_session: OpenSession) -> None:
    """They serve annotations; calling one makes a dictionary, and nothing is checked until a session takes it."""
    options = api.Rknpu2ProviderOptions(schedule=[0, 1])
    assert type(options) is dict
    assert api.RknnProviderOptions(**options) == {"schedule": [0, 1]}
    assert open_session(**options).run(None, [np.zeros((1, 3, 16, 16), np.float32)])


def test_the_types_know_every_option(api: ModuleType) -> None:
    """The types for the other generation know that generation's options."""
    helper = inspect.signature(api.make_provider_options)
    assert set(get_type_hints(api.Rknpu2ProviderOptions)) == set(helper.parameters)
    other = inspect.signature(api.make_rknpu3_provider_options)
    assert set(get_type_hints(api.Rknpu3ProviderOptions)) == set(other.parameters)
    both = {**get_type_hints(api.Rknpu2ProviderOptions), **get_type_hints(api.Rknpu3ProviderOptions)}
    assert set(get_type_hints(api.RknnProviderOptions)) == set(both)


def test_options_of_the_other_generation_exist_but_cannot_be_used(api: ModuleType, data: Any) -> None:
    """Programs that choose between the two run where there is an RKNPU2."""
    options = api.make_rknpu3_provider_options(device_id=0, weight_path=None, run_core_mask="all")
    assert options == {"device_id": 0, "run_core_mask": "all"}
    with pytest.raises(RuntimeError, match="RKNPU3ExecutionProvider is for RKNX models"):
        api.InferenceSession(data / "tiny_conv_int8.rknn", providers=[("RKNPU3ExecutionProvider", options)])
    with pytest.raises(RuntimeError, match="device_id"):
        api.InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options)


def test_the_helper_takes_keywords_only(api: ModuleType) -> None:
    """No one remembers the order of twenty options."""
    with pytest.raises(TypeError):
        api.make_provider_options("nchw")


def test_schedule_with_tp_mode_is_a_runtime_error_at_the_session(api: ModuleType, data: Any) -> None:
    """The helper raises a ValueError."""
    for kind in (RuntimeError, ValueError):
        with pytest.raises(kind, match="both set"):
            api.InferenceSession(data / "tiny_conv_int8.rknn", None, None, {"schedule": [0], "tp_mode": "all"})


NCHW, NHWC = [1, 3, 12, 12], [1, 12, 12, 3]


@pytest.mark.parametrize(
    ("layout", "shape", "name"),
    [
        ("nchw", NCHW, "NCHW"),
        ("original", NCHW, "NCHW"),
        ("nchw_software", NCHW, "NCHW"),
        ("original_software", NCHW, "NCHW"),
        ("nhwc", NHWC, "NHWC"),
        ("any", NHWC, "NHWC"),
    ],
)
def test_a_layout_changes_the_input_order_but_not_the_results(
    layout: str, shape: list[int], name: str, open_session: OpenSession, simulated_npu: Callable[[str], None]
) -> None:
    """Inputs follow get_inputs(), outputs stay the same, and the results are equal to the bit."""
    simulated_npu("")
    image = np.random.default_rng(0).random(NCHW, np.float32)
    (expected,) = open_session("block_fp16").run(None, [image])
    session = open_session("block_fp16", layout=layout)
    (node,) = session.get_inputs()
    assert (node.shape, node.layout) == (shape, name)
    (result,) = session.run(None, [image if shape == NCHW else image.transpose(0, 2, 3, 1)])
    assert np.array_equal(result, expected)
    assert session.get_outputs()[0].shape == [1, 16, 6, 6]


@pytest.mark.parametrize("layout", ["nchw", "nhwc", "any"])
@pytest.mark.parametrize(("model", "shape"), [("vector_fp16", [1, 20]), ("sequence_int8", [1, 6, 10])])
def test_a_layout_concerns_images_only(layout: str, model: str, shape: list[int], open_session: OpenSession) -> None:
    """Inputs of other ranks follow the model, and have no layout."""
    (node,) = open_session(model, layout=layout).get_inputs()
    assert (node.shape, node.layout) == (shape, "UNDEFINED")
