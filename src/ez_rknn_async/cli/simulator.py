# SPDX-License-Identifier: Apache-2.0
"""``ezrknn simulator``: the paths of the simulated NPU, for programs that load it themselves."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from .._runtime.abi import NATIVE
from .._runtime.locate import SIMULATOR_LIBRARY

if TYPE_CHECKING:
    import argparse


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "simulator",
        help="print the paths of the simulated NPU",
        description="Print where the simulated librknnrt.so and its headers are, for linking a C program against it or "
        "for the environment variable of another runtime.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--library", action="store_true", help="the path of librknnrt.so")
    which.add_argument("--include", action="store_true", help="the folder with rknn_abi.h")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the path that was asked for."""
    path = os.fsencode(SIMULATOR_LIBRARY if arguments.library else NATIVE / "include")
    sys.stdout.flush()
    sys.stdout.buffer.write(path + b"\n")  # unescaped, as a shell is to use it
    return 0
