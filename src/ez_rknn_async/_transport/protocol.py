# SPDX-License-Identifier: Apache-2.0
"""The interface of a transport, which moves tensors between the user's arrays and the NPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._tensors.inputs import Given
    from .._tensors.outputs import Receiver
    from .request import Request


class Transport(Protocol):
    """The interface of :class:`~.copying.Copying` and :class:`~.direct.Direct`. Thread-safe."""

    def request(self, given: Sequence[Given], chosen: int, receivers: Sequence[Receiver], *, private: bool) -> Request:
        """Prepare an inference.

        Args:
            given: the inputs.
            chosen: the index of their set of shapes.
            receivers: the arrays for the outputs.
            private: True if the request must share no memory with the inputs, because the caller may change them while
                it runs.

        Raises:
            RknnClosedError, RknnError: its lane cannot be opened.
        """
