"""Provider options: how a session uses the NPU.

Users write them as a dictionary (:func:`make_provider_options` makes one and knows every key). A session turns that
dictionary into a :class:`ProviderOptions` once, and nothing below sees a dictionary or a string again.
"""

from __future__ import annotations

import difflib
import operator
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Union

from .._host.paths import checked_path
from .._messages.wording import option, shown
from ..errors import RknnTypeError, RknnValueError

PathLike = Union[str, os.PathLike[str]]

LAYOUTS = {
    "nchw": "nchw",
    "original": "nchw",
    "nhwc": "nhwc",
    "nchw_software": "nchw",
    "original_software": "nchw",
    "any": "any",
}
TP_MODES = ("auto", "all", "0", "1", "2", "0,1", "0,1,2")
ALL_CORES = "all"
# Each way to write a kind of NPU memory.
MEM_FLAGS = {
    "default": "default",
    "cacheable": "cacheable",
    "non_cacheable": "non_cacheable",
    "non-cacheable": "non_cacheable",
    "uncached": "non_cacheable",
    "try_sram": "try_sram",
    "sram": "try_sram",
}

# Each key's other name.
ALIASES = {
    "custom_op_paths": "custom_op_path",
    "load_custom_ops_from_default_path": "custom_op_default_path",
}


@dataclass(frozen=True)
class ProviderOptions:
    """The options of one session, checked.

    Attributes:
        layout: what the user passes for 4-D inputs: ``"nchw"``, ``"nhwc"``, or ``"any"`` (NHWC, or NCHW where the shape
            leaves no doubt). The runtime is handed NHWC in every case.
        zero_copy_layout: ``"nhwc"`` or ``"native"``.
        max_queue_size: how many tasks may wait for each core, at least 1.
        threads_per_core: worker threads, each with its own context, for each core; at least 1.
        submit_timeout_ms: how long a submission may wait for a place in the queue, at least 1.
        sequential_callbacks: whether callbacks come in the order of submission.
        schedule: the cores in rotation, ``"all"`` for every core of the SoC, or None.
        tp_mode: the cores that work together on each inference, or None for the runtime's choice.
        dispatch: ``"modulo"`` (the rule of ``schedule``), or ``"least_loaded"`` (the scheduled core that is free
            first).
        run_timeout_ms: how long one inference may take before it fails and its worker is replaced; 0: for ever.
        load_timeout_ms: how long the runtime may take to load the model or to give it back before it is left to itself;
            0: for ever.
        enable_pacing: whether to admit tasks only at the rate that the cores sustain.
        disable_dup_context: whether each context loads the model anew instead of sharing the first one's weights.
        custom_op_path: plug-ins with custom operators.
        custom_op_default_path: whether to load the plug-ins of the system's directory.
        output_dtype: ``"float32"``, or ``"native"`` for the element types that outputs have inside the NPU.
        output_layout: the order of the dimensions of 4-D outputs that the runtime gives in NCHW: ``"nchw"`` or
            ``"nhwc"``.
        io_mode: how tensors travel: ``"direct"`` (through NPU memory that is bound once to each context), ``"copy"``
            (``rknn_inputs_set`` and ``rknn_outputs_get``), or ``"auto"``: direct where it is possible.
        mem_flags: the kind of NPU memory that is allocated; a key of :data:`._runtime.memory.FLAGS`.
        collect_perf: whether the runtime measures each layer.
        priority: of this session's inferences on a core: ``"high"``, ``"medium"`` or ``"low"``.
        enable_sram: whether the runtime may keep feature maps in the SoC's own memory.
        gpu_fallback: whether what the NPU cannot do is done by the GPU, before the CPU.
        disable_flush_input, disable_flush_output: whether the runtime leaves it to direct I/O to flush the caches.
        batch_core_num: over how many cores the samples of a model with a batch are spread; 0: as the runtime does.
        runtime_library: the runtime library's path, ``"simulator"``, or None for the machine's own.
        simulator: settings of the simulated NPU, as the text of ``EZ_RKNN_SIMULATOR``, or None.
    """

    layout: str = "nchw"
    zero_copy_layout: str = "nhwc"
    max_queue_size: int = 3
    threads_per_core: int = 1
    submit_timeout_ms: int = 10_000
    sequential_callbacks: bool = True
    schedule: tuple[int, ...] | str | None = None
    tp_mode: str | None = None
    dispatch: str = "modulo"
    run_timeout_ms: int = 0
    load_timeout_ms: int = 0
    enable_pacing: bool = False
    disable_dup_context: bool = False
    custom_op_path: tuple[str, ...] = field(default=())
    custom_op_default_path: bool = False
    output_dtype: str = "float32"
    output_layout: str = "nchw"
    io_mode: str = "auto"
    mem_flags: str = "default"
    collect_perf: bool = False
    priority: str = "high"
    enable_sram: bool = False
    gpu_fallback: bool = False
    disable_flush_input: bool = False
    disable_flush_output: bool = False
    batch_core_num: int = 0
    runtime_library: str | None = None
    simulator: str | None = None

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> ProviderOptions:
        """Check a user's dictionary.

        Raises:
            RknnValueError, RknnTypeError: naming the option, what was given and what is possible.
        """
        values: dict[str, Any] = {}
        for key, given in options.items():
            name = ALIASES.get(key, key)
            if name not in _PARSERS:
                raise RknnValueError(_unknown(key))
            value = _PARSERS[name](key, given)
            values[name] = values.get(name, ()) + value if isinstance(value, tuple) and name != "schedule" else value
        parsed = cls(**values)
        _refuse_both(parsed.schedule, parsed.tp_mode)
        return parsed


