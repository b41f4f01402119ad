# SPDX-License-Identifier: Apache-2.0
"""The checks of options: whatever form programs and configuration files use becomes one checked value.

A refusal names the option, what was given and what is possible.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

from .._host.paths import checked_path
from .._messages.wording import option, shown
from ..errors import RknnTypeError, RknnValueError
from .option import Check

PathLike = Union[str, os.PathLike[str]]

ALL_CORES = "all"
_TP_MODES = ("auto", "all", "0", "1", "2", "0,1", "0,1,2")
_SWITCHES = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}


def one_of(spellings: Mapping[str, str]) -> Check[str]:
    """Check a name, in upper or lower case.

    Args:
        spellings: each spelling, and the name that it stands for.
    """

    def parse(key: str, given: Any) -> str:
        if not isinstance(given, str):
            raise RknnTypeError(f"{option(key)} takes a string, not {shown(given)}; one of {', '.join(spellings)}")
        if given.lower() not in spellings:
            raise RknnValueError(f"{option(key, given)} is not one of {', '.join(spellings)}")
        return spellings[given.lower()]

    choices = tuple(dict.fromkeys(spellings.values()))
    return Check(parse, "str", ", ".join(_with_synonyms(choice, spellings) for choice in choices), choices)


def names(*choices: str) -> Check[str]:
    """Check one of these names, each with a single spelling."""
    return one_of({choice: choice for choice in choices})


def _with_synonyms(choice: str, spellings: Mapping[str, str]) -> str:
    synonyms = [f'`"{name}"`' for name, meant in spellings.items() if meant == choice != name]
    return f'`"{choice}"`' + (f" (= {', '.join(synonyms)})" if synonyms else "")


def _switch(key: str, given: Any) -> bool:
    if isinstance(given, str) and given.strip().lower() in _SWITCHES:
        return _SWITCHES[given.strip().lower()]
    try:
        return bool(operator.index(given))
    except TypeError:
        raise RknnTypeError(
            f"{option(key)} takes True or False (or one of {', '.join(_SWITCHES)}), not {shown(given)}"
        ) from None


def _at_least_1(key: str, given: Any) -> int:
    number = _integer(key, given)
    if number < 1:
        raise RknnValueError(f"{option(key, given)} must be at least 1")
    if number > 2**31 - 1:
        raise RknnValueError(f"{option(key, given)} must be below 2**31")
    return number


def _not_negative(key: str, given: Any) -> int:
    return 0 if _integer(key, given) == 0 else _at_least_1(key, given)


def _integer(key: str, given: Any) -> int:
    if isinstance(given, str) and re.fullmatch(r"\s*[+-]?\d+\s*", given):
        return int(given)
    try:
        return operator.index(given)
    except TypeError:
        raise RknnTypeError(f"{option(key)} takes an integer, not {shown(given)}") from None


def _schedule(key: str, given: Any) -> tuple[int, ...] | str:
    if isinstance(given, str):
        if given.strip().lower() == ALL_CORES:
            return ALL_CORES
        parts: Sequence[Any] = re.sub(r"^\s*[\[(](.*)[\])]\s*$", r"\1", given).replace(",", " ").split()
    elif hasattr(given, "__iter__") and not isinstance(given, Mapping):
        parts = list(given)
    else:
        parts = [given]
    try:
        cores = tuple(_integer(key, part) for part in parts)
    except RknnTypeError:
        raise RknnTypeError(f"{option(key)} takes a core, a sequence of cores or 'all', not {shown(given)}") from None
    if not cores:
        raise RknnValueError(f"{option(key, given)} names no core; for example {option(key, [0, 1, 2])}")
    if min(cores) < 0:
        raise RknnValueError(f"{option(key, given)} names core {min(cores)}; cores are numbered from 0")
    return cores


def _tp_mode(key: str, given: Any) -> str:
    choices = ", ".join(repr(mode) for mode in _TP_MODES)
    if not isinstance(given, str):
        raise RknnTypeError(f"{option(key)} takes a string, not {shown(given)}; one of {choices}")
    mode = given.replace(" ", "").lower()
    if mode not in _TP_MODES:
        raise RknnValueError(f"{option(key, given)} is not one of {choices}")
    return mode


def _paths(key: str, given: Any) -> tuple[str, ...]:
    is_one = isinstance(given, (str, bytes, os.PathLike)) or not hasattr(given, "__iter__")
    return tuple(_path(key, item) for item in ([given] if is_one else given))


def _path(key: str, given: Any) -> str:
    return checked_path(option(key), given)


def _simulator(key: str, given: Any) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        return ",".join(f"{name}={value}" for name, values in given.items() for value in _several(values))
    raise RknnTypeError(
        f"{option(key)} takes a dictionary or a string such as 'timing=fixed:2000,compute=off', not {shown(given)}"
    )


def _several(values: Any) -> Sequence[Any]:
    """Return a setting's values: a list or tuple gives it several times."""
    return values if isinstance(values, (list, tuple)) else [values]


SWITCH = Check(_switch, "bool", "`True` or `False`")
AT_LEAST_1 = Check(_at_least_1, "int", "at least 1")
TIME_LIMIT = Check(_not_negative, "int", "at least 1; 0: never")
NUMBER_OF_CORES = Check(_not_negative, "int", "a number of cores; 0: as the runtime does")
SCHEDULE = Check(
    _schedule, "Union[int, str, Sequence[int]]", 'a core, a sequence of cores, a string (`"0,1,2"`), `"all"`'
)
TP_MODE = Check(_tp_mode, "str", ", ".join(f'`"{mode}"`' for mode in _TP_MODES), _TP_MODES)
PLUG_INS = Check(_paths, "Union[PathLike, Sequence[PathLike]]", "a path, or several")
RUNTIME_LIBRARY = Check(_path, "PathLike", 'a path, `"simulator"`')
SIMULATOR = Check(_simulator, "Union[str, Mapping[str, Any]]", "a dictionary or a string")

# Each spelling of a kind of NPU memory.
MEM_FLAGS = {
    "default": "default",
    "cacheable": "cacheable",
    "non_cacheable": "non_cacheable",
    "non-cacheable": "non_cacheable",
    "uncached": "non_cacheable",
    "try_sram": "try_sram",
    "sram": "try_sram",
}
LAYOUT = one_of(
    {
        "nchw": "nchw",
        "original": "nchw",
        "nhwc": "nhwc",
        "nchw_software": "nchw",
        "original_software": "nchw",
        "any": "any",
    }
)
OUTPUT_DTYPE = names("float32", "native")
OUTPUT_LAYOUT = one_of({"nchw": "nchw", "original": "nchw", "nhwc": "nhwc"})
