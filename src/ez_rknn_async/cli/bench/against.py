# SPDX-License-Identifier: Apache-2.0
"""A verdict on figures against those of an earlier measurement, for CI.

Two measurements of the same thing differ. Each is cut into parts; as far as the parts of one measurement differ among
themselves, two measurements may differ for no reason. A row has become worse if it did so by more than the tolerance
*and* by more than this noise. Where the noise is larger than what one looks for, nothing can be said, and that is what
the verdict says.
"""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from ...errors import RknnValueError
from ..table import Table, folded
from .report import FORMAT, rounded
from .text import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

WORSE, UNCERTAIN = 3, 4  # the command's status

_SURE = 2.0  # standard deviations
_IDENTITY = ("model", "mode", "way", "in_flight", "rate", "arrivals")


class Change(Enum):
    """What became of a figure."""

    BETTER = "better"
    SAME = "the same"
    WORSE = "WORSE"
    UNCERTAIN = "cannot say"


@dataclass(frozen=True)
class Compared:
    """One figure of one row, then and now. ``change`` and ``noise`` are in percent; a positive change is better."""

    row: str
    figure: str
    old: float
    new: float
    change: float
    noise: float
    verdict: str


@dataclass(frozen=True)
class Verdict:
    """The verdict on all rows.

    Attributes:
        compared: the figures.
        notes: what else is different from then.
        tolerance: in percent.
    """

    compared: Sequence[Compared]
    notes: Sequence[str]
    tolerance: float

    @property
    def status(self) -> int:
        """The command's exit status."""
        verdicts = {each.verdict for each in self.compared}
        if Change.WORSE.value in verdicts:
            return WORSE
        return UNCERTAIN if Change.UNCERTAIN.value in verdicts else 0

    def describe(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "status": self.status,
            "tolerance": self.tolerance,
            "compared": [asdict(each) for each in self.compared],
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """Return it for people."""
        table = Table(["mode", "figure", "then", "now", "change (%)", "noise (%)", ""], ["noise (%)", "then"])
        for each in self.compared:
            table.row(each.row, each.figure, each.old, each.new, each.change, each.noise, each.verdict)
        said = {
            0: f"No row is worse by more than {self.tolerance:g} %.",
            WORSE: "At least one row has become worse by more than the tolerance and the noise.",
            UNCERTAIN: "Cannot say: the noise is larger than what is looked for. Measure longer (--seconds), on "
            "an idle machine, or accept more (--tolerance).",
        }[self.status]
        return table.render() + "\n" + folded("\n".join([*self.notes, said]))


def compare(then: Mapping[str, Any], now: Mapping[str, Any], tolerance: float, file: Path) -> Verdict:
    """Compare figures with earlier ones, which were read from a file.

    Raises:
        RknnValueError: they are of another kind, or of none of these rows.
    """
    if then["times"] != now["times"]:
        raise RknnValueError(f"{file} has times {then['times']}; now they are {now['times']}: they cannot be compared")
    earlier = {_identity(row): row for row in then["modes"]}
    pairs = [(earlier[_identity(row)], row) for row in now["modes"] if _identity(row) in earlier]
    if not pairs:
        raise RknnValueError(f"{file} has none of these rows; measure with the options that it was made with")
    labels = dict(zip(map(_identity, now["modes"]), labels_of(now["modes"])))
    compared = [each for old, new in pairs for each in compared_row(labels[_identity(new)], old, new, tolerance)]
    return Verdict(compared, list(_notes(then, now, len(now["modes"]) - len(pairs))), tolerance)


def read(file: Path) -> dict[str, Any]:
    """Read the figures that ``--save`` wrote.

    Raises:
        RknnValueError: the file holds none.
    """
    try:
        then = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RknnValueError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RknnValueError(f"{file} is no JSON; `ezrknn bench --save` writes what --against reads") from error
    if not isinstance(then, dict) or then.get("format") != FORMAT or not isinstance(then.get("modes"), list):
        raise RknnValueError(f"{file} was not written by this version's `ezrknn bench --save`")
    return then


def _identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in _IDENTITY)


def compared_row(label: str, old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float) -> Iterator[Compared]:
    """Yield throughput and median latency, each with its verdict."""
    for figure, block, sign in (("throughput (1/s)", "throughput", 1), ("p50 (ms)", "p50", -1)):
        before, after = (
            row["throughput"] if block == "throughput" else row["latency_ms"].get("p50") for row in (old, new)
        )
        if not before or not after:
            continue
        change = sign * 100 * (after - before) / before
        is_computed = old["host"] is None and new["host"] is None  # in virtual time nothing disturbs
        noise = 0.0 if is_computed else _noise(old["blocks"].get(block, []), new["blocks"].get(block, []))
        verdict = _verdict(change, noise, tolerance)
        noise = noise if math.isfinite(noise) else 100.0
        yield Compared(label, figure, before, after, rounded(change), rounded(noise), verdict.value)


def _noise(old: Sequence[float], new: Sequence[float]) -> float:
    """Return by how many percent two measurements may differ for no reason; infinite if that is not known."""
    if min(len(old), len(new)) < 2:
        return math.inf
    spreads = [statistics.stdev(values) / statistics.mean(values) for values in (old, new) if statistics.mean(values)]
    return 100 * _SURE * math.sqrt(sum(spread**2 for spread in spreads) / 2)


def _verdict(change: float, noise: float, tolerance: float) -> Change:
    if abs(change) > max(noise, tolerance):
        return Change.BETTER if change > 0 else Change.WORSE
    # Within the noise: if that is larger than the tolerance, something worse than it may hide there.
    return Change.SAME if noise <= max(tolerance, 1e-9) or change > noise else Change.UNCERTAIN


def _notes(then: Mapping[str, Any], now: Mapping[str, Any], unmatched: int) -> Iterator[str]:
    """Yield what is different besides the figures: reasons for a change that are not the program's."""
    if [model["sha256"] for model in then["models"]] != [model["sha256"] for model in now["models"]]:
        yield "The model's content is another than then."
    for key, called in (("soc", "SoC"), ("versions", "versions"), ("machine", "machine")):
        differing = _differing(called, then[key], now[key])
        if differing:
            yield f"Different from then: {'; '.join(differing)}."
    if unmatched:
        yield f"{unmatched} row(s) of now are not in the file."


def _differing(called: str, then: Any, now: Any) -> list[str]:
    if not isinstance(now, dict):
        return [] if then == now else [f"{called} {then}, now {now}"]
    # Clocks change by the moment; what they may be does not.
    keys = [key for key in now if key != "governors"]
    listed = [f"{key} {then.get(key)}, now {now[key]}" for key in keys if then.get(key) != now[key]]
    if "governors" in now:
        old, new = ({k: v["governor"] for k, v in each.get("governors", {}).items()} for each in (then, now))
        listed += [f"governor of {k} {old.get(k)}, now {new[k]}" for k in new if old.get(k) != new[k]]
    return listed
