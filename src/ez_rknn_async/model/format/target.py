# SPDX-License-Identifier: Apache-2.0
"""A check that a model was compiled for the SoC it is about to run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import RknnModelError

if TYPE_CHECKING:
    from .container import Header
    from .file import Model

# The compiler's target for each SoC whose own name it does not write into the file. The others run only their own.
_TARGETS = {"rk3568": "rk3566", "rk3588s": "rk3588", "rk3588s2": "rk3588", "rk3576s": "rk3576", "rk3576j": "rk3576"}


def check_target(model: Model | Header, soc: str) -> None:
    """Raise ``RknnModelError`` unless ``soc`` (such as ``"rk3588"``) can run ``model``.

    RK3566 and RK3568 have the same NPU and run each other's models; every other SoC runs only its own.
    """
    compiled = model.target_platform.lower()
    wanted = soc.lower()
    if _TARGETS.get(compiled, compiled) != _TARGETS.get(wanted, wanted):
        raise RknnModelError(
            f"the model was compiled for {compiled or 'an unknown SoC'}, but this is {wanted}",
            hint=f"compile it again with target_platform={wanted!r}",
        )
