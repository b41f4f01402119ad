# SPDX-License-Identifier: Apache-2.0
"""The C declarations, as cffi sees them.

C++ and Python share one text, the headers of ``native/include``: :mod:`.declared` is what cffi has made of the part
between two marker lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .declared import ffi as _declared

NATIVE = Path(__file__).resolve().parent.parent / "_native"

# Any to the type checker: only cffi knows the fields of C structures.
ffi: Any = _declared
