# SPDX-License-Identifier: Apache-2.0
"""The choice of a session's transport: direct I/O or copies.

``io_mode="auto"`` goes direct wherever the runtime has the functions, its attributes are understood and every
conversion has a kernel; elsewhere, and where the runtime then refuses, tensors are copied, and the log says why.
``"direct"`` insists, ``"copy"`` never tries.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .._messages.wording import option
from .._runtime.memory import FLAGS, check_flags
from ..errors import RknnError, RknnValueError
from .direct import Direct, LaneMemory, check_conversions
from .native_set import native_sets

if TYPE_CHECKING:
    from .._contexts.lanes import Lanes
    from .._contexts.pool import Contexts
    from .._options.provider_options import ProviderOptions
    from .._runtime.library import Library
    from ..model import Model
    from .native_set import NativeSet
    from .signature import Signature

logger = logging.getLogger("ez_rknn_async")

AUTO, DIRECT, COPY = "auto", "direct", "copy"

# What direct I/O calls, besides one of the functions that allocate.
_FUNCTIONS = ("rknn_set_io_mem", "rknn_destroy_mem")
_ALLOCATORS = ("rknn_create_mem", "rknn_create_mem2")


def direct_transport(lanes: Lanes, signature: Signature, model: Model, options: ProviderOptions) -> Direct | None:
    """Set direct I/O up as the options say; return None if tensors are copied.

    Everything is tried on a context of its own, so that those of the workers are as they were if it fails.

    Args:
        lanes: with the contexts of lane 0, idle.
        signature: the model's inputs and outputs.
        model: its file.
        options: the session's.

    Raises:
        RknnValueError: it is insisted on and impossible; the message names the tensor and the reason.
    """
    if options.io_mode == COPY:
        return None
    contexts, flags = lanes[0], FLAGS[options.mem_flags]
    check_flags(contexts[0].library, flags)
    try:
        _check_functions(contexts[0].library)
        sets = _try(contexts, signature, model, flags)
        return Direct(sets, signature.descriptions, model.graphs[0].preprocessing, lanes, flags)
    except RknnError as error:
        for context in contexts:
            context.free_memories()
        if options.io_mode == DIRECT:
            raise RknnValueError(
                f"{option('io_mode', 'direct')} is not possible: {error}; use {option('io_mode', 'auto')}"
            ) from error
        # What is not understood is expected; what the runtime refuses is a surprise.
        level = logging.DEBUG if isinstance(error, RknnValueError) else logging.INFO
        logger.log(level, "inputs and outputs are copied: %s", error)
        return None


def _try(contexts: Contexts, signature: Signature, model: Model, flags: int) -> tuple[NativeSet, ...]:
    context = contexts.spare()
    try:
        sets = native_sets(context, signature.descriptions, model)
        check_conversions(sets[0], model.graphs[0].preprocessing)
        if signature.descriptions[0] is not None:
            context.set_input_shapes(signature.descriptions[0])
        LaneMemory(sets, [context], flags).bind(sets[0])
    finally:
        context.destroy()
    return sets


def _check_functions(library: Library) -> None:
    missing = [name for name in _FUNCTIONS if not library.has(name)]
    if not any(map(library.has, _ALLOCATORS)):
        missing.append(_ALLOCATORS[0])
    if missing:
        raise RknnValueError(f"the runtime {library.path} has no function {', '.join(missing)}")
