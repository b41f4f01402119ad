# SPDX-License-Identifier: Apache-2.0
"""A warning for NaN in a quantised input."""

from __future__ import annotations

import logging
import re
import warnings
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import OrtValue

from .conftest import OpenSession, feed_of
from .test_running import Collector
from .ways import WAYS, Way

MESSAGE = r"input 'x' is quantised and was given NaN, which became the largest number that it can hold"


def with_nan(feed: dict[str, Any], place: int = -1) -> dict[str, Any]:
    for array in feed.values():
        array.reshape(-1)[place] = np.nan
    return feed


@pytest.fixture(params=sorted(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    """Each way to run."""
    return WAYS[request.param]


def test_warns_of_nan_once_a_session(open_session: OpenSession, way: Way) -> None:
    """This holds in every way to run; a warning for each frame would be noise."""
    session = open_session(schedule=[0, 1])
    feed = with_nan(feed_of(session))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        way(session, feed, 4)
        session.run(None, feed)
        session.close()
    assert [re.match(MESSAGE, str(warning.message)) is not None for warning in caught] == [True]


def test_another_session_warns_of_nan_again(open_session: OpenSession) -> None:
    """Its user sees another model."""
    for _ in range(2):
        session = open_session()
        with pytest.warns(UserWarning, match=MESSAGE):
            session.run(None, with_nan(feed_of(session)))


def test_the_warning_points_to_the_callers_line(open_session: OpenSession) -> None:
    """A line of this package would tell the user nothing."""
    session = open_session()
    with pytest.warns(UserWarning, match=MESSAGE) as caught:
        session.run(None, with_nan(feed_of(session)))
    assert caught[0].filename == __file__


@pytest.mark.parametrize("model", ["tiny_conv_int8", "conv_c5_int8", "conv_c16_int8", "conv_c1_int8", "odd_size_int8"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
@pytest.mark.parametrize("place", [0, 70, -1])
def test_finds_nan_in_any_layout(open_session: OpenSession, model: str, dtype: Any, place: int) -> None:
    """There are images and tensors of more channels, every type that can hold NaN, and both ends of the array."""
    session = open_session(model)
    with pytest.warns(UserWarning, match="was given NaN"):
        session.run(None, with_nan({n: a.astype(dtype) for n, a in feed_of(session).items()}, place))


def test_warns_of_nan_in_a_vector_in_both_io_modes(open_session: OpenSession) -> None:
    """Copied ones are saturated here, as the runtime would not."""
    for mode in ("direct", "copy"):
        session = open_session("vector_int8", io_mode=mode)
        with pytest.warns(UserWarning, match="input 'features' is quantised and was given NaN"):
            session.run(None, with_nan(feed_of(session)))


def test_warns_of_nan_when_a_value_is_written(open_session: OpenSession) -> None:
    """The conversion happens there; runs that read the value do not warn again."""
    session = open_session()
    feed = feed_of(session)
    value = OrtValue.ortvalue_from_numpy(feed["x"], "rknpu2", name="x", session=session)
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", value)
    binding.bind_output(session.output_names[0])
    session.run_with_iobinding(binding)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value.update_inplace(with_nan(feed)["x"])
        session.run_with_iobinding(binding)
        value.update_inplace(feed["x"])
    assert [re.match(MESSAGE, str(warning.message)) is not None for warning in caught] == [True]


def test_warns_of_nan_in_a_bound_array(open_session: OpenSession) -> None:
    """The worker converts a value on the CPU in each run."""
    session = open_session()
    feed = feed_of(session)
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", OrtValue.ortvalue_from_numpy(feed["x"]))
    binding.bind_output(session.output_names[0])
    session.run_with_iobinding(binding)
    with_nan(feed)
    with pytest.warns(UserWarning, match=MESSAGE):
        session.run_with_iobinding(binding)


@pytest.mark.parametrize("number", [np.inf, -np.inf, 3e38, -3e38])
def test_does_not_warn_of_numbers_that_saturate(open_session: OpenSession, number: float) -> None:
    """They become the nearest one, as users expect."""
    session = open_session()
    feed = feed_of(session)
    feed["x"].reshape(-1)[::7] = number
    session.run(None, feed)


def test_a_float_model_keeps_its_nan(open_session: OpenSession) -> None:
    """float16 can hold it."""
    session = open_session("tiny_conv_fp16")
    session.run(None, with_nan(feed_of(session)))


def test_a_warning_raised_as_an_error_loses_no_delivery(
    open_session: OpenSession, caplog: pytest.LogCaptureFixture
) -> None:
    """With -W error, run() raises it; behind a callback it is reported like the callback's own exceptions."""
    session, collector = open_session(), Collector(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=MESSAGE):
            session.run(None, with_nan(feed_of(session)))
        session = open_session()
        with caplog.at_level(logging.ERROR, "ez_rknn_async"):
            session.run_async(None, with_nan(feed_of(session)), collector)
            session.close()
    assert collector.wait()[0][2] == ""
    assert "was given NaN" in caplog.text
