# SPDX-License-Identifier: Apache-2.0
"""Provider options: accepted values, their names, and the errors for wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import RknnError, make_provider_options
from ez_rknn_async._options.provider_options import ProviderOptions


def test_the_defaults_are_the_documented_ones() -> None:
    """Programs rely on them implicitly."""
    assert ProviderOptions.parse({}) == ProviderOptions(
        layout="nchw",
        zero_copy_layout="nhwc",
        max_queue_size=3,
        threads_per_core=1,
        submit_timeout_ms=10_000,
        sequential_callbacks=True,
        schedule=None,
        tp_mode=None,
        dispatch="modulo",
        run_timeout_ms=0,
        enable_pacing=False,
        disable_dup_context=False,
        custom_op_path=(),
        custom_op_default_path=False,
    )


@pytest.mark.parametrize(
    ("given", "cores"),
    [
        (0, (0,)),
        ([0, 0, 1], (0, 0, 1)),
        ((2, "1"), (2, 1)),
        ("0,1,2", (0, 1, 2)),
        ("[0, 1]", (0, 1)),
        ("0 1", (0, 1)),
        (np.array([0, 2]), (0, 2)),
        ("all", "all"),
    ],
)
def test_a_schedule_may_be_a_core_a_sequence_or_a_string(given: Any, cores: Any) -> None:
    """Each form that programs use means the same cores."""
    assert ProviderOptions.parse({"schedule": given}).schedule == cores


@pytest.mark.parametrize(
    "given", [[], "", -1, [0, -1], "0;1", "0,1,x", None, 0.5, [0.5], {0: 1}], ids=lambda value: repr(value)
)
def test_refuses_a_schedule_that_names_no_cores(given: Any) -> None:
    """The library that this one replaces ignored values that it did not understand, and ran something else."""
    with pytest.raises((ValueError, TypeError), match="schedule"):
        ProviderOptions.parse({"schedule": given})


@pytest.mark.parametrize("mode", ["auto", "all", "0", "1", "2", "0,1", "0,1,2"])
def test_each_documented_tp_mode_is_accepted(mode: str) -> None:
    """The table of the documentation is tested row by row."""
    assert ProviderOptions.parse({"tp_mode": mode}).tp_mode == mode


@pytest.mark.parametrize("mode", ["1,2", "", "3", 0, None])
def test_refuses_any_other_tp_mode(mode: Any) -> None:
    """The NPU has no such combination of cores."""
    with pytest.raises((ValueError, TypeError), match="tp_mode"):
        ProviderOptions.parse({"tp_mode": mode})


def test_schedule_and_tp_mode_exclude_each_other() -> None:
    """The helper and the session have the same message, as ValueError and as RuntimeError."""
    with pytest.raises(ValueError, match="both set"):
        make_provider_options(schedule=[0], tp_mode="all")
    with pytest.raises(ValueError, match="both set") as caught:
        ProviderOptions.parse({"schedule": [0], "tp_mode": "auto"})
    assert isinstance(caught.value, RknnError)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"layout": "ORIGINAL"}, "layout", "nchw"),
        ({"layout": "nchw_software"}, "layout", "nchw"),
        ({"layout": "NHWC"}, "layout", "nhwc"),
        ({"max_queue_size": " 7 "}, "max_queue_size", 7),
        ({"threads_per_core": np.int64(2)}, "threads_per_core", 2),
        ({"sequential_callbacks": "off"}, "sequential_callbacks", False),
        ({"sequential_callbacks": 1}, "sequential_callbacks", True),
        ({"disable_dup_context": "yes"}, "disable_dup_context", True),
        ({"runtime_library": Path("lib.so")}, "runtime_library", "lib.so"),
        ({"simulator": {"timing": "fixed:5", "compute": "off"}}, "simulator", "timing=fixed:5,compute=off"),
    ],
)
def test_accepts_values_in_the_forms_that_programs_use(options: Mapping[str, Any], name: str, value: Any) -> None:
    """Strings come from configuration files, numbers from numpy."""
    assert getattr(ProviderOptions.parse(options), name) == value


@pytest.mark.parametrize(
    "options",
    [
        {"layout": "hwc"},
        {"layout": 1},
        {"max_queue_size": 0},
        {"max_queue_size": -1},
        {"max_queue_size": 2.5},
        {"threads_per_core": 0},
        {"submit_timeout_ms": "soon"},
        {"sequential_callbacks": None},
        {"sequential_callbacks": "perhaps"},
        {"zero_copy_layout": "NC1HWC2"},
        {"custom_op_path": b"bytes"},
        {"simulator": 5},
    ],
    ids=repr,
)
def test_names_the_option_of_a_wrong_value(options: Mapping[str, Any]) -> None:
    """The user need not guess which one of ten it was."""
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        ProviderOptions.parse(options)


def test_refuses_an_unknown_option_and_suggests_the_nearest_name() -> None:
    """Silently ignoring a misspelt option would cost the user an afternoon."""
    with pytest.raises(ValueError, match="did you mean 'schedule'"):
        ProviderOptions.parse({"shedule": [0]})


def test_make_provider_options_returns_exactly_the_given_options() -> None:
    """The others keep their defaults, even if these change later."""
    assert make_provider_options(schedule=[0, 1], threads_per_core=2) == {"schedule": [0, 1], "threads_per_core": 2}
    assert make_provider_options() == {}
