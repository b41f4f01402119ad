# SPDX-License-Identifier: Apache-2.0
"""The tables of an ``.rknn`` file: slot, name and type of every field that is read.

The same tables are in ``schema.cpp``, for the simulated NPU, and, with the meaning of the fields, in
``docs/reference/rknn-format.md``; ``tests/model/test_schema.py`` keeps the three in step. A field that is listed as
``Raw`` or as an empty table is not used, but it is checked: the vendor's runtime follows it without checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .flatbuffer import Literal, Nested, NestedList, Placed, Position, Raw, Scalar, TableType, Text, Texts, Vector

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION = 6  # the newest that is known; every toolkit from 1.6 to 2.5 writes it

_U8 = Scalar("B")
_I32 = Scalar("i")
_U32 = Scalar("I")
_U64 = Scalar("Q")
_F32 = Scalar("f")
_ONE = Scalar("i", default=1)
_TEXT = Text()

_DIMS = Vector("i", limit=16)
_BLOCKS = Vector("i", limit=6 * 256)  # six numbers for each block group of a packed weight
_IDS = Vector("i", limit=65536)
_CORES = Vector("i", limit=64)
_PER_CHANNEL_FLOAT = Vector("f", limit=65536)
_PER_CHANNEL_INT = Vector("i", limit=65536)

TENSOR = TableType(
    "Tensor",
    (
        (0, "dtype", _U8),
        (1, "layout", _U8),
        (2, "kind", _U8),
        (3, "native_shape", _BLOCKS),
        (4, "shape", _DIMS),
        (5, "name", _TEXT),
        (8, "minimum", _PER_CHANNEL_FLOAT),
        (9, "maximum", _PER_CHANNEL_FLOAT),
        (10, "scale", _PER_CHANNEL_FLOAT),
        (11, "zero_point", _PER_CHANNEL_INT),
        (12, "size", _U32),
        (15, "chunk_lengths", Raw(4)),
        (16, "chunk_offsets", Raw(4)),
        (18, "buffer", _U32),
    ),
)

NODE = TableType(
    "Node",
    (
        (1, "op", _TEXT),
        (2, "name", _TEXT),
        (3, "target", _U8),
        (4, "inputs", _IDS),
        (5, "outputs", _IDS),
        (7, "parameters_type", _U8),
        (8, "parameters", Position()),
        (9, "bson", Placed()),
        (10, "tasks", _CORES),
        (11, "lut_tasks", _CORES),
        (12, "work", _CORES),
    ),
)

PREPROCESSING = TableType(
    "Preprocessing",
    (
        (0, "mean", Vector("f", limit=65536)),
        (1, "std", Vector("f", limit=65536)),
        (2, "reorder", Raw(4)),
    ),
)

_RELOCATION = TableType("Relocation", ((0, "tensor", _TEXT), (1, "words", Raw(4)), (2, "flags", Raw(4))))
_ANY = TableType("unnamed", ())
_PATCH = TableType("Patch", ((0, "tensor", _TEXT), (1, "registers", NestedList(_ANY))))

GRAPH = TableType(
    "Graph",
    (
        (0, "tensors", NestedList(TENSOR)),
        (1, "nodes", NestedList(NODE)),
        (2, "inputs", _IDS),
        (3, "outputs", _IDS),
        (4, "preprocessing", NestedList(PREPROCESSING)),
        (7, "relocations", NestedList(_RELOCATION)),
        (8, "input_patches", NestedList(_PATCH)),
        (9, "more_input_patches", NestedList(_PATCH)),
        (10, "task_lists", _CORES),
        (12, "output_patches", NestedList(_ANY)),
    ),
)

BUFFER = TableType("Buffer", ((0, "data", Raw()),))

MEMORY = TableType("Memory", ((0, "weight", _U64), (1, "internal", _U64)))

ROOT_HEADER = (
    (0, "schema_version", _I32),
    (1, "product", _TEXT),
    (6, "toolkit", _I32),
    (7, "compiler", _TEXT),
    (8, "target", _TEXT),
)

_SHAPE = TableType("Shape", ((0, "dims", _DIMS),))
_INPUT_SHAPES = TableType("InputShapes", ((0, "shapes", NestedList(_SHAPE)),))

# Enough to decide if a session can use the model; reading it takes microseconds.
HEADER = TableType("Root", ROOT_HEADER)

ROOT = TableType(
    "Root",
    (
        *ROOT_HEADER,
        (2, "graphs", NestedList(GRAPH)),
        (3, "attributes", Literal()),
        (9, "framework", _TEXT),
        (11, "custom_string", _TEXT),
        (12, "input_types", Literal()),
        (13, "output_types", Literal()),
        (14, "batch_size", _TEXT),
        (16, "shape_mode", _TEXT),
        (17, "dynamic_shapes", NestedList(_INPUT_SHAPES)),
        (18, "dynamic_inputs", Texts(limit=4096)),
        (19, "memory", Nested(MEMORY)),
        (20, "buffers", NestedList(BUFFER)),
    ),
)

# Node field 8, by the number in field 7. The fields are the attributes of the ONNX operator in alphabetical order.
# An absent number is 0 unless another default is given; an absent string or vector is no attribute.
_INTS = Vector("i", limit=4096)
_FLOATS = Vector("f", limit=4096)
_PAIR = Vector("i", limit=2, exactly=True)  # the NPU convolves in two dimensions; the compiler rewrites others
_FOUR = Vector("i", limit=4, exactly=True)
_REDUCE = ((0, "axes", _INTS), (1, "keepdims", _ONE))

PARAMETERS: dict[int, TableType] = {
    1: TableType(
        "Conv",
        (
            (0, "auto_pad", _TEXT),
            (1, "dilations", _PAIR),
            (2, "group", _ONE),
            (3, "kernel_shape", _PAIR),
            (4, "pads", _FOUR),
            (5, "strides", _PAIR),
        ),
    ),
    2: TableType(
        "ConvTranspose",
        (
            (0, "auto_pad", _TEXT),
            (1, "dilations", _PAIR),
            (2, "group", _ONE),
            (3, "kernel_shape", _PAIR),
            (4, "output_padding", _PAIR),
            (5, "output_shape", _PAIR),
            (6, "pads", _FOUR),
            (7, "strides", _PAIR),
        ),
    ),
    3: TableType(
        "MaxPool",
        (
            (0, "auto_pad", _TEXT),
            (1, "ceil_mode", _I32),
            (2, "dilations", _INTS),
            (3, "kernel_shape", _INTS),
            (4, "pads", _INTS),
            (5, "storage_order", _I32),
            (6, "strides", _INTS),
        ),
    ),
    5: TableType(
        "AveragePool",
        (
            (0, "auto_pad", _TEXT),
            (1, "ceil_mode", _I32),
            (2, "count_include_pad", _I32),
            (3, "kernel_shape", _INTS),
            (4, "pads", _INTS),
            (5, "strides", _INTS),
        ),
    ),
    9: TableType("LeakyRelu", ((0, "alpha", Scalar("f", default=0.01)),)),
    17: TableType("BatchNormalization", ((0, "epsilon", _F32),)),
    19: TableType("Concat", ((0, "axis", _I32),)),
    20: TableType("Split", ((0, "axis", _I32), (1, "split", _INTS))),
    25: TableType("Transpose", ((0, "perm", _INTS),)),
    26: TableType(
        "Resize",
        (
            (0, "coordinate_transformation_mode", _TEXT),
            (1, "cubic_coeff_a", _F32),
            (2, "exclude_outside", _I32),
            (3, "extrapolation_value", _F32),
            (4, "mode", _TEXT),
            (5, "nearest_mode", _TEXT),
        ),
    ),
    30: TableType("Pad", ((0, "mode", _TEXT),)),
    32: TableType("DepthToSpace", ((0, "blocksize", _I32), (1, "mode", _TEXT))),
    33: TableType("SpaceToDepth", ((0, "blocksize", _I32),)),
    50: TableType("Gather", ((0, "axis", _I32),)),
    51: TableType("ArgMax", ((0, "axis", _I32), (1, "keepdims", _ONE), (2, "select_last_index", _I32))),
    53: TableType("ReduceMax", _REDUCE),
    54: TableType("ReduceMin", _REDUCE),
    61: TableType("Softmax", ((0, "axis", _I32),)),
    64: TableType("LogSoftmax", ((0, "axis", _I32),)),
    67: TableType("exGRU", ((1, "hidden_size", _I32), (3, "linear_before_reset", _I32))),
    71: TableType("GRU", ((0, "direction", _TEXT), (1, "hidden_size", _I32), (2, "linear_before_reset", _I32))),
    87: TableType("exNorm", ((0, "mode", _TEXT), (1, "eps", _F32), (2, "axes", _INTS))),
    89: TableType("TopK", ((0, "axis", _I32), (1, "largest", _I32), (2, "sorted", _I32))),
    96: TableType("Cast", ((0, "saturate", _I32), (1, "to", _I32))),
    97: TableType("GridSample", ((0, "align_corners", _I32), (1, "mode", _TEXT), (2, "padding_mode", _TEXT))),
    98: TableType(
        "LSTM",
        (
            (0, "activation_alpha", _FLOATS),
            (1, "activation_beta", _FLOATS),
            (2, "activations", Texts(limit=64)),
            (4, "clip", _F32),
            (5, "direction", _TEXT),
            (6, "hidden_size", _I32),
            (7, "input_forget", _I32),
        ),
    ),
}

# Older compilers write no direction: a GRU shows it in its commands only, if the NPU computes it.
_GRU_WITHOUT_DIRECTION = TableType("GRU", ((0, "hidden_size", _I32), (1, "linear_before_reset", _I32)))
_FIRST_WITH_DIRECTION = (2, 3, 2)


def parameter_types(toolkit_version: tuple[int, int, int]) -> Mapping[int, TableType]:
    """Return the types that such a compiler writes into field 8 of a node, by the number in field 7."""
    if toolkit_version >= _FIRST_WITH_DIRECTION:
        return PARAMETERS
    return {**PARAMETERS, 71: _GRU_WITHOUT_DIRECTION}


# The parameters of an operator that is not in the list: none of them is read.
UNKNOWN_PARAMETERS = _ANY
