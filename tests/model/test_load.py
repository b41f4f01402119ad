# SPDX-License-Identifier: Apache-2.0
"""Facts that a loaded model reports, on models compiled for the purpose."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import DType, Kind, Layout, load, read_header

from .walk import decode
from .writer import Reference, Value, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ez_rknn_async.model import Model

REFUSED = ("mini_int8",)


def test_committed_models_report_their_compiler_arguments(data: Path, manifest: dict[str, Any]) -> None:
    """Target, toolkit, batch, inputs and outputs must be the compiler's arguments."""
    for name, entry in manifest.items():
        if name in REFUSED:
            continue
        with load(data / entry["file"]) as model:
            assert model.target_platform == entry["target"], name
            assert model.toolkit_version == (2, 5, 0)
            assert model.schema_version == model.container_version == 6
            assert model.batch_size == entry["batch"]
            assert model.custom_string == entry["config"].get("custom_string", "")
            assert model.dynamic == ("dynamic_input" in entry["config"])
            graph = model.graphs[0]
            assert [graph.tensors[i].name for i in graph.inputs] == [each["name"] for each in entry["inputs"]]
            assert [list(graph.tensors[i].shape) for i in graph.inputs] == [each["shape"] for each in entry["inputs"]]
            assert [graph.tensors[i].name for i in graph.outputs] == [each["name"] for each in entry["outputs"]]
            assert [each.name for each in model.inputs] == [each["name"] for each in entry["inputs"]]


def test_a_path_and_its_content_are_the_same_model(data: Path, tiny: bytes) -> None:
    """Every kind of source gives the same graphs."""
    path = data / "tiny_conv_int8.rknn"
    sources: list[Any] = [path, str(path), tiny, bytearray(tiny), memoryview(tiny)]
    models = [load(source) for source in sources]
    assert all(model.graphs == models[0].graphs for model in models)
    assert all(model.header == read_header(source) for model, source in zip(models, sources))
    for model in models:
        model.close()


def test_reads_an_int8_convolution_in_full(open_model: Callable[[str], Model]) -> None:
    """The graph of the smallest model, tensor by tensor, is a 3x3 convolution with ReLU, as compiled."""
    graph = open_model("tiny_conv_int8").graphs[0]
    (node,) = [node for node in graph.nodes if node.op.startswith("Conv")]
    assert node.on_npu
    assert node.attributes["kernel_shape"] == (3, 3)
    assert node.attributes["pads"] == (1, 1, 1, 1)
    assert node.attributes["group"] == 1
    source, weight, bias = (graph.tensors[index] for index in node.inputs[:3])
    assert (source.kind, source.dtype, source.shape) == (Kind.INPUT, DType.INT8, (1, 3, 16, 16))
    assert (weight.kind, weight.layout, weight.shape) == (Kind.WEIGHT, Layout.PACKED_WEIGHT, (8, 3, 3, 3))
    assert (bias.kind, bias.layout) == (Kind.WEIGHT, Layout.PLAIN)
    (target,) = (graph.tensors[index] for index in node.outputs)
    assert target.quantization is not None
    assert target.quantization.zero_point == (-128,)  # a ReLU gives nothing below zero
    assert graph.core_modes == (1, 2, 3)


def test_core_modes_are_the_compiled_ones(open_model: Callable[[str], Model]) -> None:
    """There are task lists for three cores on RK3588, two on RK3576, one on RK3566 and in single-core mode."""
    modes = {
        name: open_model(name).graphs[0].core_modes
        for name in ("block_int8", "single_core_int8", "rk3576_block_int8", "rk3566_block_int8", "rk3562_conv_int8")
    }
    assert modes == {
        "block_int8": (1, 2, 3),
        "single_core_int8": (1,),
        "rk3576_block_int8": (1, 2),
        "rk3566_block_int8": (1,),
        "rk3562_conv_int8": (1,),
    }


def test_preprocessing_has_one_value_for_each_channel(open_model: Callable[[str], Model]) -> None:
    """The file has four values for three channels, even if there is nothing to normalise."""
    (preprocessing,) = open_model("mean_std_int8").graphs[0].preprocessing
    assert preprocessing is not None
    assert preprocessing.mean == pytest.approx((123.675, 116.28, 103.53))
    assert preprocessing.std == pytest.approx((58.395, 57.12, 57.375))
    assert open_model("tiny_conv_int8").graphs[0].preprocessing == (None,)


