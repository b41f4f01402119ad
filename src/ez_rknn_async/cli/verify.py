# SPDX-License-Identifier: Apache-2.0
"""``ezrknn verify``: a compiled file against the ONNX file that it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from .._host.files import publish_text
from .conversion_text import render
from .convert import add_verification_flags
from .extras import extra

if TYPE_CHECKING:
    import argparse


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "verify",
        help="measure a .rknn file against its ONNX original",
        description="Run a compiled file on the simulated NPU and its original in ONNX Runtime, and report how "
        "far they "
        "agree. Exit status 1 if the file is of no use; the reason comes first.",
    )
    parser.add_argument("model", help="the .rknn file")
    parser.add_argument("--onnx", required=True, metavar="FILE", help="the ONNX file that it was compiled from")
    parser.add_argument(
        "--images",
        nargs="+",
        default=[],
        metavar="PATH",
        help="samples: folders, images, .npy, .npz, or a list in a .txt",
    )
    add_verification_flags(parser)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page, too")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Verify, and print the report."""
    with extra("convert", "ezrknn verify"):
        from ..converting.api import verify
        from ..converting.web_page import page
    report = verify(
        arguments.model,
        arguments.onnx,
        images=arguments.images,
        min_cosine=arguments.min_cosine,
        verify_on=arguments.verify_on,
    )
    if arguments.html:
        publish_text(page(report), arguments.html)
    print(json.dumps(report.as_dict(), indent=1) if arguments.json else render(report))
    return 0 if report.usable else 1
