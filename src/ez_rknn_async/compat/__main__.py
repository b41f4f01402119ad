# SPDX-License-Identifier: Apache-2.0
"""``python -m ez_rknn_async.compat STAND_IN PROGRAM ARGS…``: run a program with a stand-in installed."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import runpy
import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# The function that puts each in place, as module:name.
STAND_INS = {
    "rknnlite": "ez_rknn_async.compat.rknnlite:install_as_rknnlite",
    "onnxruntime": "ez_rknn_async.compat.install_onnxruntime:install_as_onnxruntime",
}


def main(arguments: Sequence[str]) -> None:
    """Install a stand-in and become the program."""
    parser = argparse.ArgumentParser(
        prog="python -m ez_rknn_async.compat",
        usage="%(prog)s STAND_IN (PROGRAM | -m MODULE) [ARGUMENT ...]",
        description="Run an existing program, unchanged, with the module that it imports replaced by a stand-in.",
    )
    parser.add_argument("stand_in", metavar="STAND_IN", choices=STAND_INS, help=", ".join(STAND_INS))
    parser.add_argument("program", metavar="PROGRAM", nargs=argparse.REMAINDER, help="a Python file, or -m MODULE")
    parsed = parser.parse_args(arguments)
    as_module = parsed.program[:1] == ["-m"]
    program = parsed.program[as_module:]
    if not program:
        parser.error("name the program to run, or -m and a module")
    if as_module:
        sys.argv = list(program)
    else:
        sys.argv = [_script(parser, program[0]), *program[1:]]
        sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[0]))  # as python PROGRAM does
    _show_messages()
    # After the search path is the program's: a stand-in may be found by it.
    module, _, function = STAND_INS[parsed.stand_in].partition(":")
    getattr(importlib.import_module(module), function)()
    if as_module:
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


def _show_messages() -> None:
    """Show on standard error what the stand-in decides: the program knows nothing of it."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logger = logging.getLogger(__package__)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _script(parser: argparse.ArgumentParser, program: str) -> str:
    """The program's path; a name without a slash may also be a command that pip installed."""
    found = program if os.path.exists(program) else shutil.which(program)
    if found is None:
        parser.error(f"there is no file {program!r}, and no such command")
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
