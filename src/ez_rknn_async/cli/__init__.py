"""The ``ezrknn`` command: one module a subcommand.

A subcommand is a module with ``register(subcommands)``, which adds its parser and names its ``handler``; the handler
takes the parsed arguments and returns the exit status.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import TYPE_CHECKING

from .. import __version__
from . import bench, compare, doctor, export, info, run, simulator

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 only if it is all right."""
    parsed = parser().parse_args(arguments)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for the commands that compute with ONNX Runtime themselves
    logging.basicConfig(level=logging.DEBUG if parsed.debug else logging.WARNING, format="%(levelname)s %(message)s")
    try:
        status: int = parsed.handler(parsed)
    except BrokenPipeError:
        # Whoever read us (head, less) has seen enough.
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if parsed.debug:
            raise
        print(f"ezrknn: {error}", file=sys.stderr)
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(
        prog="ezrknn", description="Look at, run and measure .rknn models, on a Rockchip NPU or a simulated one."
    )
    root.add_argument("--version", action="version", version=f"ezrknn {__version__}")
    root.add_argument("--debug", action="store_true", help="log everything, and show tracebacks")
    subcommands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (info, run, bench, export, compare, doctor, simulator):
        command.register(subcommands)
    return root
