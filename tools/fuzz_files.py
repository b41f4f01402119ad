# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of both parsers, sessions and runs with damaged model files: ``make fuzz-files N=20000 [SEED=1]``.

Each variant of a good model must run, or be refused with ``RknnModelError`` when it is opened, within 5 seconds (of
processor time, which is the same on a busy machine) and 500 MB. It prints the counts, keeps the variants that did not
in ``build/fuzz-files``, and exits with status 1 if there are any.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from pathlib import Path

from file_fuzzing import campaign
from file_fuzzing.bases import ROOT, base_models

FOLDER = ROOT / "build" / "fuzz-files"


def main() -> int:
    """Run the campaign and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, help="number of variants")
    parser.add_argument("seed", type=int, help="the same seed gives the same variants")
    parser.add_argument("--sessions", type=float, default=1.0, help="share that is opened and run, not only read")
    parser.add_argument("--jobs", type=int, help="number of processes (default: of processors)")
    parser.add_argument("--keep", type=Path, default=FOLDER, help="folder for the files of faults")
    arguments = parser.parse_args()
    bases = base_models()
    print(f"{arguments.count:,} variants of {len(bases)} models, seed {arguments.seed}", flush=True)
    shutil.rmtree(arguments.keep, ignore_errors=True)
    report = campaign.run(
        bases,
        arguments.count,
        arguments.seed,
        sessions=arguments.sessions,
        jobs=arguments.jobs,
        folder=arguments.keep,
    )
    print(report.table())
    for (outcome, text), count in Counter((fault.outcome, fault.text[:200]) for fault in report.faults).most_common(20):
        print(f"{count:>5}  {outcome}: {text}")
    if report.faults:
        print(f"the files are in {arguments.keep}")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
