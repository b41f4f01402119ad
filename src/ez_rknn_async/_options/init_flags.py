# SPDX-License-Identifier: Apache-2.0
"""The flags of ``rknn_init`` for a session's options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._messages.wording import option
from ..errors import RknnValueError

if TYPE_CHECKING:
    from .._runtime.library import Library
    from .provider_options import ProviderOptions

# RKNN_FLAG_PRIOR_*.
_PRIORITIES = {"high": 0, "medium": 1, "low": 2}
# RKNN_FLAG_EXECUTE_FALLBACK_PRIOR_DEVICE_GPU, _ENABLE_SRAM, _DISABLE_FLUSH_INPUT_MEM_CACHE, _..._OUTPUT_...
_SWITCHES = {
    "gpu_fallback": 1024,
    "enable_sram": 2048,
    "disable_flush_input": 16384,
    "disable_flush_output": 32768,
}
_FLUSHES = ("disable_flush_input", "disable_flush_output")


def init_flags(options: ProviderOptions) -> int:
    """Return the flags of ``rknn_init`` for a session's contexts."""
    return _PRIORITIES[options.priority] | sum(flag for name, flag in _SWITCHES.items() if getattr(options, name))


def check_flushes(options: ProviderOptions, library: Library, *, is_direct: bool) -> None:
    """Check that direct I/O flushes the caches if the runtime is told not to.

    Raises:
        RknnValueError: nothing would flush them, and the NPU or the CPU would read stale data.
    """
    asked = [name for name in _FLUSHES if getattr(options, name)]
    if not asked or (is_direct and library.has("rknn_mem_sync")):
        return
    reason = f"{library.path} has no rknn_mem_sync" if is_direct else "this session's tensors are copied"
    raise RknnValueError(
        f"{option(asked[0])} leaves it to direct I/O to flush the caches, but {reason}; leave it out, or see "
        f"{option('io_mode', 'direct')} for what is in its way"
    )
