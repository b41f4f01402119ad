"""Whether a session's tensors travel directly or by copy.

``io_mode="auto"`` goes direct wherever the runtime has the functions, its attributes are understood and every
conversion has a kernel; elsewhere, and where the runtime then refuses, tensors are copied, and the log says why.
``"direct"`` insists, ``"copy"`` never tries.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .direct import Direct, check_conversions
from .errors import RknnError, RknnValueError
from .native_set import native_sets
from .runtime.memory import FLAGS

if TYPE_CHECKING:
    from .contexts import Contexts
    from .interface import Interface
    from .model import Model
    from .options import ProviderOptions
    from .runtime.library import Library

logger = logging.getLogger("ez_rknn_async")

AUTO, DIRECT, COPY = "auto", "direct", "copy"

# What direct I/O calls, besides one of the functions that allocate.
_FUNCTIONS = ("rknn_set_io_mem", "rknn_destroy_mem")
_ALLOCATORS = ("rknn_create_mem", "rknn_create_mem2")


class DirectRefusedError(Exception):
    """The runtime refused direct I/O half way: its contexts are not as they were, and must be made anew."""


def direct_transport(contexts: Contexts, interface: Interface, model: Model, options: ProviderOptions) -> Direct | None:
    """Set direct I/O up, as the options say; None: tensors are copied.

    Args:
        contexts: of the workers, idle.
        interface: the model's inputs and outputs.
        model: its file.
        options: the session's.

    Raises:
        RknnValueError: it is insisted on and impossible; the message names the tensor and the reason.
        DirectRefusedError: it is not insisted on, and the runtime refused what should have been possible.
    """
    if options.io_mode == COPY:
        return None
    normalisations = model.graphs[0].preprocessing
    try:
        _check_functions(contexts[0].library)
        sets = native_sets(contexts[0], interface, model)
        check_conversions(sets[0], normalisations)
    except RknnError as error:
        if options.io_mode == DIRECT:
            raise _impossible(error) from error
        logger.debug("inputs and outputs are copied: %s", error)
        return None
    try:
        direct = Direct(sets, normalisations, list(contexts), FLAGS[options.mem_flags])
        _try(direct, contexts, interface)
    except RknnError as error:
        if options.io_mode == DIRECT:
            raise _impossible(error) from error
        if isinstance(error, RknnValueError):
            raise  # mem_flags asks for what this runtime does not have
        raise DirectRefusedError(str(error)) from error
    return direct


def _try(direct: Direct, contexts: Contexts, interface: Interface) -> None:
    if interface.descriptions[0] is not None:
        contexts[0].set_input_shapes(interface.descriptions[0])
    direct.bind(contexts[0])


def _check_functions(library: Library) -> None:
    missing = [name for name in _FUNCTIONS if not library.has(name)]
    if not any(map(library.has, _ALLOCATORS)):
        missing.append(_ALLOCATORS[0])
    if missing:
        raise RknnValueError(f"the runtime {library.path} has no function {', '.join(missing)}")


def _impossible(error: RknnError) -> RknnValueError:
    return RknnValueError(f"io_mode='direct' is not possible: {error}; use io_mode='auto'")
