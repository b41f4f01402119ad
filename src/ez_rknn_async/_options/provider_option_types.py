"""The types of option dictionaries, for annotations: ``options: Rknpu2ProviderOptions = {"schedule": [0, 1, 2]}``.

They are dictionaries and nothing else; :class:`InferenceSession` checks what is in them.
"""

# Annotations are evaluated here, unlike elsewhere: tools read those of a TypedDict at run time.
from collections.abc import Mapping, Sequence
from typing import Any, Optional, TypedDict, Union

from .provider_options import PathLike


class Rknpu2ProviderOptions(TypedDict, total=False):
    """The options of a session; see :func:`make_provider_options` for what each means."""

    layout: str
    zero_copy_layout: str
    io_mode: str
    mem_flags: str
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
    collect_perf: bool
    priority: str
    enable_sram: bool
    gpu_fallback: bool
    disable_flush_input: bool
    disable_flush_output: bool
    batch_core_num: int
    runtime_library: PathLike
    simulator: Union[str, Mapping[str, Any]]


class Rknpu3ProviderOptions(TypedDict, total=False):
    """The options of the other generation's NPUs, which this package does not drive: a session refuses them."""

    runtime_library: PathLike
    device_id: Union[str, int]
    weight_path: PathLike
    priority: int
    run_timeout_ms: int
    run_core_mask: Union[int, str]


class RknnProviderOptions(Rknpu2ProviderOptions, total=False):
    """The options of either generation."""

    device_id: Union[str, int]
    weight_path: PathLike
    run_core_mask: Union[int, str]


def make_rknpu3_provider_options(
    *,
    runtime_library: Optional[PathLike] = None,
    device_id: Union[str, int, None] = None,
    weight_path: Optional[PathLike] = None,
    priority: Optional[int] = None,
    run_timeout_ms: Optional[int] = None,
    run_core_mask: Union[int, str, None] = None,
) -> dict[str, Any]:
    """The dictionary of options for RKNPU3; what is None is left out.

    It is here so that programs which choose between the two generations can be imported and run where there is an
    RKNPU2. Sessions refuse RKNPU3 models and providers in words.
    """
    return {key: value for key, value in locals().items() if value is not None}
