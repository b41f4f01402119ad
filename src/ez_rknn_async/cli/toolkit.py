# SPDX-License-Identifier: Apache-2.0
"""``ezrknn toolkit``: the vendor's compiler, in an environment of its own."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..converting import toolkit
from ..errors import RknnError
from .table import Table

if TYPE_CHECKING:
    import argparse


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "toolkit",
        help="show or install the vendor's compiler",
        description="Show the environments that have rknn-toolkit2, the vendor's compiler, or install one: under the "
        "user's data directory, never in the environment of this command.",
    )
    parser.add_argument("action", nargs="?", choices=("show", "install"), default="show")
    parser.add_argument(
        "version", nargs="?", default=toolkit.DEFAULT_VERSION, help=f"default: {toolkit.DEFAULT_VERSION}"
    )
    parser.add_argument("--toolkit-python", metavar="PYTHON", help="look at this Python instead")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Install, or say what is there: exit status 1 if nothing is."""
    if arguments.action == "install":
        toolkit.install(arguments.version, lambda text: print(text, file=sys.stderr))
    found = [_described(environment) for environment in _environments(arguments.toolkit_python)]
    if arguments.json:
        print(json.dumps({"folder": str(toolkit.data_directory()), "environments": found}, indent=1))
    else:
        print(_table(found))
    return 0 if any(environment["problem"] is None for environment in found) else 1


def _environments(python: str | None) -> list[toolkit.Environment]:
    if python:
        return [toolkit.find(python)]
    try:
        return list(dict.fromkeys((toolkit.find(), *toolkit.installed())))
    except RknnError:
        return []


def _described(environment: toolkit.Environment) -> dict[str, Any]:
    from ..converting.conversation import versions

    with tempfile.TemporaryDirectory(prefix="ezrknn-toolkit-") as folder:
        try:
            known = versions(environment, Path(folder))
        except RknnError as error:
            return {"python": str(environment.python), "toolkit": None, "python_version": None, "problem": str(error)}
    return {
        "python": str(environment.python),
        "toolkit": known["toolkit"],
        "python_version": known["python"],
        "problem": None,
    }


def _table(found: list[dict[str, Any]]) -> str:
    if not found:
        return f"rknn-toolkit2 is not installed: 'ezrknn toolkit install' puts it under {toolkit.data_directory()}"
    table = Table(["rknn-toolkit2", "Python", "interpreter", ""])
    for each in found:
        table.row(each["toolkit"], each["python_version"], each["python"], each["problem"] or "")
    return table.render()
