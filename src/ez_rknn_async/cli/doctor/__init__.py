# SPDX-License-Identifier: Apache-2.0
"""``ezrknn doctor``: checks that models can run on this machine's NPU, with advice if they cannot."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..._host.files import publish_text
from ...errors import RknnValueError
from .board import check_board, has_rocket, soc_of
from .clocks import check_clocks
from .finding import Verdict, ok
from .software import check_model, check_named_runtime, check_runtime, check_simulator, find_runtime
from .tree import LiveTree, RecordedTree

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from .finding import Finding
    from .tree import Tree


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "doctor",
        help="check that models can run on this machine's NPU, and advise if they cannot",
        description="Look at the SoC, the kernel's driver, the device nodes, the runtime library and the clocks. The "
        "exit status is 1 if there is a problem.",
    )
    parser.add_argument("model", nargs="?", help="a .rknn file: is it for this SoC and this runtime?")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--record", metavar="FILE", help="write what was looked at to a file, for a bug report")
    parser.add_argument("--tree", metavar="FILE", help="examine such a file instead of this machine")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Examine the machine and print what was found."""
    live = LiveTree()
    tree: Tree = RecordedTree(_read(arguments.tree)) if arguments.tree else live
    if arguments.tree:
        findings = list(examine(tree, {}, arguments.model))
    else:
        findings = list(examine(tree, os.environ, arguments.model, simulator=True))
    if arguments.record:
        publish_text(live.recording() + "\n", Path(arguments.record))
    if arguments.json:
        print(json.dumps([{**vars(f), "status": f.status.value} for f in findings], indent=2))
    else:
        print("\n".join(_lines(findings)))
    return 1 if any(f.status is Verdict.PROBLEM for f in findings) else 0


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise RknnValueError(f"the recording {file} cannot be read: {error.strerror}") from error


def examine(
    tree: Tree, environment: Mapping[str, str], model: str | None = None, *, simulator: bool = False
) -> Iterator[Finding]:
    """Yield every finding, in the order in which things depend on each other.

    Args:
        tree: the machine.
        environment: its environment variables, which may name the runtime library.
        model: the path of a model to check against it.
        simulator: try the simulated NPU too, which is possible only for the machine that this runs on.
    """
    soc = soc_of(tree)
    runtime = None
    if soc is None:
        yield ok("SoC", "this machine has no Rockchip NPU: models run on the simulated one")
        yield from check_named_runtime(tree, environment)
    else:
        yield from check_board(tree, soc)
        if not has_rocket(tree):
            yield check_runtime(tree, environment)
        yield from check_clocks(tree)
        runtime = find_runtime(tree, environment)
    if simulator:
        yield check_simulator(is_needed=soc is None)
    if model is not None:
        yield from check_model(model, soc, runtime[1] if runtime else None)


def _lines(findings: list[Finding]) -> Iterator[str]:
    status = max(len(each.value) for each in Verdict)
    subject = max(len(finding.subject) for finding in findings)
    for finding in findings:
        yield f"{finding.status.value:<{status}}  {finding.subject:<{subject}}  {finding.text}"
        if finding.advice:
            yield f"{'':<{status}}  {'':<{subject}}  -> {finding.advice}"
    yield f"\n{_verdict(findings)}"


def _verdict(findings: list[Finding]) -> str:
    statuses = [finding.status for finding in findings]
    counted = " and ".join(
        f"{number} {status.value}{'s' if number > 1 else ''}"
        for status in (Verdict.PROBLEM, Verdict.WARNING)
        if (number := statuses.count(status))
    )
    if Verdict.PROBLEM in statuses:
        return f"Not ready: {counted}. Each -> says what to do."
    return f"Ready, with {counted}." if counted else "Ready."
