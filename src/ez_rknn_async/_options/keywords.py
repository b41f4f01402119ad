# SPDX-License-Identifier: Apache-2.0
"""Each provider option as a keyword, and as the key of a dictionary.

Written by ``make options`` from :class:`.provider_options.ProviderOptions`; change that, not this file. Editors and
type checkers read source, so each name must be in it.
"""

# Annotations are evaluated here, unlike elsewhere: tools read those of a TypedDict at run time.
from collections.abc import Mapping, Sequence
from typing import Any, Optional, TypedDict, Union

from .checks import PathLike
from .provider_options import refuse_both


class Rknpu2ProviderOptions(TypedDict, total=False):
    """The options of a session; see :func:`make_provider_options` for their meaning."""

    layout: str
    zero_copy_layout: str
    max_queue_size: int
    threads_per_core: int
    submit_timeout_ms: int
    sequential_callbacks: bool
    schedule: Union[int, str, Sequence[int]]
    tp_mode: str
    dispatch: str
    run_timeout_ms: int
    load_timeout_ms: int
    enable_pacing: bool
    disable_dup_context: bool
    custom_op_path: Union[PathLike, Sequence[PathLike]]
    custom_op_paths: Union[PathLike, Sequence[PathLike]]
    custom_op_default_path: bool
    load_custom_ops_from_default_path: bool
    output_dtype: str
    output_layout: str
    io_mode: str
    mem_flags: str
    collect_perf: bool
    priority: str
    enable_sram: bool
    gpu_fallback: bool
    disable_flush_input: bool
    disable_flush_output: bool
    batch_core_num: int
    runtime_library: PathLike
    simulator: Union[str, Mapping[str, Any]]