def test_a_dynamic_model_has_a_graph_for_each_shape_and_one_set_of_weights(
    open_model: Callable[[str], Model], manifest: dict[str, Any]
) -> None:
    """The largest shape comes first; the other graphs find their weights in it by name."""
    model = open_model("dynamic_fp16")
    shapes = [graph.tensors[graph.inputs[0]].shape for graph in model.graphs]
    compiled = [tuple(inputs[0]) for inputs in manifest["dynamic_fp16"]["config"]["dynamic_input"]]
    assert shapes == sorted(compiled, reverse=True)
    first, *others = ([t for t in graph.tensors if t.layout is Layout.PACKED_WEIGHT] for graph in model.graphs)
    for graph, weights in zip(model.graphs[1:], others):
        assert [len(model.buffer(weight.buffer)) for weight in weights] == [0] * len(first)
        for weight, original in zip(weights, first):
            found = model.constant_bytes(graph, weight)
            assert found == model.constant_bytes(model.graphs[0], original)


def test_a_model_without_its_weights_loads_but_refuses_to_give_them(open_model: Callable[[str], Model]) -> None:
    """Such a file loads for inspection; asking for a weight names the missing part."""
    model = open_model("without_weights_fp16")
    graph = model.graphs[0]
    (weight,) = [tensor for tensor in graph.tensors if tensor.layout is Layout.PACKED_WEIGHT]
    assert not model.has_data(graph, weight)
    with pytest.raises(RknnModelError, match="remove_weight"):
        model.constant_bytes(graph, weight)


def test_weights_are_borrowed_by_name_and_form(open_model: Callable[[str], Model]) -> None:
    """Every weight missing in the file is its master's, through a chain too; one of another form is refused."""
    master, stripped = open_model("tiny_conv_fp16"), open_model("without_weights_fp16")
    borrower = stripped.with_weights_from(master)
    chained = stripped.with_weights_from(borrower)
    names = {tensor.name: tensor for tensor in master.graphs[0].tensors}
    left_out = [t for t in stripped.graphs[0].tensors if t.buffer and not len(stripped.buffer(t.buffer))]
    assert left_out
    for tensor in left_out:
        for model in (borrower, chained):
            data = model.constant_bytes(model.graphs[0], tensor)
            assert data == master.constant_bytes(master.graphs[0], names[tensor.name])
    other = stripped.with_weights_from(open_model("conv_c16_fp16"))
    with pytest.raises(RknnModelError, match="do not fit"):
        other.constant_bytes(other.graphs[0], left_out[0])


def test_weights_are_not_borrowed_from_a_model_for_another_soc(open_model: Callable[[str], Model]) -> None:
    """They would be packed differently."""
    with pytest.raises(RknnModelError, match="rk3566"):
        open_model("without_weights_fp16").with_weights_from(open_model("rk3566_block_fp16"))


def test_unknown_numbers_do_not_stop_a_model_from_loading() -> None:
    """A newer compiler may write kinds, layouts and element types that a board's runtime knows, though we do not."""
    writer, graphs, graph, tensors, tensor, port, outputs = Writer(), *(Reference() for _ in range(6))
    root = writer.table({0: 6, 2: graphs})
    writer.tables([graph], graphs)
    writer.table({0: tensors, 3: outputs}, graph)
    writer.tables([tensor, port], tensors)
    writer.table({0: 200, 1: 201, 2: 202}, tensor)
    writer.port(port)
    writer.numbers("i", [1], outputs)
    read, _ = load(writer.finish(root)).graphs[0].tensors
    assert (read.dtype, read.layout, read.kind) == (DType.UNKNOWN, Layout.UNKNOWN, Kind.UNKNOWN)


def graph_with(node: dict[int, Value], more: Callable[[Writer], None]) -> bytes:
    """Return a model of one output, one output operator that reads it, and one more node, whose parts ``more``
    writes."""
    writer = Writer()
    graphs, graph, tensors, tensor, nodes, output, last, op, ids = (Reference() for _ in range(9))
    root = writer.table({0: 6, 2: graphs})
    writer.tables([graph], graphs)
    writer.table({0: tensors, 1: nodes, 3: ids}, graph)
    writer.tables([tensor], tensors)
    writer.port(tensor)
    writer.tables([output, last], nodes)
    writer.table({1: op, 4: ids}, output)
    writer.table(node, last)
    writer.text(b"OutputOperator", op)
    writer.numbers("i", [0], ids)
    more(writer)
    return writer.finish(root)


