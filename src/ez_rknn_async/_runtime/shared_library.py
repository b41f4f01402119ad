# SPDX-License-Identifier: Apache-2.0
"""Shared libraries under any name that a file can have.

cffi's own ``dlopen()`` takes only names that the file system's encoding has, and looks for what it does not find under
other names too. The C library's takes bytes.
"""

from __future__ import annotations

import os
from typing import Any

from .abi import ffi

RTLD_NOW_LOCAL: int = ffi.RTLD_NOW | ffi.RTLD_LOCAL
RTLD_NOW_GLOBAL: int = ffi.RTLD_NOW | ffi.RTLD_GLOBAL


class Functions:
    """The functions of a loaded library, as far as :mod:`.abi` declares them, as attributes."""

    def __init__(self, library: Any) -> None:
        # In a tuple: a late monkey_patch() of eventlet visits attributes, lists and dictionaries, and asks the library
        # for every function that is declared, which it need not have.
        self._library = (library,)

    def __getattr__(self, name: str) -> Any:
        (library,) = self._library
        try:
            function = getattr(library, name)
        except ffi.error as error:
            raise AttributeError(str(error)) from None
        return self.__dict__.setdefault(name, function)


_c: Any = Functions(ffi.dlopen(None))
# Looked up now: the lookup of dlerror() calls the loader itself, which would clear the error to report.
_dlopen, _dlerror, _dlclose = _c.dlopen, _c.dlerror, _c.dlclose


class SharedLibrary:
    """A library that the dynamic loader has loaded; it stays loaded until :meth:`unload`, if that is ever called.

    Attributes:
        functions: its functions.
    """

    def __init__(self, path: str, flags: int = RTLD_NOW_LOCAL) -> None:
        """Load the library at ``path``; a name without a slash is looked for where the loader looks.

        Raises:
            OSError: it cannot be loaded; the text is the loader's.
        """
        self._handle = _dlopen(os.fsencode(path), flags)
        if self._handle == ffi.NULL:
            raise OSError(ffi.string(_dlerror()).decode("utf-8", "backslashreplace"))
        self.functions: Any = Functions(ffi.dlopen(self._handle))

    def has(self, function: str) -> bool:
        """Check if it exports a function of that name."""
        return hasattr(self.functions, function)

    def unload(self) -> None:
        """Unload it; nothing of it may be in use."""
        _dlclose(self._handle)
