"""Options of one call of ``run``: a dictionary, or ``RunOptions`` as ONNX Runtime has it."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._messages.wording import shown
from .._tensors.outputs import AS_THE_SESSION, Choice
from ..errors import RknnError, RknnTypeError, RknnValueError
from .ort_attributes import Attributes
from .provider_options import OUTPUT_DTYPES, OUTPUT_LAYOUTS, switch

logger = logging.getLogger("ez_rknn_async")

DISPATCH_BATCH = "ztu_modelrt_dispatch_batch"
OUTPUT_DTYPE = "output_dtype"
OUTPUT_LAYOUT = "output_layout"
ENTRIES = (DISPATCH_BATCH, OUTPUT_DTYPE, OUTPUT_LAYOUT)


class RunOptions(Attributes):
    """Options for ``session.run(names, feed, run_options=...)``.

    What has an effect is given with :meth:`add_run_config_entry`; the attributes are ONNX Runtime's and have none.
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
            key: ``"ztu_modelrt_dispatch_batch"`` (run each sample of a batch on its own, over the cores),
                ``"output_dtype"`` (``"float32"`` or ``"native"``) or ``"output_layout"`` (``"nchw"`` or ``"nhwc"``).
                Others are kept and have no effect.
            value: its text, such as ``"1"``.

        Raises:
            RknnValueError: the key is nearly one of these, so probably misspelt.
        """
        _check_key(key)
        self._entries[key] = value

    def get_run_config_entry(self, key: str) -> str:
        """An entry that was set; :class:`RknnError`, a RuntimeError as in ONNX Runtime, where it was not."""
        if key not in self._entries:
            raise RknnError(f"RunOptions does not have configuration with key: {key}")
        return self._entries[key]


@dataclass(frozen=True)
class RunSettings:
    """What the options of one call mean.

    Attributes:
        dispatch_batch: whether each sample is a task of its own.
        outputs: how they are wanted.
    """

    dispatch_batch: bool = False
    outputs: Choice = AS_THE_SESSION

    @classmethod
    def of(cls, run_options: Any) -> RunSettings:
        """Read a dictionary, a :class:`RunOptions`, one of ONNX Runtime's own, or None.

        Raises:
            RknnValueError, RknnTypeError: an entry is misspelt or has a wrong value, or this is none of them.
        """
        if run_options is None:
            return DEFAULT_SETTINGS
        batch, dtype, layout = (_entry(run_options, key) for key in ENTRIES)
        if isinstance(run_options, Mapping):
            for key in run_options:
                _check_key(key)
        return cls(
            dispatch_batch=batch is not None and switch(DISPATCH_BATCH, batch),
            outputs=Choice(
                None if dtype is None else OUTPUT_DTYPES(OUTPUT_DTYPE, dtype) == "native",
                None if layout is None else OUTPUT_LAYOUTS(OUTPUT_LAYOUT, layout),
            ),
        )


DEFAULT_SETTINGS = RunSettings()


def of_one(run_options: Any, caller: str) -> RunSettings:
    """The settings of a method that runs one inference, and no batch.

    Raises:
        RknnError: a batch is asked for; ``caller`` is the method's name.
    """
    settings = RunSettings.of(run_options)
    if settings.dispatch_batch:
        raise RknnError(f"{caller}() runs one inference, but run option {DISPATCH_BATCH} is set; use it with run()")
    return settings


def _entry(run_options: Any, key: str) -> Any:
    if isinstance(run_options, Mapping):
        return run_options.get(key)
    if not hasattr(run_options, "get_run_config_entry"):
        raise RknnTypeError(f"run_options takes a dictionary or a RunOptions, not {shown(run_options)}")
    try:
        return run_options.get_run_config_entry(key)
    except RuntimeError:  # it has no such entry
        return None


def _check_key(key: Any) -> None:
    if key in ENTRIES:
        return
    near = difflib.get_close_matches(str(key), ENTRIES, n=1)
    if near:
        raise RknnValueError(f"there is no run option {key!r}; did you mean {near[0]!r}?")
    logger.debug("the run option %s means nothing on an NPU", key)
