# SPDX-License-Identifier: Apache-2.0
"""Plug-ins: shared libraries that bring a custom operator to the runtime.

A plug-in exports one function, ``get_rknn_custom_op``, whose answer describes one operator: its type, and the C
functions that compute it. Everything that can be wrong with that is found here, with a clear message, before a context
knows of it.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import RknnValueError
from .abi import ffi
from .shared_library import SharedLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTRY = "get_rknn_custom_op"
TARGETS = {1: "CPU", 2: "GPU"}  # rknn_target_type


@dataclass(frozen=True)
class Plugin:
    """A loaded plug-in; it is never unloaded, as the runtime may still have its functions.

    Attributes:
        path: where it was loaded from.
        operator: the type of its operator, as in the model: ``"cstSoftmax"``.
        version: of the operator.
        target: what computes it, ``"CPU"`` or ``"GPU"``.
        structure: its ``rknn_custom_op *``.
    """

    path: str
    operator: str
    version: int
    target: str
    structure: Any

    @property
    def identity(self) -> tuple[str, int, str]:
        """The key that no two plug-ins of one session may share."""
        return self.operator, self.version, self.target

    def __str__(self) -> str:
        return f"{self.operator} version {self.version} for the {self.target}"


def load_plugin(path: str) -> Plugin:
    """Load the plug-in at ``path``.

    Raises:
        RknnValueError: there is no such file, or it is not a plug-in.
    """
    if not os.path.isfile(path):
        raise RknnValueError(f"the plug-in {path} cannot be loaded: there is no such file")
    return _load(os.path.abspath(path))


def array_of(plugins: Sequence[Plugin]) -> Any:
    """Return the operators as ``rknn_register_custom_ops`` takes them: a C array, which owns its memory."""
    array = ffi.new("rknn_custom_op[]", len(plugins))
    for place, plugin in enumerate(plugins):
        array[place] = plugin.structure[0]
    return array


@functools.cache
def _load(path: str) -> Plugin:
    library = _open(path)
    try:
        plugin = _read(path, library)
    except RknnValueError:
        library.unload()  # or the next try would find this one, even if the file has been fixed
        raise
    return plugin


def _read(path: str, library: SharedLibrary) -> Plugin:
    if not library.has(ENTRY):
        raise RknnValueError(f"{path} is not a plug-in with a custom operator: it does not export {ENTRY}()")
    structure = getattr(library.functions, ENTRY)()
    if structure == ffi.NULL:
        raise RknnValueError(f"{path} gives no custom operator: its {ENTRY}() returned NULL")
    plugin = Plugin(path, _type(path, structure), structure.version, _target(path, structure), structure)
    if structure.compute == ffi.NULL:
        raise RknnValueError(f"{path}: the custom operator {plugin.operator} has no function compute")
    return plugin


def _open(path: str) -> SharedLibrary:
    try:
        return SharedLibrary(path)
    except OSError as error:
        hint = None
        if "librknnrt.so" in str(error):
            hint = "link the plug-in without -lrknnrt: the session lets it find the runtime's functions"
        raise RknnValueError(f"the plug-in {path} cannot be loaded: {error}", hint=hint) from error


def _type(path: str, structure: Any) -> str:
    name: bytes = ffi.string(structure.op_type)
    if not name or len(name) == len(structure.op_type):
        raise RknnValueError(f"{path}: the op_type of its custom operator is {'too long' if name else 'empty'}")
    return name.decode("utf-8", "replace")


def _target(path: str, structure: Any) -> str:
    number = int(ffi.cast("int", structure.target))
    if number not in TARGETS:
        possible = " and ".join(f"{name} ({value})" for value, name in TARGETS.items())
        raise RknnValueError(f"{path}: its custom operator is for target {number}; the targets are {possible}")
    return TARGETS[number]
