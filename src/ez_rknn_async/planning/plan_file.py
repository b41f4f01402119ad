# SPDX-License-Identifier: Apache-2.0
"""A plan in TOML, or as the dictionary that TOML makes.

    soc = "rk3588"
    seconds = 10

    [[model]]
    file = "detector.rknn"
    schedule = [0, 1]
    deadline_ms = 50
    cameras = { fps = 25, count = 8 }

Every key is checked, and an unknown one refused: a misspelt deadline would be none.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from .._messages.wording import Wording, is_said, speaking
from .._options.provider_options import ProviderOptions
from .._options.soc import SOCS
from ..errors import RknnError, RknnTypeError, RknnValueError
from ..model import load
from .arrivals import Cameras, Closed, Kind, Rate, Trace
from .modelled import modelled_times
from .system import MOST_REQUESTS, Board, Times
from .system_plan import PlannedModel, SystemPlan

if TYPE_CHECKING:
    from collections.abc import Collection

PathOrPlan = Union[str, "os.PathLike[str]", Mapping[str, Any]]

OPTIONS = (
    "schedule", "tp_mode", "threads_per_core", "max_queue_size", "dispatch", "enable_pacing", "sequential_callbacks",
    "priority",
)  # fmt: skip
_PLAN = ("soc", "seconds", "seed", "percentile", "slowdown", "priorities", "model")
_KINDS = ("cameras", "rate", "poisson", "trace", "in_flight")
_TIMES = ("input_ms", "output_ms", "callback_ms")
_MODEL = ("name", "file", "npu_ms", "deadline_ms", *_TIMES, *_KINDS, *OPTIONS)
_FEWEST = "saturated"
_LONGEST_S = 86_400.0


def _written(name: str, value: Any) -> str:
    return f"{name} = {value!r}" if is_said(value) else name


_TOML = Wording("", "", False, _written)


def read_plan(plan: PathOrPlan) -> SystemPlan:
    """Read a plan from a TOML file, or take it as a dictionary.

    Paths in a file are relative to it, those in a dictionary to the working directory.

    Raises:
        RknnValueError, RknnTypeError: it says something that is not possible.
        RknnError: a file cannot be read, or the simulated NPU cannot load a model.
    """
    if isinstance(plan, Mapping):
        return _plan(plan, Path())
    path = Path(plan)
    with _named(str(path)):
        return _plan(_parsed(path), path.parent)


@contextlib.contextmanager
def _named(who: str) -> Any:
    """Put the name of the file or the model in front of what is wrong with it."""
    try:
        with speaking(_TOML):
            yield
    except RknnTypeError as error:
        raise RknnTypeError(f"{who}: {error}") from None
    except RknnValueError as error:
        raise RknnValueError(f"{who}: {error}") from None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        import tomllib as toml  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError:  # before Python 3.11
        try:
            import tomli as toml  # type: ignore[no-redef,import-not-found,unused-ignore]
        except ModuleNotFoundError:
            raise RknnError(
                "reading a plan needs the package tomli on this Python, and it is not installed",
                hint="install it with: pip install 'ez-rknn-async[plan]'",
            ) from None
    try:
        parsed: dict[str, Any] = toml.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RknnError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise RknnValueError(f"it is no TOML: {error}") from None
    return parsed


def _plan(given: Mapping[str, Any], folder: Path) -> SystemPlan:
    _check_keys(given, _PLAN, "a plan")
    models = given.get("model", [])
    if not isinstance(models, (list, tuple)) or not models or not all(isinstance(m, Mapping) for m in models):
        raise RknnValueError("a plan needs at least one model; write each as a table [[model]]")
    soc = given.get("soc") or _compiled_for(models, folder)
    if soc not in SOCS:
        raise RknnValueError(f"soc = {soc!r} is not one of {', '.join(SOCS)}")
    board = Board(soc, _slowdown(given.get("slowdown", {})), _switch(given, "priorities"))
    return SystemPlan(
        board,
        tuple(_model(model, number, board, folder) for number, model in enumerate(models)),
        seconds=_number(given, "seconds", 10.0, least=0.0, most=_LONGEST_S),
        seed=int(_number(given, "seed", 0, least=-1, most=2**31, whole=True)),
        percentile=_number(given, "percentile", 99.0, least=0.0, most=100.0),
    )


def _compiled_for(models: Any, folder: Path) -> str:
    """Return the SoC that the models were compiled for."""
    targets = set()
    for each in models:
        if "file" in each:
            with load(str(folder / _text(each, "file"))) as model:
                targets.add(model.target_platform)
    if len(targets) > 1:
        raise RknnValueError(f"the models were compiled for {' and '.join(sorted(targets))}; a board has one SoC")
    return targets.pop() if targets else "rk3588"


def _slowdown(given: Any) -> tuple[tuple[int, float], ...]:
    if not isinstance(given, Mapping) or not all(str(core).isdigit() for core in given):
        raise RknnTypeError("slowdown takes a factor for each slow core, such as { 1 = 2.0 }")
    return tuple((int(core), _number(given, core, 1.0, least=0.0, most=1e6)) for core in given)


def _model(given: Mapping[str, Any], number: int, board: Board, folder: Path) -> PlannedModel:
    name = _text(given, "name") if "name" in given else Path(str(given.get("file", f"model {number}"))).stem
    with _named(f"model {name!r}"):
        _check_keys(given, _MODEL, "a model")
        options = ProviderOptions.parse({key: given[key] for key in OPTIONS if key in given})
        deadline = _number(given, "deadline_ms", 0.0, least=0.0) if "deadline_ms" in given else None
        return PlannedModel(name, _times(given, board, folder), _kind(given, folder), options, deadline)


def _times(given: Mapping[str, Any], board: Board, folder: Path) -> Times:
    if ("file" in given) == ("npu_ms" in given):
        raise RknnValueError("give either the model's file, or the npu_ms that an inference takes")
    others: dict[str, Any] = {
        key.replace("_ms", "_ns"): _nanoseconds(_number(given, key, 0.0, least=-1e-9)) for key in _TIMES
    }
    if "npu_ms" in given:
        return replace(Times.fixed(_nanoseconds(_number(given, "npu_ms", 0.0, least=0.0))), **others)
    return modelled_times(str(folder / _text(given, "file")), board.soc, **others)


def _kind(given: Mapping[str, Any], folder: Path) -> Kind:
    kinds = [kind for kind in _KINDS if kind in given]
    if len(kinds) != 1:
        raise RknnValueError(f"say once when requests come, with one of {', '.join(_KINDS)}; {len(kinds)} are given")
    (kind,) = kinds
    if kind in ("rate", "poisson"):
        return Rate(_number(given, kind, 0.0, least=0.0), poisson=kind == "poisson")
    if kind == "trace":
        return Trace(_trace(folder / _text(given, kind)))
    if kind == "in_flight":
        full = given[kind] == _FEWEST
        return Closed(None if full else int(_number(given, kind, 1, least=0, most=1e6, whole=True)))
    cameras = given[kind]
    if not isinstance(cameras, Mapping) or "fps" not in cameras:
        raise RknnTypeError("cameras takes their fps, such as { fps = 25, count = 8 }")
    _check_keys(cameras, ("fps", "count", "jitter_ms"), "cameras")
    return Cameras(
        _number(cameras, "fps", 25.0, least=0.0),
        int(_number(cameras, "count", 1, least=0, most=1e6, whole=True)),
        _number(cameras, "jitter_ms", 0.0, least=-1e-9),
    )


def _trace(path: Path) -> tuple[int, ...]:
    """Read the times of requests: seconds, one a line; what follows a comma and lines that begin with # are skipped."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RknnError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    times = []
    for number, line in enumerate(lines, 1):
        text = line.split(",")[0].strip()
        if not text or text.startswith("#"):
            continue
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds <= _LONGEST_S:
            raise RknnValueError(f"line {number} of {path} is {text!r}, not a number of seconds from 0 on")
        times.append(_nanoseconds(seconds * 1e3))
    if len(times) > MOST_REQUESTS:
        raise RknnValueError(f"{path} has {len(times):,} requests; {MOST_REQUESTS:,} are the most")
    return tuple(sorted(times))


def _check_keys(given: Mapping[str, Any], known: Collection[str], what: str) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(known)}"
            raise RknnValueError(f"{key!r} is no key of {what}; {advice}")


def _number(
    given: Mapping[str, Any], key: str, default: float, *, least: float, most: float = 1e9, whole: bool = False
) -> float:
    """Return a number above ``least`` and up to ``most``."""
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (whole and value != int(value)):
        raise RknnTypeError(f"{key} = {value!r} is not a {'whole ' if whole else ''}number")
    if not least < value <= most:
        raise RknnValueError(f"{key} = {value!r} is not above {max(least, 0):g} and at most {most:g}")
    return value


def _text(given: Mapping[str, Any], key: str) -> str:
    value = given[key]
    if not isinstance(value, (str, os.PathLike)):
        raise RknnTypeError(f"{key} = {value!r} is not a text")
    return os.fspath(value)


def _switch(given: Mapping[str, Any], key: str) -> bool:
    value = given.get(key, False)
    if not isinstance(value, bool):
        raise RknnTypeError(f"{key} = {value!r} is neither true nor false")
    return value


def _nanoseconds(milliseconds: float) -> int:
    return round(milliseconds * 1e6)