def test_leaves_out_an_empty_node_at_the_end() -> None:
    """The compiler leaves one behind if RK3562 or RK3566 has nothing to do; a half-empty one is damage."""
    with load(graph_with({}, lambda writer: None)) as model:
        assert [node.op for node in model.graphs[0].nodes] == ["OutputOperator"]
    ids = Reference()
    with pytest.raises(RknnModelError, match="operator ''"):
        load(graph_with({4: ids}, lambda writer: writer.numbers("i", [0], ids)))


def test_the_four_numbers_of_an_output_are_not_attributes() -> None:
    """The first of them can be 16, their own length in bytes, just as in a BSON document."""
    op, ids, numbers = Reference(), Reference(), Reference()

    def write(writer: Writer) -> None:
        writer.text(b"OutputOperator", op)
        writer.numbers("i", [0], ids)
        writer.raw(struct.pack("<I4i", 16, 16, 2, 4, 5), numbers)

    with load(graph_with({1: op, 4: ids, 9: numbers}, write)) as model:
        assert [node.attributes for node in model.graphs[0].nodes] == [{}, {}]


@pytest.mark.parametrize("shape", [(-1, 3), (2**16, 2**16), (0, 2**30, 2**30, 2**30)])
def test_refuses_impossible_shapes(shape: tuple[int, ...]) -> None:
    """They include an empty tensor's if numpy cannot make an array of it."""
    writer, graphs, graph, tensors, tensor, dims = Writer(), *(Reference() for _ in range(5))
    root = writer.table({0: 6, 2: graphs})
    writer.tables([graph], graphs)
    writer.table({0: tensors}, graph)
    writer.tables([tensor], tensors)
    writer.table({4: dims}, tensor)
    writer.numbers("i", shape, dims)
    with pytest.raises(RknnModelError, match=r"negative size|impossible shape"):
        load(writer.finish(root))


def test_a_closed_model_keeps_its_graphs(data: Path) -> None:
    """Text and numbers outlive the file."""
    with load(data / "tiny_conv_int8.rknn") as model:
        names = [tensor.name for tensor in model.graphs[0].tensors]
    assert model._mapping is not None
    assert model._mapping.closed
    assert [tensor.name for tensor in model.graphs[0].tensors] == names
    model.close()


def test_closing_while_an_array_looks_into_the_file_is_harmless(data: Path) -> None:
    """The mapping stays until the last view is gone."""
    model = load(data / "tiny_conv_int8.rknn")
    view = max((model.buffer(t.buffer) for t in model.graphs[0].tensors), key=len)
    before = bytes(view)
    model.close()
    assert bytes(view) == before


def test_every_model_of_the_collection_loads(shared: Path) -> None:
    """Hundreds of models of five toolkits and four targets: all load, and all constants decode, apart from stated
    exceptions."""
    files = [*shared.glob("zoo/*/*.rknn"), *shared.glob("golden/models/*.rknn")]
    assert len(files) > 500
    refused = {}
    for file in files:
        try:
            model = load(file)
        except RknnModelError as error:
            refused[file.stem] = error.hint
            continue
        with model:
            failed = {
                tensor.name for graph in model.graphs for tensor in graph.tensors if not decode(model, graph, tensor)
            }
            assert not failed, file
    assert set(refused) <= {"mini"}
    assert all("mini_rknn" in str(hint) for hint in refused.values())


def test_loading_the_largest_model_of_the_collection_takes_milliseconds(shared: Path) -> None:
    """Loading holds the interpreter's lock, so it must not take long even for networks of two hundred tensors."""
    file = shared / "zoo" / "net_yolov8" / "fp.rknn"
    seconds = []
    for _ in range(5):
        begin = time.process_time()
        load(file).close()
        seconds.append(time.process_time() - begin)
    assert min(seconds) < 0.1


@pytest.mark.parametrize("literal", [b"()", b"[]", b"0", b"''", b"False"])
def test_rejects_attributes_that_are_not_a_dict(literal: bytes) -> None:
    """Falsy values are refused too: both parsers must agree."""
    writer, graphs, graph, tensors, tensor, outputs, attributes = Writer(), *(Reference() for _ in range(6))
    root = writer.table({0: 6, 2: graphs, 3: attributes})
    writer.tables([graph], graphs)
    writer.table({0: tensors, 3: outputs}, graph)
    writer.tables([tensor], tensors)
    writer.port(tensor)
    writer.numbers("i", [0], outputs)
    writer.text(literal, attributes)
    with pytest.raises(RknnModelError, match="attributes are not a dict"):
        load(writer.finish(root))