def make_provider_options(
    *,
    layout: Optional[str] = None,
    zero_copy_layout: Optional[str] = None,
    max_queue_size: Optional[int] = None,
    threads_per_core: Optional[int] = None,
    submit_timeout_ms: Optional[int] = None,
    sequential_callbacks: Optional[bool] = None,
    schedule: Optional[Union[int, str, Sequence[int]]] = None,
    tp_mode: Optional[str] = None,
    dispatch: Optional[str] = None,
    run_timeout_ms: Optional[int] = None,
    load_timeout_ms: Optional[int] = None,
    enable_pacing: Optional[bool] = None,
    disable_dup_context: Optional[bool] = None,
    custom_op_path: Optional[Union[PathLike, Sequence[PathLike]]] = None,
    custom_op_paths: Optional[Union[PathLike, Sequence[PathLike]]] = None,
    custom_op_default_path: Optional[bool] = None,
    load_custom_ops_from_default_path: Optional[bool] = None,
    output_dtype: Optional[str] = None,
    output_layout: Optional[str] = None,
    io_mode: Optional[str] = None,
    mem_flags: Optional[str] = None,
    collect_perf: Optional[bool] = None,
    priority: Optional[str] = None,
    enable_sram: Optional[bool] = None,
    gpu_fallback: Optional[bool] = None,
    disable_flush_input: Optional[bool] = None,
    disable_flush_output: Optional[bool] = None,
    batch_core_num: Optional[int] = None,
    runtime_library: Optional[PathLike] = None,
    simulator: Optional[Union[str, Mapping[str, Any]]] = None,
) -> dict[str, Any]:
    """Return the dictionary for ``InferenceSession(..., provider_options=...)``, without options that are None.

    Args:
        layout: The layout of 4-D inputs; ``"any"`` takes NHWC, and NCHW where the shape leaves no doubt. ``"nchw"`` (=
            ``"original"``, ``"nchw_software"``, ``"original_software"``), ``"nhwc"``, ``"any"`` (default: ``"nchw"``).
        zero_copy_layout: The layout of values in NPU memory: NHWC, or as the NPU itself keeps tensors. ``"nhwc"``,
            ``"native"`` (default: ``"nhwc"``).
        max_queue_size: The limit of tasks waiting *for each core*, besides those that run. At least 1 (default: ``3``).
        threads_per_core: Worker threads for each core, each with its own context. At least 1 (default: ``1``).
        submit_timeout_ms: The longest wait of a call for a place in the queue before it raises ``RknnTimeoutError``. At
            least 1 (default: ``10000``).
        sequential_callbacks: Call callbacks in the order of submission, rather than as tasks finish. ``True`` or
            ``False`` (default: ``True``).
        schedule: Data parallelism: task *i* goes to core ``schedule[i % len(schedule)]``. A core named twice gets twice
            the share. ``"all"`` is every core of the SoC. A core, a sequence of cores, a string (``"0,1,2"``),
            ``"all"`` (default: none).
        tp_mode: Tensor parallelism: the cores that work together on each inference. Excludes ``schedule``. ``"auto"``,
            ``"all"``, ``"0"``, ``"1"``, ``"2"``, ``"0,1"``, ``"0,1,2"`` (default: ``"auto"``).
        dispatch: The choice of the core for the next task: the one whose turn it is in ``schedule``, or the scheduled
            core that is free first. ``"modulo"``, ``"least_loaded"`` (default: ``"modulo"``).
        run_timeout_ms: The time limit of an inference, after which it fails with ``RknnTimeoutError`` and its worker is
            replaced. At least 1; 0: never (default: ``0``).
        load_timeout_ms: The time limit for the runtime to load the model, after which that is given up with
            ``RknnTimeoutError``; and likewise, in ``close()``, to give it back. At least 1; 0: never (default: ``0``).
        enable_pacing: Admit tasks only at the rate that the cores sustain, within ``submit_timeout_ms``: results are of
            fresh frames. ``True`` or ``False`` (default: ``False``).
        disable_dup_context: Load the model once more for each context instead of sharing the first one's weights.
            ``True`` or ``False`` (default: ``False``).
        custom_op_path: Plug-ins with custom operators. A path, or several (default: none).
        custom_op_paths: The same as ``custom_op_path``.
        custom_op_default_path: Also load the plug-ins of ``/usr/lib/rknpu/op_plugins/``. ``True`` or ``False``
            (default: ``False``).
        load_custom_ops_from_default_path: The same as ``custom_op_default_path``.
        output_dtype: Outputs dequantised, or as the model has them: int8 for example, to be read with the scale and
            zero point of ``get_outputs()``. ``"float32"``, ``"native"`` (default: ``"float32"``).
        output_layout: The layout of 4-D outputs. ``"nchw"`` (= ``"original"``), ``"nhwc"`` (default: ``"nchw"``).
        io_mode: The transport of tensors: converted straight into NPU memory, or through the runtime's general calls.
            ``"auto"`` goes direct where it is possible; ``"direct"`` raises ``RknnValueError`` where it is not. The
            results are the same. ``"auto"``, ``"direct"``, ``"copy"`` (default: ``"auto"``).
        mem_flags: The kind of NPU memory that direct I/O allocates. ``"non_cacheable"`` and ``"try_sram"`` need a
            runtime with ``rknn_create_mem2`` (version 2). ``"default"``, ``"cacheable"``, ``"non_cacheable"`` (=
            ``"non-cacheable"``, ``"uncached"``), ``"try_sram"`` (= ``"sram"``) (default: ``"default"``).
        collect_perf: Measure each layer: the profile has the runtime's table of layers. Layers are submitted one by
            one, so inferences take longer. ``True`` or ``False`` (default: ``False``).
        priority: The priority to ask the runtime for where several contexts want one core. ``"high"``, ``"medium"``,
            ``"low"`` (default: ``"high"``).
        enable_sram: Let the runtime keep feature maps in the SoC's own memory, where it has some. ``True`` or ``False``
            (default: ``False``).
        gpu_fallback: Let the GPU do what the NPU cannot, where the runtime has operators for it, before the CPU does.
            ``True`` or ``False`` (default: ``False``).
        disable_flush_input: Tell the runtime not to flush the CPU's caches before a run. Direct I/O does it anyway, so
            with it nothing is flushed twice; a session whose tensors are copied refuses the option. ``True`` or
            ``False`` (default: ``False``).
        disable_flush_output: The same after a run. ``True`` or ``False`` (default: ``False``).
        batch_core_num: The number of cores over which the samples of a model that was compiled with a batch are spread.
            A number of cores; 0: as the runtime does (default: ``0``).
        runtime_library: The ``librknnrt.so`` to load. A path, ``"simulator"`` (default: the machine's).
        simulator: Settings of the simulated NPU, such as ``{"timing": "fixed:2000", "compute": "off"}``. A dictionary
            or a string (default: none).

    Raises:
        ValueError: both ``schedule`` and ``tp_mode`` are given.
    """
    refuse_both(schedule, tp_mode)
    return {key: value for key, value in locals().items() if value is not None}
