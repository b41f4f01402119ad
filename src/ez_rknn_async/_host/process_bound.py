# SPDX-License-Identifier: Apache-2.0
"""Objects that hold threads, contexts or NPU memory of this process: never pickled or copied, and always printable.

Without this, ``pickle`` and ``copy`` fail inside one of their parts, with a message about a lock; or they succeed, and
two objects own the same NPU memory.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from ..errors import RknnTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

Method = TypeVar("Method", bound="Callable[..., str]")

IN_EACH_PROCESS = (
    "open a session in each process, from the model's path: with multiprocessing's 'spawn' method, in the initializer "
    "of the pool (docs/how-to/multiprocessing.md)"
)


class ProcessBound:
    """A base that refuses ``pickle``, ``copy.copy`` and ``copy.deepcopy``; a subclass may define ``__reduce__``."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        refuse_copy(self)


def refuse_copy(of: object) -> NoReturn:
    """Refuse to pickle or copy this object.

    Raises:
        RknnTypeError: always.
    """
    raise RknnTypeError(
        f"{type(of).__name__} objects cannot be pickled or copied: what they hold of the NPU belongs to this process; "
        f"{IN_EACH_PROCESS}. Within a process all threads may share one session"
    )


def never_raising(method: Method) -> Method:
    """Decorate a ``__repr__`` to name only the class if the object is half-made or its parts are gone."""

    @functools.wraps(method)
    def show(self: Any) -> str:
        try:
            return method(self)
        except Exception:
            return f"<{type(self).__name__}>"

    return cast("Method", show)
