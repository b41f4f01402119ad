# SPDX-License-Identifier: Apache-2.0
"""The ``ezrknn`` command: one module a subcommand.

A subcommand is a module with ``register(subcommands)``, which adds its parser and names its ``handler``; the handler
takes the parsed arguments and returns the exit status.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import logging
import os
import sys
import warnings
from typing import TYPE_CHECKING

from .. import __version__
from .._messages.wording import speaking
from ..errors import RknnError
from . import (
    bench,
    compare,
    compat,
    completion,
    convert,
    doctor,
    export,
    info,
    plan,
    run,
    serve,
    simulator,
    toolkit,
    tune,
    verify,
)
from .flags import COMMAND_LINE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 only if it is all right."""
    _let_print_any_name()
    parsed = parser().parse_args(arguments)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for the commands that compute with ONNX Runtime themselves
    logging.basicConfig(level=logging.DEBUG if parsed.debug else logging.WARNING, format="%(levelname)s %(message)s")
    with speaking(COMMAND_LINE):
        return _handled(parsed)


def _handled(parsed: argparse.Namespace) -> int:
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            status: int = parsed.handler(parsed)
            sys.stdout.flush()  # here, where an error has words and a status
    except BrokenPipeError:
        # The reader of the output (head, less) has seen enough.
        sys.stderr.close()
        return 1
    except OSError as error:
        if parsed.debug:
            raise
        print(f"ezrknn: {_line(error)}", file=sys.stderr)
        _forget_output()
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if parsed.debug:
            raise
        print(f"ezrknn: {_line(error)}", file=sys.stderr)
        return 1
    return status


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with arguments in one line, as all other errors are said."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}; see {self.prog} --help\n")


def _forget_output() -> None:
    """Send what is left of the output nowhere if it cannot be written, or its end would say so once more."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _let_print_any_name() -> None:
    """Escape what the terminal or pipe cannot show, as standard error does, unless the user chose another handler."""
    if sys.stdout is None:  # the parent process closed it: nothing is to be shown
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
        stream.reconfigure(errors="backslashreplace")


def _line(error: Exception) -> str:
    """Return an error as one line: its own words if they are ours or the system's, otherwise with its type."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the output cannot be written: {error.strerror}"
    if isinstance(error, (RknnError, OSError)):
        return text
    return f"{type(error).__name__}: {text} (--debug shows where)"


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    print(f"ezrknn: warning: {message}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root: argparse.ArgumentParser = _Parser(
        prog="ezrknn", description="Look at, run and measure .rknn models, on a Rockchip NPU or a simulated one."
    )
    root.add_argument("--version", action="version", version=f"ezrknn {__version__}")
    root.add_argument("--debug", action="store_true", help="log everything, and show tracebacks")
    subcommands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (
        info,
        run,
        serve,
        bench,
        plan,
        toolkit,
        convert,
        verify,
        tune,
        export,
        compare,
        doctor,
        simulator,
        compat,
    ):
        command.register(subcommands)
    completion.register(subcommands, parser)
    return root
