# SPDX-License-Identifier: Apache-2.0
"""The SoCs, and the number of NPU cores of each."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import RknnModelError


@dataclass(frozen=True)
class Soc:
    """One SoC by the name that the compiler uses for it, such as ``"rk3588"``."""

    name: str
    cores: int

    @property
    def core_names(self) -> str:
        """Its cores as a phrase for messages."""
        return "core 0 only" if self.cores == 1 else f"cores 0 to {self.cores - 1}"


# From Rockchip's manuals.
SOCS = {
    name: Soc(name, cores)
    for name, cores in {
        "rk3588": 3,
        "rk3576": 2,
        "rk3566": 1,
        "rk3568": 1,
        "rk3562": 1,
        "rv1126b": 1,
    }.items()
}


def soc(name: str) -> Soc:
    """Return the SoC of that name.

    Raises:
        RknnModelError: this package does not know it.
    """
    if name not in SOCS:
        raise RknnModelError(
            f"the model is for {name!r}, an SoC that this package does not know",
            hint=f"it knows {', '.join(SOCS)}",
        )
    return SOCS[name]
