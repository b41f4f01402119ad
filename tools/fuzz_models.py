# SPDX-License-Identifier: Apache-2.0
"""A comparison of the simulated NPU with the official simulator on random models.

Two steps, because the compiler and this package are seldom installed in the same environment::

    toolkit/bin/python tools/fuzz_models.py make 40 FOLDER    # needs rknn-toolkit2; optional: the first seed
    python tools/fuzz_models.py compare FOLDER                # needs this package; also takes tests/data

``random_models`` describes the models: single operators, blocks, networks, sequences and what training leaves behind,
for a random SoC and in a random precision. Seeds make them the same every time; ``--kind`` makes all of one kind.
``compare`` prints the score of each kind and of all, the models that the compiler refused, and every model below the
threshold, with the reason if it is known; it exits with status 1 if these are more than :data:`scoring.REQUIRED`
allows. ``make fuzz-models`` does both.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def make_models(count: int, folder: Path, first_seed: int, kind: str | None, jobs: int) -> None:
    """Compile ``count`` models into ``folder``; print refusals of the compiler and note them in the manifest."""
    from random_models import subject
    from random_models.compiling import compile_all
    from recording import write_manifest

    folder.mkdir(parents=True, exist_ok=True)
    subjects = (subject(seed, kind) for seed in range(first_seed, first_seed + count))
    described = []
    for entry in compile_all(subjects, folder, jobs):
        described.append(entry)
        if "refused" in entry:
            print(f"{entry['name']} {entry['kind']} {entry['form']}: {entry['refused']}", file=sys.stderr)
    described.sort(key=lambda entry: int(entry["name"][len("fuzz") :]))
    write_manifest(folder, described)


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="compile random models")
    making.add_argument("count", type=int)
    making.add_argument("folder", type=Path)
    making.add_argument("seed", type=int, nargs="?", default=0, help="the first one")
    making.add_argument("--kind", help="all of this kind: operator, block, network, sequence or trained")
    making.add_argument("--jobs", type=int, default=2, help="number to compile at a time")
    comparing = commands.add_parser("compare", help="run compiled models and compare")
    comparing.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    if given.command == "make":
        make_models(given.count, given.folder, given.seed, given.kind, given.jobs)
        return 0
    from scoring import compare

    return 0 if compare(given.folder) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
