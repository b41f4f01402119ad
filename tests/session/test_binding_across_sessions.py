# SPDX-License-Identifier: Apache-2.0
"""One model's output as the next one's input: values bound to inputs and outputs of several sessions."""

from __future__ import annotations

import numpy as np
import pytest

from ez_rknn_async import (
    RknnValueError,
)

from .conftest import OpenSession, feed_of
from .values import bound, memory_files, room


@pytest.mark.parametrize("layout", ["native", "nhwc"])
def test_an_output_feeds_another_session_without_leaving_the_npu(open_session: OpenSession, layout: str) -> None:
    """The second session, on other cores, imports the memory of the first."""
    first = open_session("activations_fp16", simulator="compute=on", zero_copy_layout=layout)
    second = open_session("activations_fp16", simulator="compute=on", zero_copy_layout=layout, schedule=[1, 2])
    (name,), output = first.input_names, first.output_names[0]
    value = room(first, output)
    producer = bound(first)
    producer.bind_ortvalue_output(output, value)
    consumer = second.io_binding()
    consumer.bind_ortvalue_input(name, value)
    first.run_with_iobinding(producer)
    futures = [second.submit(consumer)]
    outputs = [v.numpy() for v in futures[0].result()]
    expected = second.run(None, {name: first.run([output], feed_of(first))[0]})
    for ours, theirs in zip(outputs, expected):
        assert np.array_equal(ours, theirs, equal_nan=True)


def test_lists_all_differences_of_an_unfit_value(open_session: OpenSession) -> None:
    """The user then corrects them all at once."""
    first, second = open_session("conv_c4_int8"), open_session("conv_c16_int8", zero_copy_layout="native")
    with pytest.raises(RknnValueError, match=r"memory differs: shape: .*; scale: .*; zero point: .*") as error:
        second.io_binding().bind_ortvalue_input("x", room(first, first.output_names[0]))
    assert "[1, 8, 16, 16] instead of [1, 16, 16, 16]" in str(error.value)


def test_a_shared_value_outlives_the_session_that_made_it(open_session: OpenSession) -> None:
    """The consumer goes on; the producer's memory goes with its last user."""
    before = memory_files()
    first, second = open_session("activations_fp16"), open_session("activations_fp16")
    binding = second.io_binding()
    binding.bind_ortvalue_input(second.input_names[0], room(first, first.output_names[0]))
    first.close()
    session_memory = memory_files()
    second.run_with_iobinding(binding)
    assert memory_files() >= session_memory > before
    second.close()
    del binding
    assert memory_files() == before
