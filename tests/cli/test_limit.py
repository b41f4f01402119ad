# SPDX-License-Identifier: Apache-2.0
"""The limit of throughput that ``ezrknn bench`` reports."""

from __future__ import annotations

import pytest

from ez_rknn_async.cli.limit import limit

QUIET = {"queue": 2.0, "input": 0.0, "npu": 1.0, "output": 0.0, "callback": 0.01}


@pytest.mark.parametrize(
    ("split", "computing", "words"),
    [
        (QUIET, 0.97, "Limited by the NPU: it was at work 97%"),
        ({**QUIET, "input": 0.5}, 0.6, "input 33%, output 0% of each worker"),
        ({**QUIET, "input": 0.5}, 0.6, "threads_per_core=2"),
        ({**QUIET, "input": 0.5}, 0.6, "uint8 images in NHWC"),
        ({**QUIET, "output": 1.0}, 0.5, "output_dtype='native'"),
        ({**QUIET, "queue": 0.1, "callback": 5.0}, 0.3, "Limited by the callbacks: results waited 5 ms"),
        ({**QUIET, "queue": 0.1}, 0.3, "Submit from several threads"),
        (dict.fromkeys(QUIET, 0.0), 0.0, "Limited by"),
    ],
)
def test_names_the_longest_stage_and_advises(split: dict[str, float], computing: float, words: str) -> None:
    """Each kind of limit in turn; an empty measurement gets a text too."""
    assert words in limit(split, computing, 1)


def test_does_not_advise_threads_that_are_already_there() -> None:
    """Advice is about options that the user has not tried."""
    assert "threads_per_core" not in limit({**QUIET, "input": 0.5}, 0.6, 2)
