# SPDX-License-Identifier: Apache-2.0
"""The generator of ``tests/data``: small models from the official compiler, with its simulator's results.

Run it with a Python that has ``rknn-toolkit2`` (x86-64 Linux; ``tests/data/README.md`` says how to get one)::

    python tools/make_test_models.py               # everything
    python tools/make_test_models.py vector_int8   # some, by name

The graphs and the inputs are seeded and the same every time. The compiled files differ in some bytes: the compiler
leaves garbage in their padding.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rounding_graphs
import test_graphs as graphs
from recording import Entry, make, write_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx
    from numpy.typing import NDArray

DATA = Path(__file__).parents[1] / "tests" / "data"


class DoubleOperator:
    """The custom operator of ``custom_operator``, described for the compiler (and copied by a plug-in in tests)."""

    op_type = "cstDouble"

    def shape_infer(self, node: Any, in_shapes: Any, in_dtypes: Any) -> tuple[Any, Any]:
        """Return the shape and type of the input."""
        return in_shapes.copy(), in_dtypes.copy()

    def compute(self, node: Any, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return twice the input."""
        return [inputs[0] * 2]


class BlendOperator:
    """The other custom operator of ``custom_blend``."""

    op_type = "cstBlend"

    def shape_infer(self, node: Any, in_shapes: Any, in_dtypes: Any) -> tuple[Any, Any]:
        """Return two outputs like the first input."""
        return [in_shapes[0]] * 2, [in_dtypes[0]] * 2

    def compute(self, node: Any, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return a weighted mean of two inputs, and their difference with a gain for each channel."""
        from rknn.api.custom_op import get_node_attr

        left, right, gains = inputs
        alpha, signs, offsets, repeat, mode = (
            get_node_attr(node, name) for name in ("alpha", "signs", "offsets", "repeat", "mode")
        )
        if mode != "difference":
            raise ValueError(mode)
        mean = alpha * left + (1 - alpha) * right + np.float32(sum(offsets))
        rest = (signs[0] * left + signs[1] * right) * gains.reshape(1, -1, 1, 1) / np.float32(repeat)
        return [mean.astype(np.float32), rest.astype(np.float32)]


def both(name: str, graph: Callable[[], onnx.ModelProto], **fields: Any) -> list[Entry]:
    """Return entries for the same graph in fp16 and int8."""
    return [Entry(f"{name}_fp16", graph, **fields), Entry(f"{name}_int8", graph, int8=True, **fields)]


SMALLER = {"single_core_mode": True}  # leaves out the command lists for two and three cores
PER_CHANNEL = {**SMALLER, "mean_values": [[123.675, 116.28, 103.53]], "std_values": [[58.395, 57.12, 57.375]]}
DYNAMIC_SHAPES = [[[1, 3, 8, 8]], [[1, 3, 12, 12]], [[1, 3, 16, 16]]]

ENTRIES: tuple[Entry, ...] = (
    *both("tiny_conv", graphs.tiny_conv),
    *both("conv_c1", lambda: graphs.tiny_conv(1), config=SMALLER),
    *both("conv_c4", lambda: graphs.tiny_conv(4), config=SMALLER),
    *both("conv_c5", lambda: graphs.tiny_conv(5), config=SMALLER),
    *both("conv_c16", lambda: graphs.tiny_conv(16), config=SMALLER),
    *both("odd_size", lambda: graphs.tiny_conv(3, size=7), note="7 x 7: surfaces are padded to four pixels"),
    *both("two_inputs", graphs.two_inputs),
    *both(
        "read_by_cpu",
        graphs.read_by_cpu,
        config={
            **SMALLER,
            # No feature ends up exactly between two steps, where rounding is a matter of the last bit.
            "mean_values": [[123.675, 116.28, 103.53], [100.11, 110.37, 120.53, 130.71, 100.11, 100.11]],
            "std_values": [[58.395, 57.12, 57.375], [50.63, 55.17, 60.29, 65.41, 50.63, 50.63]],
        },
        note="raw inputs are images, 0 to 255; operators on the CPU read them",
    ),
    *both("vector", graphs.vector),
    *both("sequence", graphs.sequence),
    *both("residual", graphs.residual, config=SMALLER),
    *both("block", graphs.block),
    *both("activations", graphs.activations, config=SMALLER),
    *both("reshapes", graphs.reshapes, config=SMALLER),
    *both("mean_std", graphs.tiny_conv, config=PER_CHANNEL, note="raw inputs are images, 0 to 255"),
    Entry(
        "nv12_int8",
        graphs.tiny_conv,
        int8=True,
        config={**PER_CHANNEL, "inputs_yuv_fmt": ["nv12"]},
        note="two inputs, the planes of a camera's image",
    ),
    *both("batch4", graphs.tiny_conv, batch=4),
    Entry("tokens_fp16", graphs.tokens, config=SMALLER, note="int64 input"),
    Entry(
        "dynamic_fp16",
        graphs.tiny_conv,
        config={**SMALLER, "dynamic_input": DYNAMIC_SHAPES},
        note="one case for each of the shapes",
    ),
    Entry("single_core_int8", graphs.tiny_conv, int8=True, config=SMALLER),
    Entry("per_layer_int8", graphs.tiny_conv, int8=True, config={**SMALLER, "quantized_method": "layer"}),
    Entry("custom_string_fp16", graphs.vector, config={**SMALLER, "custom_string": '{"labels": ["zero", "one"]}'}),
    *both("rk3566_block", graphs.block, target="rk3566"),
    *both("rk3576_block", graphs.block, target="rk3576"),
    Entry("gates_int8", graphs.gates, int8=True, config=SMALLER),
    Entry("rk3562_gates_int8", graphs.gates, int8=True, target="rk3562"),
    Entry("rk3576_gates_int8", graphs.gates, int8=True, target="rk3576"),
    Entry("rk3576_image_int8", graphs.image, int8=True, target="rk3576", note="the rows of the kernel are padded"),
    *both("lstm_reverse", lambda: graphs.recurrent("LSTM", "reverse"), config=SMALLER),
    Entry(
        "lstm_clip_fp16",
        lambda: graphs.recurrent("LSTM", "forward", activations=["HardSigmoid", "Relu", "Tanh"], clip=0.5),
        config=SMALLER,
        note="activations of its own",
    ),
    Entry("lstm_lengths_fp16", lambda: graphs.recurrent("LSTM", "bidirectional", lengths=[1]), config=SMALLER),
    Entry("gru_reverse_fp16", lambda: graphs.recurrent("GRU", "reverse"), config=SMALLER),
    Entry(
        "gru_bidirectional_fp16",
        lambda: graphs.recurrent("GRU", "bidirectional", linear_before_reset=1),
        config=SMALLER,
        note="the rows of each direction are padded",
    ),
    Entry(
        "gru_clip_fp16",
        lambda: graphs.recurrent("GRU", "forward", clip=0.5),
        config=SMALLER,
        note="its clip is not in the file",
    ),
    *both("masked_attention", graphs.masked_attention, config=SMALLER),
    Entry("attention_int8", graphs.attention, int8=True, config=SMALLER, note="in one piece"),
    Entry("rk3562_attention_int8", graphs.attention, int8=True, target="rk3562"),
    Entry("rk3566_attention_int8", graphs.attention, int8=True, target="rk3566", note="in products of two tensors"),
    *both("batched_weight", graphs.batched_weight, config=SMALLER),
    *both("fused", graphs.fused, config=SMALLER),
    *both("quick_gelu", graphs.quick_gelu, config=SMALLER, note="beta is only in the look-up table"),
    Entry("long_sum_int8", graphs.long_sum, int8=True, config=SMALLER, note="a sum of two parts of a product"),
    *both("unusual", graphs.unusual, config=SMALLER),
    Entry("left_out_fp16", graphs.left_out, config=SMALLER, note="attributes with their usual values"),
    Entry("rk3576_gelu_int8", graphs.gelu, int8=True, target="rk3576", note="an operator of its own on this SoC"),
    *both("seldom", graphs.seldom, config=SMALLER),
    Entry(
        "rv1126b_cross_attention_int8",
        graphs.cross_attention,
        int8=True,
        target="rv1126b",
        familiar=True,
        note="attention has settings of its own for an operand",
    ),
    Entry("rk3566_started_fp16", graphs.started, target="rk3566", note="a padded initial state"),
    *both("capped", graphs.capped, config=SMALLER, note="the bound is not in the file: only int8 saturates there"),
    Entry("rk3576_widened_int8", graphs.widened, int8=True, target="rk3576", note="one channel to one"),
    *both("plain_recurrent", graphs.plain_recurrent, config=SMALLER, note="the whole network runs on the CPU"),
    Entry(
        "rk3566_lstm_int8",
        lambda: graphs.recurrent("LSTM", "forward"),
        int8=True,
        target="rk3566",
        config={"quantized_method": "layer"},
    ),
    Entry("rk3576_lstm_int8", lambda: graphs.recurrent("LSTM", "reverse"), int8=True, target="rk3576", config=SMALLER),
    Entry("last_state_fp16", graphs.last_state, config=SMALLER, note="two results of the LSTM are not wanted"),
    *both("rk3566_cosine", graphs.cosine, target="rk3566", note="the whole network runs on the CPU"),
    Entry("rv1126b_block_int8", graphs.block, int8=True, target="rv1126b"),
    Entry(
        "rk3562_column_int8",
        graphs.column,
        int8=True,
        target="rk3562",
        config={"quantized_method": "layer"},
        note="the zero point of its weights is where depthwise ones have it",
    ),
    Entry("rk3562_conv_int8", graphs.tiny_conv, int8=True, target="rk3562"),
    Entry("averages_int8", rounding_graphs.averages_of_six, int8=True, config=SMALLER, note="many of them are halves"),
    Entry(
        "backwards_int8",
        rounding_graphs.listed_backwards,
        int8=True,
        config=SMALLER,
        note="the network's order is that of its nodes, not of its constants",
    ),
    Entry(
        "rk3562_sums_int8",
        rounding_graphs.depthwise_sums,
        int8=True,
        target="rk3562",
        note="sums that only the official simulator fuses",
    ),
    Entry(
        "custom_operator_fp16",
        graphs.custom_operator,
        custom_operators=(DoubleOperator(),),
        note="cannot be executed without its author's plug-in",
    ),
    *both(
        "custom_blend",
        graphs.custom_blend,
        config=SMALLER,
        custom_operators=(BlendOperator(), DoubleOperator()),
        note="cannot be executed without its author's plug-ins; operators with attributes in the middle of the network",
    ),
    Entry(
        "without_weights_fp16",
        graphs.tiny_conv,
        config={"remove_weight": True},
        note="weights left out: needs tiny_conv_fp16; the outputs are those of the model with its weights",
    ),
    Entry(
        "compressed_int8",
        graphs.wide_conv,
        int8=True,
        config={**SMALLER, "compress_weight": True},
        note="entropy-coded weights",
    ),
    Entry(
        "mini_int8", graphs.tiny_conv, int8=True, config={"mini_rknn": True}, note="another container, version 0x1004"
    ),
    Entry("snippet", graphs.snippet, int8=True, note="the documentation's model.rknn"),
)


def main(names: Sequence[str]) -> None:
    """Make the models called ``names``, or all, and update the manifest."""
    unknown = set(names) - {entry.name for entry in ENTRIES}
    if unknown:
        raise SystemExit(f"no such model: {', '.join(sorted(unknown))}")
    DATA.mkdir(parents=True, exist_ok=True)
    described = known()
    for entry in ENTRIES:
        if not names or entry.name in names:
            described[entry.name] = make(entry, DATA)
    write_manifest(DATA, [described[entry.name] for entry in ENTRIES if entry.name in described])


def known() -> dict[str, dict[str, Any]]:
    """Return the manifest's present entries, by name."""
    path = DATA / "manifest.json"
    return {model["name"]: model for model in json.loads(path.read_text())["models"]} if path.exists() else {}


if __name__ == "__main__":
    main(sys.argv[1:])
