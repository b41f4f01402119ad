# SPDX-License-Identifier: Apache-2.0
"""``SessionOptions``, as ONNX Runtime has it.

The provider options set a session's use of the NPU; here are profiling, logging, and the settings of a CPU runtime that
programs set out of habit.
"""

from __future__ import annotations

import enum
import logging
import os
from collections.abc import Mapping
from typing import Protocol, Union

from .._host.paths import checked_path
from .._messages.wording import provider_option, shown
from ..errors import RknnError, RknnTypeError
from .log_severity import DEFAULT
from .ort_attributes import Attributes

logger = logging.getLogger("ez_rknn_async")


class GraphOptimizationLevel(enum.IntEnum):
    """The level of graph optimisation: without effect here, as the compiler has optimised the graph."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(enum.IntEnum):
    """The execution of independent operators, at once or not: without effect here, as the compiler has settled it."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class ExecutionOrder(enum.IntEnum):
    """The order of operators: without effect here, as the compiler has settled it."""

    DEFAULT = 0
    PRIORITY_BASED = 1
    MEMORY_EFFICIENT = 2


class SessionOptions(Attributes):
    """Options for ``InferenceSession(model, sess_options=...)``.

    Attributes:
        enable_profiling: record when each task waited and ran, for :meth:`InferenceSession.end_profiling`.
        profile_file_prefix: the beginning of the profile's path; date, time and ``.json`` follow.
        log_severity_level: the least severity of messages that the package's logger passes on: 0 verbose, 1 info,
            2 warning, 3 error, 4 fatal; -1 leaves the logger unchanged. All sessions share it: ``ez_rknn_async``.

    The others of ONNX Runtime's are accepted and have no effect on an NPU.
    """

    EFFECTIVE = ("enable_profiling", "profile_file_prefix", "log_severity_level")

    enable_profiling: bool = False
    profile_file_prefix: str = "ez_rknn_async_profile_"
    log_severity_level: int = DEFAULT
    log_verbosity_level: int = 0
    logid: str = ""
    intra_op_num_threads: int = 0
    inter_op_num_threads: int = 0
    graph_optimization_level: GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL
    execution_mode: ExecutionMode = ExecutionMode.ORT_SEQUENTIAL
    execution_order: ExecutionOrder = ExecutionOrder.DEFAULT
    enable_cpu_mem_arena: bool = True
    enable_mem_pattern: bool = True
    enable_mem_reuse: bool = True
    optimized_model_filepath: str = ""
    use_deterministic_compute: bool = False
    use_per_session_threads: bool = True

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}

    @classmethod
    def of(cls, given: SessionOptionsLike) -> SessionOptions:
        """Take what a program passed as ``sess_options``: one of these, ONNX Runtime's own, or None.

        Raises:
            RknnTypeError: it is something else.
            RknnValueError: the profile cannot have that path.
        """
        if given is None:
            return cls()
        if not hasattr(given, "enable_profiling"):
            hint = "provider options are passed as provider_options=..." if isinstance(given, Mapping) else None
            raise RknnTypeError(f"sess_options takes a SessionOptions, not {shown(given)}", hint=hint)
        checked_path("profile_file_prefix", getattr(given, "profile_file_prefix", ""))
        if isinstance(given, cls):
            return given
        options = cls()
        for name in cls.names():
            if hasattr(given, name):
                setattr(options, name, getattr(given, name))
        return options

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Keep an entry; none has a meaning on an NPU."""
        logger.debug("the session's entry %s=%r means nothing on an NPU", key, value)
        self._entries[key] = value

    def get_session_config_entry(self, key: str) -> str:
        """Return an entry; raise :class:`RknnError`, a RuntimeError as in ONNX Runtime, if it was not set."""
        if key not in self._entries:
            raise RknnError(f"SessionOptions does not have configuration with key: {key}")
        return self._entries[key]

    def add_free_dimension_override_by_name(self, name: str, value: int) -> None:
        """Do nothing: the shapes of a compiled model are the compiler's."""
        logger.debug("the dimension %s=%d is the compiler's to choose", name, value)

    def add_free_dimension_override_by_denotation(self, denotation: str, value: int) -> None:
        """Do nothing: the shapes of a compiled model are the compiler's."""
        logger.debug("the dimension %s=%d is the compiler's to choose", denotation, value)

    def register_custom_ops_library(self, path: str | os.PathLike[str]) -> None:
        """Raise an error: a library of ONNX Runtime's operators cannot serve the NPU's runtime."""
        raise RknnError(
            f"{os.fspath(path)} holds operators for ONNX Runtime, which the NPU's runtime cannot call",
            hint=f"give a plug-in made for librknnrt with {provider_option('custom_op_path')}",
        )


class OrtSessionOptions(Protocol):
    """The part by which ONNX Runtime's own ``SessionOptions`` are recognised."""

    @property
    def enable_profiling(self) -> bool:
        """True if a profile is to be recorded."""
        ...


SessionOptionsLike = Union[SessionOptions, OrtSessionOptions, None]
