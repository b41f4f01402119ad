# SPDX-License-Identifier: Apache-2.0
"""Core masks: what ``core_mask`` means on the SoC that a model is for."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import RknnTypeError, RknnValueError

if TYPE_CHECKING:
    from ..._options.soc import Soc

# Under the names that follow NPU_CORE_ in RKNNLite.
CORE_MASKS = {"AUTO": 0, "0": 1, "1": 2, "2": 4, "0_1": 3, "0_1_2": 7, "ALL": 0xFFFF}
# On an SoC with two cores, programs for three go on with those that there are.
_ON_TWO_CORES = {7: 3, 4: 1}
_TP_MODES = {0: "auto", 1: "0", 2: "1", 4: "2", 3: "0,1", 7: "0,1,2", 0xFFFF: "all"}


class Cores(NamedTuple):
    """The cores of one object.

    Attributes:
        tp_mode: the provider option that stands for them.
        warning: how they differ from what was asked for; "" if they do not.
    """

    tp_mode: str
    warning: str = ""


def cores_of(core_mask: Any, soc: Soc) -> Cores:
    """Translate a mask into the cores of an SoC.

    Raises:
        RknnValueError, RknnTypeError: it is none of RKNNLite's masks.
    """
    mask = _checked(core_mask)
    if soc.cores == 1 and mask:
        return Cores("auto", f"core_mask={mask} is ignored: {soc.name} has one core")
    if soc.cores == 2 and mask in _ON_TWO_CORES:
        instead = _ON_TWO_CORES[mask]
        return Cores(_TP_MODES[instead], f"core_mask={mask} is taken for {instead}: {soc.name} has cores 0 and 1")
    return Cores(_TP_MODES[mask])


def _checked(core_mask: Any) -> int:
    try:
        mask = operator.index(core_mask)
    except TypeError:
        raise RknnTypeError(f"core_mask takes one of RKNNLite.NPU_CORE_..., not {core_mask!r}") from None
    if mask not in _TP_MODES:
        known = ", ".join(f"NPU_CORE_{name} ({value})" for name, value in CORE_MASKS.items())
        raise RknnValueError(f"core_mask={mask} is none that the runtime knows; use {known}")
    return mask
