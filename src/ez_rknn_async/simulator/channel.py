# SPDX-License-Identifier: Apache-2.0
"""One attached context: its channel, its shared memory, and the thread that serves them."""

from __future__ import annotations

import logging
import mmap
import os
import threading
from typing import TYPE_CHECKING

import numpy as np

from . import wire
from .wire import RefusedError, ReplyStatus

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .executable import Binding, Executable
    from .lowering import CustomOperator, GraphPort, Lowered
    from .wire import Extent, GraphExtents, OperatorExtents, RunCommand

log = logging.getLogger(__name__)

MAX_CORES = 8  # more than any SoC has


class Cores:
    """The simulated cores, each of which runs one inference at a time.

    A core is a lock and not a thread: the thread that has read the request computes, so a request changes threads only
    once. The locks are not fair; the library has already decided which context comes first.
    """

    def __init__(self) -> None:
        self._locks = tuple(threading.Lock() for _ in range(MAX_CORES))

    def __getitem__(self, core: int) -> threading.Lock:
        return self._locks[core]


class SharedMemory:
    """The mapped memory of one context, with the addresses of its tensors."""

    def __init__(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        if not size:
            raise RefusedError(ReplyStatus.PARAM_INVALID, "the shared memory is empty")
        self._bytes = np.frombuffer(mmap.mmap(descriptor, size), np.uint8)

    def address(self, extent: Extent, port: GraphPort) -> int:
        """Return the address of ``port``'s tensor, after checking that it fits there."""
        if extent.size != port.size:
            raise RefusedError(
                ReplyStatus.PARAM_INVALID, f"tensor {port.name!r} has {port.size} bytes, the host gave it {extent.size}"
            )
        if extent.offset + extent.size > self._bytes.size:
            raise RefusedError(ReplyStatus.PARAM_INVALID, f"tensor {port.name!r} lies beyond the shared memory")
        if extent.offset % port.alignment:
            raise RefusedError(
                ReplyStatus.PARAM_INVALID, f"tensor {port.name!r} is not aligned to {port.alignment} bytes"
            )
        return int(self._bytes.ctypes.data) + extent.offset


class ServedContext:
    """One context of a model: the addresses of its tensors, and its sessions."""

    def __init__(self, executable: Executable, memory: SharedMemory, extents: Sequence[GraphExtents]) -> None:
        if len(extents) != len(executable.graphs):
            raise RefusedError(
                ReplyStatus.PARAM_INVALID,
                f"the model has {len(executable.graphs)} graphs, the host attached {len(extents)}",
            )
        self._executable = executable
        self._memory = memory  # keeps the addresses valid
        self._private: list[NDArray[np.uint8]] = []  # likewise
        self._addresses = tuple(
            self._with_private_memory(_shared(memory, at, graph), stages)
            for at, graph, stages in zip(extents, executable.graphs, executable.stages)
        )
        self._bindings: dict[tuple[int, int, int], Binding] = {}

    def binding(self, graph: int, stage: int, threads: int) -> Binding:
        """Return the binding that runs a stage of ``graph`` on the context's memory."""
        key = (graph, stage, threads)
        if key not in self._bindings:
            self._bindings[key] = self._executable.bind(graph, stage, threads, self._addresses[graph])
        return self._bindings[key]

    def check(self, request: RunCommand) -> None:
        """Refuse a run that names a graph, a stage or cores that do not exist."""
        if request.graph >= len(self._addresses):
            raise RefusedError(
                ReplyStatus.PARAM_INVALID, f"graph {request.graph} was asked for, the model has {len(self._addresses)}"
            )
        stages = len(self._executable.stages[request.graph])
        if request.stage >= stages:
            raise RefusedError(
                ReplyStatus.PARAM_INVALID, f"stage {request.stage} was asked for, the graph has {stages}"
            )
        if not 1 <= request.cores <= MAX_CORES - request.core:
            raise RefusedError(
                ReplyStatus.PARAM_INVALID,
                f"{request.cores} cores from core {request.core} were asked for, of {MAX_CORES}",
            )

    def _with_private_memory(self, addresses: dict[str, int], stages: Sequence[Lowered]) -> Mapping[str, int]:
        """Allocate memory in the device for the tensors that only its stages exchange."""
        for port in (port for stage in stages for port in stage.outputs if port.name not in addresses):
            self._private.append(np.empty(port.size, np.uint8))
            addresses[port.name] = int(self._private[-1].ctypes.data)
        return addresses


def _shared(memory: SharedMemory, at: GraphExtents, graph: Lowered) -> dict[str, int]:
    """Return the addresses of the tensors that host and device share, by the names of their ports."""
    if len(at.custom_operators) != len(graph.custom_operators):
        raise RefusedError(
            ReplyStatus.PARAM_INVALID,
            f"the graph has {len(graph.custom_operators)} custom operators, the host attached "
            f"{len(at.custom_operators)}",
        )
    addresses = _addresses(memory, at, graph)
    for theirs, ours in zip(at.custom_operators, graph.custom_operators):
        addresses.update(_addresses(memory, theirs, ours))
    return addresses


def _addresses(
    memory: SharedMemory, at: GraphExtents | OperatorExtents, ports: Lowered | CustomOperator
) -> dict[str, int]:
    pairs = ((at.inputs, ports.inputs), (at.outputs, ports.outputs))
    for given, wanted in pairs:
        if len(given) != len(wanted):
            raise RefusedError(
                ReplyStatus.PARAM_INVALID, f"there are {len(wanted)} inputs or outputs, the host gave {len(given)}"
            )
    return {port.name: memory.address(extent, port) for given, wanted in pairs for extent, port in zip(given, wanted)}


class Channel:
    """A server of one context's runs, until the host closes its end."""

    def __init__(self, connection: socket.socket, context: ServedContext, cores: Cores) -> None:
        self._connection = connection
        self._context = context
        self._cores = cores

    def start(self) -> None:
        """Start the serving thread, which ends with the channel."""
        threading.Thread(target=self._serve, name="channel", daemon=True).start()

    def _serve(self) -> None:
        with self._connection:
            while (packet := wire.receive(self._connection)) is not None:
                message, descriptors = packet
                wire.close_all(descriptors)
                try:
                    self._connection.send(self._answer(message))
                except OSError:
                    return  # the host closed its end and no longer waits

    def _answer(self, message: bytes) -> bytes:
        try:
            self._run(wire.parse_channel(message))
        except RefusedError as refused:
            return wire.reply(refused.status, str(refused))
        except Exception as error:  # one failed run must not take the other contexts with it
            log.exception("run failed")
            return wire.reply(ReplyStatus.FAIL, f"the simulated NPU failed: {error}")
        return wire.reply(ReplyStatus.SUCC)

    def _run(self, request: RunCommand) -> None:
        self._context.check(request)
        binding = self._context.binding(request.graph, request.stage, request.cores)
        with self._cores[request.core]:
            binding.run()
