# SPDX-License-Identifier: Apache-2.0
"""``python -m ez_rknn_async.compat NAME PROGRAM ARGS…``: run a program with a stand-in for a package it imports."""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# The function that puts each in place, as module:name.
STAND_INS = {
    "rknnlite": "ez_rknn_async.compat.rknnlite:install_as_rknnlite",
}
_USAGE = f"usage: python -m ez_rknn_async.compat {{{','.join(STAND_INS)}}} (PROGRAM | -m MODULE) [ARGS ...]"


def main(arguments: Sequence[str]) -> int:
    """Run a program as Python would, but with a stand-in; return 2 if the arguments name none."""
    name, program = arguments[:1], list(arguments[1:])
    as_module = program[:1] == ["-m"]
    program = program[as_module:]
    if not name or name[0] not in STAND_INS or not program:
        print(_USAGE, file=sys.stderr)
        return 2
    sys.argv = program
    if not as_module and not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.path.dirname(os.path.abspath(program[0]))  # instead of the working directory
    module, _, function = STAND_INS[name[0]].partition(":")
    getattr(importlib.import_module(module), function)()
    if as_module:
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(program[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
