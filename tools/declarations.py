# SPDX-License-Identifier: Apache-2.0
"""The writer of cffi's compiled C declarations, so that no program has to parse the headers.

    python tools/declarations.py

reads ``native/include`` and writes ``src/ez_rknn_async/_runtime/declared.py``. ``make declarations`` runs it; a test
checks that the file is up to date. Parsing takes a tenth of a second, importing the result half a millisecond.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cffi

ROOT = Path(__file__).resolve().parent.parent
HEADERS = ("rknn_abi.h", "ez_rknn_kernels.h", "ez_rknn_engine.h", "ez_rknn_simulator.h")
# From the C library, for shared_library.py.
LOADER = "void *dlopen(const char *, int); char *dlerror(void); int dlclose(void *);"
MODULE = "ez_rknn_async._runtime.declared"
FILE = ROOT / "src" / (MODULE.replace(".", "/") + ".py")
DOCSTRING = (
    "# SPDX-License-Identifier: Apache-2.0\n"
    '"""The C declarations of ``native/include``, compiled by cffi: written by ``make declarations``."""\n'
)


def declarations(header: str) -> str:
    """Return the part of a header that is meant for cffi."""
    return header.split("/* cffi: begin */", 1)[1].split("/* cffi: end */", 1)[0]


def compiled() -> str:
    """Return the text of the module."""
    ffi = cffi.FFI()
    ffi.set_source(MODULE, None)
    for name in HEADERS:
        ffi.cdef(declarations((ROOT / "native" / "include" / name).read_text(encoding="utf-8")))
    ffi.cdef(LOADER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "declared.py")
        ffi.emit_python_code(str(path))
        return DOCSTRING + path.read_text(encoding="utf-8")


if __name__ == "__main__":
    FILE.write_text(compiled(), encoding="utf-8")
