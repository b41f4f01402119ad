# SPDX-License-Identifier: Apache-2.0
"""Small graphs, each with a layer of the kind that one report is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ez_rknn_async.model import DType, Graph, Header, Kind, Layout, Model, Node, Tensor

Shape = tuple[int, ...]


@dataclass
class Sketch:
    """A graph under construction; tensor 0 is the dummy of every graph."""

    tensors: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tensor((), Kind.DUMMY)

    def tensor(self, shape: Shape, kind: Kind = Kind.INTERMEDIATE, dtype: DType = DType.FLOAT16) -> int:
        """Add a tensor and return its index."""
        index = len(self.tensors)
        self.tensors.append(Tensor(index, f"t{index}", dtype, Layout.PLAIN, kind, shape, (), None, 0, 0))
        return index

    def layer(self, op: str, inputs: list[int], shape: Shape, *, on_npu: bool = True, **attributes: Any) -> int:
        """Add a layer with one result and return that."""
        output = self.tensor(shape)
        name = str(attributes.pop("name", f"{op}:layer{len(self.nodes)}"))
        self.nodes.append(Node(len(self.nodes), op, name, on_npu, tuple(inputs), (output,), attributes, (1,), ()))
        return output

    def model(self, target: str, toolkit: tuple[int, int, int] = (2, 5, 0)) -> Model:
        """Return a model of this graph alone."""
        graph = Graph(tuple(self.tensors), tuple(self.nodes), (), (), ())
        return Model(
            header=Header(6, 6, toolkit, "", target),
            framework="ONNX",
            custom_string="",
            batch_size=1,
            dynamic=False,
            inputs=(),
            outputs=(),
            attributes={},
            weight_bytes=0,
            internal_bytes=0,
            graphs=(graph,),
            size=0,
            _buffers=[],
        )


def single(op: str, *shapes: Shape, on_npu: bool = True, result: Shape = (1, 8, 4, 4), **attributes: Any) -> Sketch:
    """Sketch one layer of intermediate operands."""
    sketch = Sketch()
    sketch.layer(op, [sketch.tensor(shape) for shape in shapes], result, on_npu=on_npu, **attributes)
    return sketch


def convolution(kernel: Shape, strides: Shape = (1, 1), *, name: str = "Conv:c", computed: bool = False) -> Sketch:
    """Sketch one convolution."""
    sketch = Sketch()
    weight = sketch.tensor((8, 8, *kernel), Kind.INTERMEDIATE if computed else Kind.WEIGHT)
    inputs = [sketch.tensor((1, 8, 200, 200)), weight]
    sketch.layer("Conv", inputs, (1, 8, 9, 9), kernel_shape=kernel, strides=strides, name=name)
    return sketch


def row(height: int) -> Sketch:
    """Sketch a mean over rows, or nothing, and a convolution along what it leaves."""
    sketch = Sketch()
    mean = sketch.layer("Conv", [sketch.tensor((1, 8, height, 151))], (1, 8, 1, 151), kernel_shape=(height, 1))
    weight = sketch.tensor((8, 8, 1, 3), Kind.WEIGHT)
    sketch.layer("ConvRelu", [mean, weight], (1, 8, 1, 151), kernel_shape=(1, 3), strides=(1, 1))
    return sketch


def resized(mode: str, *, consumed: bool) -> Sketch:
    """Sketch a Resize, and a layer behind it or the model's end."""
    sketch = Sketch()
    larger = sketch.layer("Resize", [sketch.tensor((1, 8, 4, 4))], (1, 8, 8, 8), mode=mode)
    sketch.layer("Conv" if consumed else "OutputOperator", [larger], (1, 8, 8, 8))
    return sketch


def attention(*, beside_int8: bool) -> Sketch:
    """Sketch fused attention in float16, in a network that is quantised or not."""
    sketch = single("exSDPAttention", *[(4, 16, 1, 17)] * 3, result=(4, 16, 1, 17))
    if beside_int8:
        sketch.tensor((1, 8, 4, 4), dtype=DType.INT8)
    return sketch
