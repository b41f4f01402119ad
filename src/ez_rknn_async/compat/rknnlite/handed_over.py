# SPDX-License-Identifier: Apache-2.0
"""A context that a program uses by itself, through ctypes, besides what it calls here.

``set_inputs``, ``run`` and ``get_outputs`` are then the runtime's own calls on that very context, so that the program
may replace any of them: set inputs here and fetch outputs through ctypes, or the other way round.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._runtime.abi import ffi
from ..._runtime.task import EngineTask
from ..._transport.copying import Copying, takes_pixels
from ...errors import RknnClosedError, RknnError, RknnValueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from ..._runtime.context import Context
    from ..._tensors.inputs import Given
    from ..._transport.signature import Signature
    from ...model import Preprocessing

    Array = npt.NDArray[Any]


class HandedOver:
    """Runs a model on one context by the runtime's general calls, one call at a time."""

    def __init__(
        self, context: Context, signature: Signature, normalisations: Sequence[Preprocessing | None] = ()
    ) -> None:
        """Use a context.

        Args:
            context: with its core mask set; the caller destroys it.
            signature: the model's inputs and outputs.
            normalisations: what the model's file says about each input, where the file is known.
        """
        self.context, self.signature = context, signature
        self._copying = Copying(signature, None, normalisations)
        self._lock = threading.RLock()  # a context belongs to one thread at a time
        self._is_closed = False
        self._had_pixels = [False] * len(signature.inputs)
        self._shapes_set = self._shapes_run = 0  # indices of the sets of shapes of a dynamic model

    def close(self) -> None:
        """Stop using the context, after the call that is under way."""
        with self._lock:
            self._is_closed = True

    def infer(self, feed: Sequence[Array]) -> list[Array]:
        """Run one inference, while no other thread uses the context."""
        with self._used():
            self.set_inputs(feed)
            self.run()
            return self.outputs()

    def set_inputs(self, feed: Sequence[Array]) -> None:
        """Convert a feed into the context's memory.

        Raises:
            RknnValueError, RknnTypeError: it does not fit the model.
            RknnError: the runtime refuses it.
        """
        given, chosen = self.signature.check(feed)
        with self._used():
            self._check_pixels(given)
            request = self._copying.request(given, chosen, self.signature.receivers(chosen), private=False)
            task = EngineTask(len(self.signature.inputs), len(self.signature.outputs))
            request.fill(task)
            self.context.set_inputs(task)
            self._shapes_set = chosen

    def run(self) -> None:
        """Run on the inputs that were set.

        Raises:
            RknnError: the runtime refused or failed.
        """
        with self._used():
            self.context.run()
            self._shapes_run = self._shapes_set

    def outputs(self) -> list[Array]:
        """Fetch the outputs of the last run, in new arrays.

        Raises:
            RknnError: the runtime refused, or other shapes were set since.
        """
        with self._used():
            if self._shapes_run != self._shapes_set:
                raise RknnError("the outputs are gone: inputs of other shapes were set since; fetch them before")
            receivers = self.signature.receivers(self._shapes_run)
            task = EngineTask(len(self.signature.inputs), len(receivers))
            for index, receiver in enumerate(receivers):
                task.set_output(index, receiver.array, receiver.want_float)
            library, handle = self.context.library, self.context.handle
            library.call("rknn_outputs_get", handle, len(receivers), task.outputs, ffi.NULL)
            library.call("rknn_outputs_release", handle, len(receivers), task.outputs)
        return [receiver.array for receiver in receivers]

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        with self._lock:
            if self._is_closed:
                raise RknnClosedError("the runtime was released")
            yield

    def _check_pixels(self, given: Sequence[Given]) -> None:
        """Refuse other types after pixels: a context that was given pixels normalises all that comes after."""
        for index, (value, target) in enumerate(zip(given, self.signature.inputs)):
            if not takes_pixels(target.attribute):
                continue
            is_pixels = value.array.dtype == np.uint8
            if self._had_pixels[index] and not is_pixels:
                raise RknnValueError(
                    f"input {target.attribute.name!r} was given uint8 pixels before, and now {value.array.dtype}, "
                    "which the runtime would get wrong on the same context; use another object for it, or leave "
                    "rknn_runtime.context alone: inference() then takes both"
                )
            self._had_pixels[index] |= is_pixels
