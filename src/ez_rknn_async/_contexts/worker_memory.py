# SPDX-License-Identifier: Apache-2.0
"""NPU memory that every worker of a session reaches, and its bindings.

A worker runs inferences on a context of its own, and a runtime knows memory by context: one piece of memory is a
``rknn_tensor_mem`` for each worker. It is bound as an input or output of the model with an ``rknn_tensor_attr``, and
the same memory may be bound in several ways.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from .._runtime.abi import ffi
from .._runtime.task import Transfer
from .._runtime.tensor_attribute import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._runtime.context import Context
    from .._runtime.kernels import Conversion
    from .._runtime.memory import Memory
    from .._runtime.tensor_attribute import TensorAttribute

# Unique in the process: a worker binds again only if the number is not that of its last binding.
_numbers = itertools.count(1)


class BoundMemory:
    """Memory bound as one input or output of the model: all that a task needs but the array."""

    def __init__(self, attribute: TensorAttribute, memories: Any, *, needs_sync: bool) -> None:
        """Describe a binding.

        Args:
            attribute: the binding, as the runtime gets it.
            memories: ``rknn_tensor_mem *[]``, by worker.
            needs_sync: True if CPU caches stand between the program and the NPU.
        """
        self._attribute = describe([attribute])
        self._memories = memories
        self._number = next(_numbers)
        self._needs_sync = needs_sync

    def transfer(self, conversion: Conversion | None) -> Transfer:
        """Return the transfer of an array; without a conversion the NPU uses the memory as it is."""
        return Transfer(self._attribute, self._memories, self._number, conversion, sync=self._needs_sync)


class WorkerMemory:
    """One piece of memory in the contexts of all workers; in none of them before :meth:`reach`."""

    def __init__(self, workers: int, obtain: Callable[[Context], Memory], *, needs_sync: bool = True) -> None:
        """Prepare for this number of workers.

        Args:
            workers: the number of workers.
            obtain: allocates the memory in a context, or imports it there.
            needs_sync: True if CPU caches stand between the program and the NPU.
        """
        self._obtain = obtain
        self._needs_sync = needs_sync
        self._memories: list[Memory | None] = [None] * workers
        self._structures = ffi.new("rknn_tensor_mem *[]", workers)
        self._bound: dict[TensorAttribute, BoundMemory] = {}

    def __iter__(self) -> Iterator[Memory]:
        """Iterate over the memory in each context that has it, by worker."""
        return (memory for memory in tuple(self._memories) if memory is not None)

    def reach(self, worker: int, context: Context) -> None:
        """Obtain the memory in a worker's present context; a former context takes its own with it.

        Raises:
            RknnDeviceError: the context cannot have it; binding it then fails with a message.
        """
        former = self._memories[worker]
        if former is not None and former.context is context:
            return
        self._memories[worker], self._structures[worker] = None, ffi.NULL
        memory = self._obtain(context)
        self._memories[worker], self._structures[worker] = memory, memory.structure

    def bound(self, attribute: TensorAttribute) -> BoundMemory:
        """Return the memory bound with this attribute; always the same object for the same attribute."""
        bound = self._bound.get(attribute)
        return bound or self._bound.setdefault(
            attribute, BoundMemory(attribute, self._structures, needs_sync=self._needs_sync)
        )
