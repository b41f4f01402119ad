# SPDX-License-Identifier: Apache-2.0
"""Parameters of activations, from their look-up tables."""

from __future__ import annotations

import numpy as np
import pytest

from ez_rknn_async.model.operators.registers import LookupTable
from ez_rknn_async.model.operators.table_parameters import softplus_reach


@pytest.mark.parametrize("reach", [4.0, 6.31])
def test_the_table_of_softplus_reveals_its_reach(reach: float) -> None:
    """Its last entry is the largest 16-bit number, for an argument that differs between compilers."""
    places = np.linspace(-reach, reach, 1025)
    entries = np.round(np.log1p(np.exp(places)) / np.log1p(np.exp(reach)) * 32767).astype(np.int32)
    assert softplus_reach(LookupTable(le=entries[:513], lo=entries[512:])) == reach


def test_a_meaningless_table_leaves_the_default_reach() -> None:
    """A table that does not rise is not one of softplus."""
    flat = np.zeros(513, np.int32)
    assert softplus_reach(LookupTable(le=flat, lo=flat)) == 6.31