def make_provider_options(
    *,
    layout: str | None = None,
    zero_copy_layout: str | None = None,
    max_queue_size: int | None = None,
    threads_per_core: int | None = None,
    submit_timeout_ms: int | None = None,
    sequential_callbacks: bool | None = None,
    schedule: int | str | Sequence[int] | None = None,
    tp_mode: str | None = None,
    dispatch: str | None = None,
    run_timeout_ms: int | None = None,
    load_timeout_ms: int | None = None,
    enable_pacing: bool | None = None,
    disable_dup_context: bool | None = None,
    custom_op_path: PathLike | Sequence[PathLike] | None = None,
    custom_op_paths: PathLike | Sequence[PathLike] | None = None,
    custom_op_default_path: bool | None = None,
    load_custom_ops_from_default_path: bool | None = None,
    output_dtype: str | None = None,
    output_layout: str | None = None,
    io_mode: str | None = None,
    mem_flags: str | None = None,
    collect_perf: bool | None = None,
    priority: str | None = None,
    enable_sram: bool | None = None,
    gpu_fallback: bool | None = None,
    disable_flush_input: bool | None = None,
    disable_flush_output: bool | None = None,
    batch_core_num: int | None = None,
    runtime_library: PathLike | None = None,
    simulator: str | Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The dictionary for ``InferenceSession(..., provider_options=...)``; what is None is left out.

    Args:
        layout: what 4-D inputs look like: ``"nchw"`` (default; also ``"original"``), ``"nhwc"``, ``"any"``, or
            ``"nchw_software"`` (also ``"original_software"``), which is the same as ``"nchw"`` here.
        zero_copy_layout: ``"nhwc"`` (default) or ``"native"``.
        max_queue_size: how many tasks may wait for each core (default 3).
        threads_per_core: worker threads for each core (default 1).
        submit_timeout_ms: how long a submission may wait for a place in the queue (default 10000).
        sequential_callbacks: callbacks in the order of submission (default True) or as tasks finish.
        schedule: data parallelism: one core, several in rotation (a core named twice gets twice the share), or
            ``"all"``. Task *i* goes to ``schedule[i % len(schedule)]``.
        tp_mode: tensor parallelism: ``"auto"`` (default), ``"all"``, ``"0"``, ``"1"``, ``"2"``, ``"0,1"``, ``"0,1,2"``.
        dispatch: ``"modulo"`` (default): tasks follow ``schedule``; ``"least_loaded"``: the next task goes to the
            scheduled core that is free first.
        run_timeout_ms: fail an inference that takes longer, and replace its worker (default 0: never).
        load_timeout_ms: give up when the runtime does not come back from loading the model; in ``close()``, from giving
            it back (default 0: never).
        enable_pacing: admit tasks only at the rate that the cores sustain (default False).
        disable_dup_context: load the model for every context instead of sharing its weights (default False).
        custom_op_path: a plug-in with custom operators, or several; ``custom_op_paths`` is the same.
        custom_op_paths: see ``custom_op_path``.
        custom_op_default_path: load the plug-ins of the system's directory (default False).
        load_custom_ops_from_default_path: the same as ``custom_op_default_path``.
        output_dtype: ``"float32"`` (default), or ``"native"``: outputs as the model has them, int8 for example, to be
            read with the scale and zero point of ``get_outputs()``.
        output_layout: what 4-D outputs look like: ``"nchw"`` (default; also ``"original"``) or ``"nhwc"``, for which
            nothing is copied or allocated besides.
        io_mode: how tensors travel between arrays and the NPU: ``"direct"`` (converted straight into NPU memory, with
            nothing in between), ``"copy"`` (through the runtime's general calls), or ``"auto"`` (default): direct
            where it is possible. The results are the same.
        mem_flags: the kind of NPU memory to allocate: ``"default"``, ``"cacheable"``, ``"non_cacheable"`` or
            ``"try_sram"``; the latter two need a runtime of version 2.
        collect_perf: measure each layer (default False): the profile of ``end_profiling()`` then has the runtime's own
            table. Layers are submitted one by one, so inferences take longer.
        priority: what the runtime is asked for where several contexts want one core: ``"high"`` (default), ``"medium"``
            or ``"low"``.
        enable_sram: let the runtime keep feature maps in the SoC's own memory, where it has some (default False).
        gpu_fallback: let the GPU do what the NPU cannot, where the runtime has operators for it, before the CPU does
            (default False).
        disable_flush_input: tell the runtime not to flush the CPU's caches before a run (default False). Direct I/O
            does it anyway, so with it nothing is flushed twice; a session without it refuses the option.
        disable_flush_output: the same after a run.
        batch_core_num: over how many cores the samples of a model that was compiled with a batch are spread (default 0:
            as the runtime does).
        runtime_library: path of ``librknnrt.so``, or ``"simulator"``; default: the machine's own.
        simulator: settings of the simulated NPU, such as ``{"timing": "fixed:2000", "compute": "off"}``; see
            ``docs/reference/simulator.md``.

    Raises:
        ValueError: both ``schedule`` and ``tp_mode`` are given.
    """
    _refuse_both(schedule, tp_mode)
    return {key: value for key, value in locals().items() if value is not None}


def parse_settings(settings: str) -> dict[str, str]:
    """The simulated NPU's settings, ``"key=value,key=value"``, as a dictionary."""
    return dict(part.split("=", 1) for part in settings.split(",") if "=" in part)


def is_option(name: str) -> bool:
    """Whether there is a provider option of that name."""
    return ALIASES.get(name, name) in _PARSERS


def _refuse_both(schedule: object, tp_mode: object) -> None:
    if schedule is not None and tp_mode is not None:
        both = f"{option('schedule', schedule)} and {option('tp_mode', tp_mode)}"
        raise RknnValueError(
            f"{both} are both set, but a session spreads its work one way only; use {option('schedule')} for "
            f"throughput (one inference a core) or {option('tp_mode')} for latency (several cores an inference)"
        )


def _unknown(key: str) -> str:
    names = [*(f.name for f in fields(ProviderOptions)), *ALIASES]
    near = difflib.get_close_matches(str(key), names, n=1)
    suggestion = f"did you mean {near[0]!r}?" if near else f"the options are {', '.join(names)}"
    return f"unknown provider option {key!r}; {suggestion}"


def _one_of(choices: Mapping[str, str]) -> Callable[[str, Any], str]:
    def parse(key: str, given: Any) -> str:
        if not isinstance(given, str):
            raise RknnTypeError(f"{option(key)} takes a string, not {shown(given)}; one of {', '.join(choices)}")
        if given.lower() not in choices:
            raise RknnValueError(f"{option(key, given)} is not one of {', '.join(choices)}")
        return choices[given.lower()]

    return parse


def _positive(key: str, given: Any) -> int:
    number = _integer(key, given)
    if number < 1:
        raise RknnValueError(f"{option(key, given)} must be at least 1")
    if number > 2**31 - 1:
        raise RknnValueError(f"{option(key, given)} must be below 2**31")
    return number


def _not_negative(key: str, given: Any) -> int:
    return 0 if _integer(key, given) == 0 else _positive(key, given)


def _integer(key: str, given: Any) -> int:
    if isinstance(given, str) and re.fullmatch(r"\s*[+-]?\d+\s*", given):
        return int(given)
    try:
        return operator.index(given)
    except TypeError:
        raise RknnTypeError(f"{option(key)} takes an integer, not {shown(given)}") from None


OUTPUT_DTYPES = _one_of({"float32": "float32", "native": "native"})
OUTPUT_LAYOUTS = _one_of({"nchw": "nchw", "original": "nchw", "nhwc": "nhwc"})

_SWITCHES = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}


def switch(key: str, given: Any) -> bool:
    """A truth value, written in one of the ways that options may be written in."""
    if isinstance(given, str) and given.strip().lower() in _SWITCHES:
        return _SWITCHES[given.strip().lower()]
    try:
        return bool(operator.index(given))
    except TypeError:
        raise RknnTypeError(
            f"{option(key)} takes True or False (or one of {', '.join(_SWITCHES)}), not {shown(given)}"
        ) from None


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
    choices = ", ".join(repr(mode) for mode in TP_MODES)
    if not isinstance(given, str):
        raise RknnTypeError(f"{option(key)} takes a string, not {shown(given)}; one of {choices}")
    mode = given.replace(" ", "").lower()
    if mode not in TP_MODES:
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
    """A setting's values: a list or tuple gives it several times."""
    return values if isinstance(values, (list, tuple)) else [values]


_PARSERS: dict[str, Callable[[str, Any], Any]] = {
    "layout": _one_of(LAYOUTS),
    "zero_copy_layout": _one_of({"nhwc": "nhwc", "native": "native"}),
    "max_queue_size": _positive,
    "threads_per_core": _positive,
    "submit_timeout_ms": _positive,
    "sequential_callbacks": switch,
    "schedule": _schedule,
    "tp_mode": _tp_mode,
    "dispatch": _one_of({"modulo": "modulo", "least_loaded": "least_loaded"}),
    "run_timeout_ms": _not_negative,
    "load_timeout_ms": _not_negative,
    "enable_pacing": switch,
    "disable_dup_context": switch,
    "custom_op_path": _paths,
    "custom_op_default_path": switch,
    "output_dtype": OUTPUT_DTYPES,
    "output_layout": OUTPUT_LAYOUTS,
    "io_mode": _one_of({mode: mode for mode in ("auto", "direct", "copy")}),
    "mem_flags": _one_of(MEM_FLAGS),
    "collect_perf": switch,
    "priority": _one_of({name: name for name in ("high", "medium", "low")}),
    "enable_sram": switch,
    "gpu_fallback": switch,
    "disable_flush_input": switch,
    "disable_flush_output": switch,
    "batch_core_num": _not_negative,
    "runtime_library": _path,
    "simulator": _simulator,
}
