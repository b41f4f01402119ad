# SPDX-License-Identifier: Apache-2.0
"""The stress machine as a program.

    python -m tests.stress --minutes 30
    python -m tests.stress --seed 17 --round 43      that round alone, as often as --times says

It prints the seed first; the exit status is 0 only if there was no violation.
"""

from __future__ import annotations

import argparse
import faulthandler
import itertools
import logging
import sys
import time
from collections.abc import Iterator

from . import report
from .ledger import Ledger
from .machine import LONGEST_ROUND, LogCounter, Machine, Round
from .scenario import PROFILES, Scenario, scenario
from .watchdog import Watchdog

PROGRESS = 10.0  # seconds between two lines


def main() -> int:
    """Play rounds until the time is over or a rule is broken."""
    arguments = _arguments()
    faulthandler.enable()
    sys.setswitchinterval(arguments.switch_interval)
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    ledger, playing = Ledger(), list[Scenario]()
    machine = Machine(ledger, arguments.slowness)
    watch(ledger)
    dog = Watchdog(
        LONGEST_ROUND * 1.5 * arguments.slowness,
        lambda: f"{_repeat(playing[-1])}\n{machine.describe()}" if playing else "before the first round",
    )
    dog.start()
    done = list[Round]()
    try:
        for number in _rounds(arguments):
            playing.append(scenario(seed, number, tuple(arguments.profile)))
            print(playing[-1], *((playing[-1].options, playing[-1].faults) if arguments.verbose else ()), flush=True)
            done.append(machine.play(playing[-1]))
            dog.feed()
            _say(done, ledger, arguments)
            if ledger.violation_count and not arguments.keep_going:
                break
    finally:
        if done:
            print(f"\n{report.operations(ledger)}\n\n{report.errors(ledger)}\n\n{report.resources(done)}\n")
    return _verdict(ledger, done, may_grow=arguments.memory_may_grow)


def watch(ledger: Ledger) -> None:
    """Watch the log, and exceptions that no caller could get."""
    logger = logging.getLogger("ez_rknn_async")
    logger.setLevel(logging.INFO)
    logger.addHandler(LogCounter(ledger))
    logger.propagate = False

    def unraisable(what: object) -> None:
        ledger.violate(f"an exception could not be raised: {what}")

    sys.unraisablehook = unraisable


def _verdict(ledger: Ledger, done: list[Round], *, may_grow: bool) -> int:
    for values in ([r.after.resident_kb for r in done], [r.after.device_kb for r in done]):
        if report.growth_kb(values) > report.ALLOWED_GROWTH_KB and not may_grow:
            ledger.violate(f"memory grows: {[value // 1024 for value in values]} MB")
    for text in ledger.violations:
        print(f"VIOLATION: {text}", file=sys.stderr)
    if ledger.violation_count:
        print(f"{ledger.violation_count} violations. {_repeat(done[-1].scenario)}", file=sys.stderr)
    else:
        print(f"{len(done)} rounds, nothing wrong")
    return 1 if ledger.violation_count else 0


def _repeat(which: Scenario) -> str:
    return f"{which}; to repeat it: make stress SEED={which.seed} ROUND={which.number}"


_said = [0.0]


def _say(done: list[Round], ledger: Ledger, arguments: argparse.Namespace) -> None:
    now = time.monotonic() - _BEGAN
    if now - _said[0] > PROGRESS or arguments.verbose:
        _said[0] = now
        print(report.progress(done, ledger, now), flush=True)


_BEGAN = time.monotonic()


def _rounds(arguments: argparse.Namespace) -> Iterator[int]:
    if arguments.round is not None:
        yield from itertools.repeat(arguments.round, arguments.times)
        return
    for number in itertools.count():
        if time.monotonic() - _BEGAN > arguments.minutes * 60 or number == arguments.rounds:
            return
        yield number


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.stress", description="Many threads do everything to sessions at once.")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=None, help="how many rounds at most")
    parser.add_argument("--seed", type=int, default=None, help="default: the time")
    parser.add_argument("--round", type=int, default=None, help="only this one")
    parser.add_argument("--times", type=int, default=1, help="how often that one (default: %(default)s)")
    parser.add_argument("--profile", action="append", choices=PROFILES, default=None, help="only rounds of this theme")
    parser.add_argument("--switch-interval", type=float, default=1e-6, help="of the interpreter, in seconds")
    parser.add_argument("--slowness", type=float, default=1.0, help="by how much limits are to be longer")
    parser.add_argument("--memory-may-grow", action="store_true", help="under a tool that keeps what was freed")
    parser.add_argument("--keep-going", action="store_true", help="go on after something was wrong")
    parser.add_argument("--verbose", action="store_true", help="describe each round")
    arguments = parser.parse_args()
    arguments.profile = arguments.profile or list(PROFILES)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
