# SPDX-License-Identifier: Apache-2.0
"""The host's side of the wire: starts a device process and talks to it like the simulated runtime library."""

from __future__ import annotations

import mmap
import os
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from ez_rknn_async.model import load
from ez_rknn_async.model.format.graph import DType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

    from ez_rknn_async.model import Graph, Tensor

LOAD, ATTACH, UNLOAD, RUN = 1, 2, 3, 16
TIMEOUT = 60  # seconds; a device that does not answer fails the test instead of hanging it
NUMPY = {DType.INT8: np.int8, DType.FLOAT16: np.float16, DType.INT64: np.int64, DType.FLOAT32: np.float32}
ALIGNMENT = 64


class Reply(tuple[int, str]):
    """A status and a text."""

    def __new__(cls, packet: bytes) -> Reply:
        return super().__new__(cls, (struct.unpack_from("<i", packet)[0], packet[4:].decode()))

    @property
    def status(self) -> int:
        return self[0]

    @property
    def text(self) -> str:
        return self[1]


class Device:
    """A device process."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(TIMEOUT)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ez_rknn_async.simulator", "--control-fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        self.greeting = self.control.recv(64)

    def request(self, *words: int, descriptors: Sequence[int] = (), tail: bytes = b"") -> Reply:
        socket.send_fds(self.control, [struct.pack(f"<{len(words)}I", *words) + tail], list(descriptors))
        return Reply(self.control.recv(1 << 16))

    def load(self, model: int, content: bytes, master: int = 0) -> Reply:
        file = os.memfd_create("model")
        try:
            os.write(file, content)
            return self.request(LOAD, model, master, descriptors=[file])
        finally:
            os.close(file)

    def close(self) -> None:
        self.control.close()
        self.process.communicate(timeout=TIMEOUT)


def blend(left: Array, right: Array, gains: Array) -> list[Array]:
    """Compute what ``tools/make_test_models.py`` gives to the official simulator, with the attributes of the test
    model."""
    mean: Any = 0.25 * left + 0.75 * right + (0.5 - 0.25 + 0.125)
    difference: Any = (left - right) * gains.reshape(-1, 1, 1) / 2
    return [mean, difference]


FUNCTIONS: dict[str, Callable[..., list[Array]]] = {"cstDouble": lambda x: [2 * x], "cstBlend": blend}


@dataclass(frozen=True)
class CustomOperator:
    """A custom operator of a model, and the places of its tensors: shape, offset and size of each."""

    op: str
    inputs: int
    tensors: list[tuple[tuple[int, ...], tuple[int, int]]]

    def compute(self, memory: NDArray[np.uint8]) -> None:
        """Compute as the host does, between two stages."""
        views = [
            memory[offset : offset + size].view(np.float32).reshape(shape) for shape, (offset, size) in self.tensors
        ]
        for view, result in zip(views[self.inputs :], FUNCTIONS[self.op](*views[: self.inputs])):
            view[...] = result


class Context:
    """A context of a model that the device has loaded under ``number``."""

    def __init__(self, device: Device, number: int, path: Path) -> None:
        with load(str(path)) as model:
            self.graphs = model.graphs
        self.memory = os.memfd_create("tensors")
        self.size, extents = 0, b""
        self.offsets: list[tuple[list[int], list[int]]] = []
        self.custom: list[list[CustomOperator]] = []
        for graph in self.graphs:
            nodes = [node for node in graph.nodes if node.is_custom]
            extents += struct.pack("<III", len(graph.inputs), len(graph.outputs), len(nodes))
            offsets = [self.place(size(graph.tensors[index])) for index in (*graph.inputs, *graph.outputs)]
            extents += b"".join(struct.pack("<QQ", *place) for place in offsets)
            starts = [offset for offset, _ in offsets]
            self.offsets.append((starts[: len(graph.inputs)], starts[len(graph.inputs) :]))
            self.custom.append([])
            for node in nodes:
                shapes = [graph.tensors[index].shape for index in (*node.inputs, *node.outputs)]
                places = [self.place(4 * int(np.prod(shape))) for shape in shapes]
                extents += struct.pack("<II", len(node.inputs), len(node.outputs))
                extents += b"".join(struct.pack("<QQ", *place) for place in places)
                self.custom[-1].append(CustomOperator(node.op, len(node.inputs), list(zip(shapes, places))))
        os.ftruncate(self.memory, self.size)
        self.bytes = np.frombuffer(mmap.mmap(self.memory, self.size), np.uint8)
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(TIMEOUT)
        with theirs:
            self.attached = device.request(
                ATTACH, number, len(self.graphs), tail=extents, descriptors=[theirs.fileno(), self.memory]
            )

    def place(self, size: int) -> tuple[int, int]:
        """Return the next free place of the shared memory for ``size`` bytes: its offset and its size."""
        offset, self.size = self.size, self.size + -(-size // ALIGNMENT) * ALIGNMENT
        return offset, size

    def submit(self, graph: int = 0, core: int = 0, cores: int = 1, stage: int = 0) -> None:
        self.channel.send(struct.pack("<IIIII", RUN, graph, stage, core, cores))

    def wait(self) -> Reply:
        return Reply(self.channel.recv(1 << 16))

    def run(self, graph: int = 0, core: int = 0, cores: int = 1) -> Reply:
        """Run one inference; custom operators are computed in between, by :data:`FUNCTIONS`."""
        for stage, operator in enumerate(self.custom[graph]):
            self.submit(graph, core, cores, stage)
            reply = self.wait()
            if reply.status != 0:
                return reply
            operator.compute(self.bytes)
        self.submit(graph, core, cores, len(self.custom[graph]))
        return self.wait()

    def put(self, inputs: Sequence[NDArray[Any]], graph: int = 0) -> None:
        """Write inputs in real numbers, converted for the model."""
        of = self.graphs[graph]
        for place, (index, values) in enumerate(zip(of.inputs, inputs)):
            self.view(of, index, self.offsets[graph][0][place])[...] = native(of, place, values)

    def get(self, graph: int = 0) -> list[NDArray[Any]]:
        """Return the outputs in real numbers."""
        of = self.graphs[graph]
        return [
            real(of.tensors[index], self.view(of, index, self.offsets[graph][1][place]))
            for place, index in enumerate(of.outputs)
        ]

    def view(self, graph: Graph, index: int, offset: int) -> NDArray[Any]:
        tensor = graph.tensors[index]
        return self.bytes[offset : offset + size(tensor)].view(NUMPY[tensor.dtype]).reshape(tensor.shape)

    def close(self) -> None:
        self.channel.close()
        os.close(self.memory)


def size(tensor: Tensor) -> int:
    return int(np.prod(tensor.shape)) * np.dtype(NUMPY[tensor.dtype]).itemsize


def native(graph: Graph, place: int, values: NDArray[Any]) -> NDArray[Any]:
    """Convert an input like the runtime: normalise it, and quantise it for a quantised model."""
    tensor, preprocessing = graph.tensors[graph.inputs[place]], graph.preprocessing[place]
    values = values.astype(np.float32).reshape(tensor.shape)
    if preprocessing is not None and values.ndim > 1:
        count, channels = tensor.shape[1], (-1, *(1,) * (values.ndim - 2))
        mean, std = (
            np.array(numbers[:count], np.float32).reshape(channels)
            for numbers in (preprocessing.mean, preprocessing.std)
        )
        values = (values - mean) / std
    if tensor.quantization is None:
        return values.astype(NUMPY[tensor.dtype])
    scale, zero_point = tensor.quantization.scale[0], tensor.quantization.zero_point[0]
    return np.clip(np.rint(values / np.float32(scale)) + zero_point, -128, 127).astype(np.int8)


def real(tensor: Tensor, values: NDArray[Any]) -> NDArray[Any]:
    if tensor.quantization is None:
        return values.astype(np.float32)
    return (values.astype(np.float32) - tensor.quantization.zero_point[0]) * np.float32(tensor.quantization.scale[0])
