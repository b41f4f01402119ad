# SPDX-License-Identifier: Apache-2.0
"""Provider options: the settings of a session's use of the NPU.

:class:`ProviderOptions` declares everything about each of them, once. Users write them as a dictionary
(:func:`.keywords.make_provider_options` makes one); a session turns that dictionary into a :class:`ProviderOptions`
once, and nothing below sees a dictionary or a string again.

``make options`` writes the keywords in ``keywords.py`` and the table in ``docs/reference/provider-options.md``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._messages.wording import option
from ..errors import RknnValueError
from .checks import (
    AT_LEAST_1,
    LAYOUT,
    MEM_FLAGS,
    NUMBER_OF_CORES,
    OUTPUT_DTYPE,
    OUTPUT_LAYOUT,
    PLUG_INS,
    RUNTIME_LIBRARY,
    SCHEDULE,
    SIMULATOR,
    SWITCH,
    TIME_LIMIT,
    TP_MODE,
    names,
    one_of,
)
from .option import declare, declared

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIME_LIMITS = "../how-to/stop-and-time-limits.md"


@dataclass(frozen=True)
class ProviderOptions:
    """The options of one session, checked."""

    layout: str = declare(
        "nchw",
        LAYOUT,
        'The layout of 4-D inputs; `"any"` takes NHWC, and NCHW where the shape leaves no doubt.',
        see="[layouts](#layouts)",
    )
    zero_copy_layout: str = declare(
        "nhwc",
        names("nhwc", "native"),
        "The layout of values in NPU memory: NHWC, or as the NPU itself keeps tensors.",
        see="[IO binding](../how-to/io-binding.md)",
    )
    max_queue_size: int = declare(3, AT_LEAST_1, "The limit of tasks waiting *for each core*, besides those that run.")
    threads_per_core: int = declare(1, AT_LEAST_1, "Worker threads for each core, each with its own context.")
    submit_timeout_ms: int = declare(
        10_000, AT_LEAST_1, "The longest wait of a call for a place in the queue before it raises `RknnTimeoutError`."
    )
    sequential_callbacks: bool = declare(
        True, SWITCH, "Call callbacks in the order of submission, rather than as tasks finish."
    )
    schedule: tuple[int, ...] | str | None = declare(
        None,
        SCHEDULE,
        "Data parallelism: task *i* goes to core `schedule[i % len(schedule)]`. A core named twice gets twice the "
        'share. `"all"` is every core of the SoC.',
    )
    tp_mode: str | None = declare(
        None,
        TP_MODE,
        "Tensor parallelism: the cores that work together on each inference. Excludes `schedule`.",
        unset='`"auto"`',
    )
    dispatch: str = declare(
        "modulo",
        names("modulo", "least_loaded"),
        "The choice of the core for the next task: the one whose turn it is in `schedule`, or the scheduled core that "
        "is free first.",
    )
    run_timeout_ms: int = declare(
        0,
        TIME_LIMIT,
        "The time limit of an inference, after which it fails with `RknnTimeoutError` and its worker is replaced.",
        see=f"[time limits]({_TIME_LIMITS})",
    )
    load_timeout_ms: int = declare(
        0,
        TIME_LIMIT,
        "The time limit for the runtime to load the model, after which that is given up with `RknnTimeoutError`; and "
        "likewise, in `close()`, to give it back.",
        see=f"[a runtime that does not come back]({_TIME_LIMITS}#a-runtime-that-does-not-come-back)",
    )
    enable_pacing: bool = declare(
        False,
        SWITCH,
        "Admit tasks only at the rate that the cores sustain, within `submit_timeout_ms`: results are of fresh frames.",
    )
    disable_dup_context: bool = declare(
        False, SWITCH, "Load the model once more for each context instead of sharing the first one's weights."
    )
    custom_op_path: tuple[str, ...] = declare(
        (),
        PLUG_INS,
        "Plug-ins with custom operators.",
        see="[custom operators](../how-to/custom-operators.md)",
        aliases=("custom_op_paths",),
    )
    custom_op_default_path: bool = declare(
        False,
        SWITCH,
        "Also load the plug-ins of `/usr/lib/rknpu/op_plugins/`.",
        aliases=("load_custom_ops_from_default_path",),
    )
    output_dtype: str = declare(
        "float32",
        OUTPUT_DTYPE,
        "Outputs dequantised, or as the model has them: int8 for example, to be read with the scale and zero point of "
        "`get_outputs()`.",
        see="[outputs](inputs-and-outputs.md#outputs)",
    )
    output_layout: str = declare(
        "nchw",
        OUTPUT_LAYOUT,
        "The layout of 4-D outputs.",
        see="[outputs](inputs-and-outputs.md#outputs)",
    )
    io_mode: str = declare(
        "auto",
        names("auto", "direct", "copy"),
        "The transport of tensors: converted straight into NPU memory, or through the runtime's general calls. "
        '`"auto"` goes direct where it is possible; `"direct"` raises `RknnValueError` where it is not. The results '
        "are the same.",
        see="[zero copy](../how-to/zero-copy.md)",
    )
    mem_flags: str = declare(
        "default",
        one_of(MEM_FLAGS),
        'The kind of NPU memory that direct I/O allocates. `"non_cacheable"` and `"try_sram"` need a runtime with '
        "`rknn_create_mem2` (version 2).",
    )
    collect_perf: bool = declare(
        False,
        SWITCH,
        "Measure each layer: the profile has the runtime's table of layers. Layers are submitted one by one, so "
        "inferences take longer.",
        see="[profiles](../how-to/profile.md)",
    )
    priority: str = declare(
        "high",
        names("high", "medium", "low"),
        "The priority to ask the runtime for where several contexts want one core.",
    )
    enable_sram: bool = declare(
        False, SWITCH, "Let the runtime keep feature maps in the SoC's own memory, where it has some."
    )
    gpu_fallback: bool = declare(
        False,
        SWITCH,
        "Let the GPU do what the NPU cannot, where the runtime has operators for it, before the CPU does.",
    )
    disable_flush_input: bool = declare(
        False,
        SWITCH,
        "Tell the runtime not to flush the CPU's caches before a run. Direct I/O does it anyway, so with it nothing is "
        "flushed twice; a session whose tensors are copied refuses the option.",
        see="[zero copy](../how-to/zero-copy.md)",
    )
    disable_flush_output: bool = declare(False, SWITCH, "The same after a run.")
    batch_core_num: int = declare(
        0,
        NUMBER_OF_CORES,
        "The number of cores over which the samples of a model that was compiled with a batch are spread.",
    )
    runtime_library: str | None = declare(
        None,
        RUNTIME_LIBRARY,
        "The `librknnrt.so` to load.",
        see="[how it is found](runtime-library.md)",
        unset="the machine's",
    )
    simulator: str | None = declare(
        None,
        SIMULATOR,
        'Settings of the simulated NPU, such as `{"timing": "fixed:2000", "compute": "off"}`.',
        see="[the simulated NPU](simulator.md)",
    )

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> ProviderOptions:
        """Check a user's dictionary.

        Raises:
            RknnValueError, RknnTypeError: naming the option, what was given and what is possible.
        """
        values: dict[str, Any] = {}
        for key, given in options.items():
            name = ALIASES.get(key, key)
            if name not in OPTIONS:
                raise RknnValueError(_unknown(key))
            value = OPTIONS[name].check(key, given)
            # Paths under both names of their option are all used.
            values[name] = values[name] + value if isinstance(value, tuple) and name in values else value
        parsed = cls(**values)
        refuse_both(parsed.schedule, parsed.tp_mode)
        return parsed


OPTIONS = declared(ProviderOptions)
# Each other name, and the name that it stands for.
ALIASES = {alias: name for name, declaration in OPTIONS.items() for alias in declaration.aliases}


def is_option(name: str) -> bool:
    """Check if there is a provider option of that name."""
    return ALIASES.get(name, name) in OPTIONS


def refuse_both(schedule: object, tp_mode: object) -> None:
    """Raise RknnValueError if both are given."""
    if schedule is not None and tp_mode is not None:
        both = f"{option('schedule', schedule)} and {option('tp_mode', tp_mode)}"
        raise RknnValueError(
            f"{both} are both set, but a session spreads its work one way only; use {option('schedule')} for "
            f"throughput (one inference a core) or {option('tp_mode')} for latency (several cores an inference)"
        )


def parse_settings(settings: str) -> dict[str, str]:
    """Parse the simulated NPU's settings, ``"key=value,key=value"``, into a dictionary."""
    return dict(part.split("=", 1) for part in settings.split(",") if "=" in part)


def _unknown(key: str) -> str:
    known = [*OPTIONS, *ALIASES]
    near = difflib.get_close_matches(str(key), known, n=1)
    suggestion = f"did you mean {near[0]!r}?" if near else f"the options are {', '.join(known)}"
    return f"unknown provider option {key!r}; {suggestion}"
