# SPDX-License-Identifier: Apache-2.0
"""``use_weight_from``: the session that lends a model the weights that its file leaves out."""

from __future__ import annotations

import difflib
import functools
import logging
import weakref
from typing import TYPE_CHECKING, Any, Callable

from .._messages.wording import shown
from .._options.provider_options import is_option
from ..errors import RknnClosedError, RknnTypeError
from .retry import executor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .executor import Executor

logger = logging.getLogger("ez_rknn_async")

# Arguments of ONNX Runtime's session without a meaning on an NPU.
_IGNORED = ("disabled_optimizers", "enable_fallback", "read_config_from_model")
_KEYWORDS = ("sess_options", "providers", "provider_options", "use_weight_from")


def weight_lender(session_class: type, session: Any, unknown: Mapping[str, Any]) -> Callable[[], Executor | None]:
    """Check ``use_weight_from`` and refuse unknown keyword arguments of a session's constructor.

    Returns:
        A function that returns the executor of the session given as ``use_weight_from``, or None if none was given. It
        does not keep the session alive.

    Raises:
        RknnTypeError: a keyword is unknown, or ``use_weight_from`` is not a session.
    """
    for name, value in unknown.items():
        if name not in _IGNORED:
            raise RknnTypeError(f"InferenceSession has no argument {name!r}{_instead_of(name)}")
        logger.debug("InferenceSession(%s=%r) means nothing on an NPU", name, value)
    if session is None:
        return lambda: None
    if not isinstance(session, session_class):
        raise RknnTypeError(f"use_weight_from takes an InferenceSession, not {shown(session)}")
    return functools.partial(_lender, weakref.ref(session))


def _instead_of(name: str) -> str:
    if is_option(name):
        return f"; it is a provider option: pass provider_options=make_provider_options({name}=...)"
    near = difflib.get_close_matches(name, _KEYWORDS, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _lender(session: weakref.ref[Any]) -> Executor | None:
    lender = session()
    if lender is None:
        raise RknnClosedError("the session given as use_weight_from is closed")
    return executor_of(lender)
