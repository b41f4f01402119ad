# SPDX-License-Identifier: Apache-2.0
"""A whole model, as :func:`load` returns it."""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Union

from ..._host.paths import checked_path
from ...errors import RknnModelError, naming
from .container import COPY_AGAIN, Header, check_summary, open_container, read_root
from .decode import Surroundings, decode_graph
from .operands import check_same_operators
from .ports import check_same_ports
from .schema import ROOT, parameter_types

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from .graph import Graph, Tensor

_WEIGHTS_HINT = (
    "compile it without remove_weight=True, or run it from Python with the session that has the weights: "
    "InferenceSession(..., use_weight_from=session)"
)

_MAX_BATCH = 1024

Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]


@dataclass(frozen=True)
class ApiTensor:
    """An input or output as seen by a program that uses the runtime."""

    name: str
    dtype: str  # such as "float16" or "int8"
    layout: str  # "NHWC", "NCHW" or "UNDEFINED"


@dataclass(frozen=True, eq=False)
class Model:
    """A checked ``.rknn`` file.

    Use it as a context manager, or :meth:`close` it, to release the file; graphs and numbers remain usable, tensor data
    does not.
    """

    header: Header
    framework: str  # the source format, such as "ONNX"
    custom_string: str
    batch_size: int  # runs of the graph, which has batch 1, for one call
    dynamic: bool  # there are several graphs, one for each set of input shapes
    inputs: tuple[ApiTensor, ...]
    outputs: tuple[ApiTensor, ...]
    attributes: Mapping[str, Any]  # 'attrs', 'quant_tab' and 'dynamic_shapes' as the compiler wrote them
    weight_bytes: int
    internal_bytes: int  # memory for intermediate tensors
    graphs: tuple[Graph, ...]
    size: int  # of the file
    _buffers: list[memoryview] = field(repr=False)
    _mapping: mmap.mmap | None = field(repr=False, default=None)
    _master: Model | None = field(repr=False, default=None)  # has the weights that this file leaves out

    @property
    def container_version(self) -> int:
        """The version of the container, 6."""
        return self.header.container_version

    @property
    def schema_version(self) -> int:
        """The version of the FlatBuffer's schema, 6."""
        return self.header.schema_version

    @property
    def toolkit_version(self) -> tuple[int, int, int]:
        """The rknn-toolkit2 that compiled it, such as ``(2, 5, 0)``."""
        return self.header.toolkit_version

    @property
    def compiler(self) -> str:
        """The compiler's own description of itself."""
        return self.header.compiler

    @property
    def target_platform(self) -> str:
        """The SoC it was compiled for, such as ``"rk3588"``; ``"rk3566"`` also for RK3568."""
        return self.header.target_platform

    @property
    def stored_bytes(self) -> int:
        """The size of the file, plus the files that it borrows weights from."""
        return self.size + (self._master.stored_bytes if self._master is not None else 0)

    def buffer(self, index: int) -> memoryview:
        """Return the bytes of a buffer without a copy; buffer 0 is empty."""
        if index == 0 and not self._buffers:
            return memoryview(b"")
        return self._buffers[index]

    def has_data(self, graph: Graph, tensor: Tensor) -> bool:
        """Check if the file holds data for ``tensor`` of ``graph``."""
        return len(self._find_data(graph, tensor)) > 0

    def constant_bytes(self, graph: Graph, tensor: Tensor) -> memoryview:
        """Return the stored bytes of ``tensor`` of ``graph``, padding included.

        In a dynamic model only the first graph holds the weights; the other graphs find theirs there by name.

        Raises:
            RknnModelError: neither the file nor the one that it borrows weights from has any; or the latter has
                a tensor of that name in another form.
        """
        data = self._find_data(graph, tensor)
        if not len(data):
            raise RknnModelError(f"the model has no data for tensor {tensor.name!r}", hint=_WEIGHTS_HINT)
        return data

    def with_weights_from(self, master: Model) -> Model:
        """Return this model with the weights that its file leaves out (``remove_weight=True``) from ``master``.

        They are looked up by tensor name on use. It is the same file: closing either of the two closes both. ``master``
        must stay open for as long; it may have a master itself.

        Raises:
            RknnModelError: the models are for different SoCs, which pack weights differently.
        """
        if self.target_platform != master.target_platform:
            raise RknnModelError(
                f"the model is for {self.target_platform}, but the one whose weights it is to use is for "
                f"{master.target_platform}"
            )
        return replace(self, _master=master)

    def close(self) -> None:
        """Release the file. Arrays that still view it keep it mapped until they are gone."""
        self._buffers.clear()
        if self._mapping is not None:
            with contextlib.suppress(BufferError):  # views still exist: the mapping goes with the last of them
                self._mapping.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _find_data(self, graph: Graph, tensor: Tensor) -> memoryview:
        data = self.buffer(tensor.buffer)
        if not len(data) and graph is not self.graphs[0]:
            data = self.buffer(self._shared_buffers.get(tensor.name, 0))
        if not len(data) and self._master is not None:
            data = self._master._lend(tensor)
        return data

    def _lend(self, wanted: Tensor) -> memoryview:
        """Return the data of the tensor of that name to a model that borrows it; empty if there is no such tensor."""
        graph = self.graphs[0]
        for tensor in graph.tensors:
            if tensor.name == wanted.name and len(data := self._find_data(graph, tensor)):
                if _form(tensor) != _form(wanted):
                    raise RknnModelError(
                        f"weight {wanted.name!r} is {_describe(wanted)}, but {_describe(tensor)} in the model that it "
                        "is to be taken from",
                        hint="the weights of another model do not fit: use those of the model that this was made of",
                    )
                return data
        return memoryview(b"")

    @cached_property
    def _shared_buffers(self) -> dict[str, int]:
        """The buffers of the first graph, by tensor name."""
        tensors = reversed(self.graphs[0].tensors)  # the first of a name wins
        return {tensor.name: tensor.buffer for tensor in tensors if len(self.buffer(tensor.buffer))}


