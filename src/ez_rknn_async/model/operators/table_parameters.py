# SPDX-License-Identifier: Apache-2.0
"""Parameters of activations that only a model's look-up table shows.

A table has two halves of 513 entries, for arguments down to minus its reach and up to plus its reach.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .stages import TABLE_REACHES

if TYPE_CHECKING:
    from .registers import LookupTable

_LAST = 512
_ELU_UNITS = 32766
_DIGITS = 3  # decimals of a parameter as people write it
_NOISE = 2e-3  # relative error of a parameter that is read from a table of 16 bits


def elu_alpha(table: LookupTable) -> float:
    """Return alpha, minus the lowest value of the function.

    The table is of ``alpha * exp(x) - 1``, in units of 1 / 32766, for x from minus twice its reach to 0. It ends at 0,
    where an alpha above 1 would need more.
    """
    numbers = np.concatenate([table.le, table.lo[1:]]).astype(np.float64)
    powers = np.exp(np.linspace(-2 * TABLE_REACHES["Elu"], 0, numbers.size))
    known = numbers < 0
    if not known.any():
        return 1.0
    raised = (numbers + 0.5) / _ELU_UNITS + 1  # entries are rounded down
    return float((raised * powers)[known].sum() / (powers**2)[known].sum())


def softplus_reach(table: LookupTable) -> float:
    """Return the argument at which the table ends: 4.0 from compilers before 2.5, 6.31 since then.

    The last entry is the softplus of that argument, in the units in which the first one, that of 0, is ln 2.
    """
    first, last = int(table.lo[0]), int(table.lo[-1])
    if not 0 < first < last:
        return TABLE_REACHES["Softplus"]
    return round(math.log(math.expm1(math.log(2) * last / first)), 2)


def swish_beta(table: LookupTable) -> float:
    """Return beta of ``x * sigmoid(beta * x)``: f(x) / -f(-x) is exp(beta * x), whatever the table's unit.

    Of the numbers within the noise it returns the one with the fewest decimals, as people write them.
    """
    places = np.arange(1, _LAST)
    arguments = places * (TABLE_REACHES["Swish"] / _LAST)
    above, below = table.lo[places].astype(np.float64), -table.le[_LAST - places].astype(np.float64)
    known = (above > 0) & (below > 0)
    if not known.any():
        return 1.0
    weights = (below * arguments)[known] ** 2  # a unit of a small entry is a large error of its logarithm
    betas = np.log(above[known] / below[known]) / arguments[known]
    beta = float((betas * weights).sum() / weights.sum())
    rounded = (round(beta, digits) for digits in range(_DIGITS + 1))
    return next((number for number in rounded if abs(number / beta - 1) < _NOISE), beta)
