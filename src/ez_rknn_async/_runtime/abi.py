"""The C declarations, as cffi sees them.

There is one text for C++ and for Python: the headers of ``native/include``. What cffi has made of them, of what stands
between two marker lines, is in :mod:`.declared`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .declared import ffi as _declared

NATIVE = Path(__file__).resolve().parent.parent / "_native"

# Not cffi's own type to the type checker: the fields of C structures are known to cffi alone.
ffi: Any = _declared