def _form(tensor: Tensor) -> tuple[object, ...]:
    return tensor.dtype, tensor.layout, tensor.shape, tensor.native_shape


def _describe(tensor: Tensor) -> str:
    return f"{tensor.dtype.name.lower()} {list(tensor.shape)} (stored as {list(tensor.native_shape[:12])})"


def load(source: Source) -> Model:
    """Read and check a model.

    Args:
        source: the path of a ``.rknn`` file, which is mapped rather than read, or its content.

    Raises:
        RknnModelError: it is not a model, is damaged, or is of a kind that is not supported; ``.offset`` says where.
    """
    mapping, data = _open(source)
    try:
        with naming(_name(source)):
            return _decode(data, mapping)
    except BaseException:
        data.release()
        raise


def read_header(source: Source) -> Header:
    """Return a model's target and the versions it needs. Takes microseconds for a file of any size."""
    _, data = _open(source)
    with naming(_name(source)):
        return read_root(open_container(data))


def _decode(data: memoryview, mapping: mmap.mmap | None) -> Model:
    container = open_container(data)
    header = read_root(container)
    check_summary(container, data)
    reader = container.reader
    root = ROOT.read(reader, container.root)
    if not root["graphs"]:
        reader.fail(container.root, "it has no graph")
    buffers = [table["data"] for table in root["buffers"]]
    memory = root["memory"] or {"weight": 0, "internal": 0}
    batch_size = _batch_size(root["batch_size"])
    surroundings = Surroundings(len(buffers), parameter_types(header.toolkit_version), batch_size, memory["internal"])
    attributes = {} if root["attributes"] is None else root["attributes"]
    if not isinstance(attributes, dict):
        reader.fail(container.root, "its attributes are not a dict")
    graphs = tuple(decode_graph(reader, table, surroundings) for table in root["graphs"])
    check_same_ports(reader, container.root, graphs)
    check_same_operators(reader, container.root, graphs)
    return Model(
        header=header,
        framework=root["framework"],
        custom_string=root["custom_string"],
        batch_size=batch_size,
        dynamic=root["shape_mode"] == "dynamic_shape",
        inputs=_api_tensors(root["input_types"]),
        outputs=_api_tensors(root["output_types"]),
        attributes=attributes,
        weight_bytes=memory["weight"],
        internal_bytes=memory["internal"],
        graphs=graphs,
        size=len(data),
        _buffers=buffers,
        _mapping=mapping,
    )


def _api_tensors(described: Any) -> tuple[ApiTensor, ...]:
    if described is None:
        return ()
    try:
        return tuple(
            ApiTensor(str(name), str(entry["dtype"]), str(entry["layout"])) for name, entry in described.items()
        )
    except (AttributeError, KeyError, TypeError):
        raise RknnModelError("the model file is damaged: its inputs or outputs are not described as expected") from None


def _batch_size(text: str) -> int:
    """Parse the compiler's ``rknn_batch_size``; 0 means that it was not set."""
    if not text:
        return 1
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= _MAX_BATCH):
        raise RknnModelError(
            f"the model file is damaged: {text[:20]!r} is not a batch size, which is a number up to {_MAX_BATCH}"
        )
    return max(1, int(text))


def open_file(path: str) -> int:
    """Open a model file and return its descriptor, which the caller closes.

    Raises:
        RknnModelError: there is none, or it cannot be read.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would block until it has a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise RknnModelError(f"the model file {path!r} cannot be opened: {error.strerror}") from error
    try:
        _check_kind(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_kind(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind, or_else = "a pipe or a device", ", or read it and give its content"
        if stat.S_ISDIR(status.st_mode):
            kind, or_else = "a directory", ""
        hint = f"give the path of a .rknn file{or_else}"
        raise RknnModelError(f"the model file {path!r} is not a file but {kind}", hint=hint)
    if status.st_size == 0:
        raise RknnModelError(f"the model file {path!r} is empty", offset=0, hint=COPY_AGAIN)


def _name(source: Source) -> str | None:
    """Return the path that was given; None for content."""
    return None if isinstance(source, (bytes, bytearray, memoryview)) else checked_path("source", source)


def _open(source: Source) -> tuple[mmap.mmap | None, memoryview]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return None, memoryview(source).cast("B")
    descriptor = open_file(checked_path("source", source))
    try:
        mapping = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
    return mapping, memoryview(mapping)
