# SPDX-License-Identifier: Apache-2.0
"""A request: one inference, checked and ready to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._runtime.kernels import Conversion
    from .._runtime.task import EngineTask, Result


class Request(Protocol):
    """One inference that can no longer fail because of a wrong argument.

    It owns what its task points to, and lives until the task has ended.
    """

    @property
    def needs_result(self) -> bool:
        """True if :meth:`ended` must be told the result of every run, rather than None for a success."""

    @property
    def arrays(self) -> list[Any]:
        """The arrays with the outputs, once the task has ended."""

    @property
    def quantisations(self) -> Sequence[Conversion]:
        """Those conversions of inputs, made by a worker, that can meet a NaN."""

    def fill(self, task: EngineTask) -> None:
        """Write this request into the structures of a task."""

    def ended(self, result: Result | None) -> None:
        """Release what the task used: neither the engine nor the runtime uses it any more. May be called twice.

        ``result`` is None when nothing has run; and after a success, unless :attr:`needs_result`.
        """
