"""Parameters of activations, from their look-up tables."""

from __future__ import annotations

import numpy as np
import pytest

from ez_rknn_async.model.operators.registers import LookupTable
from ez_rknn_async.model.operators.table_parameters import softplus_reach


@pytest.mark.parametrize("reach", [4.0, 6.31])
def test_the_table_of_softplus_tells_how_far_it_goes(reach: float) -> None:
    """Its last entry is the largest 16-bit number; compilers have chosen different arguments for it."""
    places = np.linspace(-reach, reach, 1025)
    entries = np.round(np.log1p(np.exp(places)) / np.log1p(np.exp(reach)) * 32767).astype(np.int32)
    assert softplus_reach(LookupTable(le=entries[:513], lo=entries[512:])) == reach


def test_a_table_that_says_nothing_leaves_the_usual_reach() -> None:
    """One that does not rise is none of softplus."""
    flat = np.zeros(513, np.int32)
    assert softplus_reach(LookupTable(le=flat, lo=flat)) == 6.31
