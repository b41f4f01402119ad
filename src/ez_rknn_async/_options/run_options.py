# SPDX-License-Identifier: Apache-2.0
"""Options of one call of ``run``: a dictionary, or ``RunOptions`` as ONNX Runtime has it."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Union

from .._messages.wording import shown
from .._tensors.outputs import AS_THE_SESSION, Choice
from ..errors import RknnError, RknnTypeError, RknnValueError
from .checks import OUTPUT_DTYPE, OUTPUT_LAYOUT, SWITCH
from .option import Option
from .ort_attributes import Attributes

logger = logging.getLogger("ez_rknn_async")

DISPATCH_BATCH = "ztu_modelrt_dispatch_batch"

_FOR_THIS_CALL = "As the provider option, for this call."
OPTIONS = {
    DISPATCH_BATCH: Option(
        False, SWITCH, "Run each sample of a batch as a task of its own.", see="[batches](../how-to/batch.md)"
    ),
    "output_dtype": Option(None, OUTPUT_DTYPE, _FOR_THIS_CALL, unset="the session's"),
    "output_layout": Option(None, OUTPUT_LAYOUT, _FOR_THIS_CALL, unset="the session's"),
}


class RunOptions(Attributes):
    """Options for ``session.run(names, feed, run_options=...)``.

    Set those that have an effect with :meth:`add_run_config_entry`; the attributes are ONNX Runtime's and have none.
    """

    log_severity_level: int = -1
    log_verbosity_level: int = 0
    logid: str = ""
    only_execute_path_to_fetches: bool = False
    terminate: bool = False
    training_mode: bool = False

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}

    def add_run_config_entry(self, key: str, value: str) -> None:
        """Set an entry.

        Args:
            key: ``"ztu_modelrt_dispatch_batch"``, ``"output_dtype"`` or ``"output_layout"``.
                Others are kept and have no effect.
            value: its text, such as ``"1"``.

        Raises:
            RknnValueError: the key is nearly one of these, so probably misspelt.
        """
        _check_key(key)
        self._entries[key] = value

    def get_run_config_entry(self, key: str) -> str:
        """Return an entry; raise :class:`RknnError`, a RuntimeError as in ONNX Runtime, if it was not set."""
        if key not in self._entries:
            raise RknnError(f"RunOptions does not have configuration with key: {key}")
        return self._entries[key]


class OrtRunOptions(Protocol):
    """The part of ONNX Runtime's own ``RunOptions`` that is read."""

    def get_run_config_entry(self, key: str, /) -> str:
        """Return an entry; raise RuntimeError if it was not set."""
        ...


RunOptionsLike = Union[Mapping[str, Any], RunOptions, OrtRunOptions, None]


@dataclass(frozen=True)
class RunSettings:
    """The options of one call, checked.

    Attributes:
        dispatch_batch: True if each sample is a task of its own.
        outputs: their element type and layout.
    """

    dispatch_batch: bool = False
    outputs: Choice = AS_THE_SESSION

    @classmethod
    def of(cls, run_options: RunOptionsLike) -> RunSettings:
        """Read a dictionary, a :class:`RunOptions`, one of ONNX Runtime's own, or None.

        Raises:
            RknnValueError, RknnTypeError: an entry is misspelt or has a wrong value, or this is none of them.
        """
        if run_options is None:
            return DEFAULT_SETTINGS
        given = {key: _entry(run_options, key) for key in OPTIONS}
        if isinstance(run_options, Mapping):
            for key in run_options:
                _check_key(key)
        batch, dtype, layout = (
            option.default if given[key] is None else option.check(key, given[key]) for key, option in OPTIONS.items()
        )
        return cls(batch, Choice(None if dtype is None else dtype == "native", layout))


DEFAULT_SETTINGS = RunSettings()


def of_one(run_options: RunOptionsLike, caller: str) -> RunSettings:
    """Return the settings of a method that runs one inference, and no batch.

    Raises:
        RknnError: a batch is asked for; ``caller`` is the method's name.
    """
    if run_options is None:
        return DEFAULT_SETTINGS
    settings = RunSettings.of(run_options)
    if settings.dispatch_batch:
        raise RknnError(f"{caller}() runs one inference, but run option {DISPATCH_BATCH} is set; use it with run()")
    return settings


def _entry(run_options: RunOptionsLike, key: str) -> Any:
    if isinstance(run_options, Mapping):
        return run_options.get(key)
    if run_options is None or not hasattr(run_options, "get_run_config_entry"):
        raise RknnTypeError(f"run_options takes a dictionary or a RunOptions, not {shown(run_options)}")
    try:
        return run_options.get_run_config_entry(key)
    except RuntimeError:  # it has no such entry
        return None


def _check_key(key: Any) -> None:
    if key in OPTIONS:
        return
    near = difflib.get_close_matches(str(key), OPTIONS, n=1)
    if near:
        raise RknnValueError(f"there is no run option {key!r}; did you mean {near[0]!r}?")
    logger.debug("the run option %s means nothing on an NPU", key)
