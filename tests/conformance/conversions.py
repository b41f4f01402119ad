# SPDX-License-Identifier: Apache-2.0
"""The conversions of ``rknn_inputs_set``, for the NPU, and of ``rknn_outputs_get``, from the NPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from .case import Case, digest
from .subject import DTYPES, Subject

MODELS = ["conv_c1_int8", "conv_c4_int8", "conv_c4_fp16", "conv_c5_int8", "conv_c16_int8", "conv_c16_fp16"]
MODELS += ["odd_size_int8", "odd_size_fp16", "mean_std_int8", "mean_std_fp16", "two_inputs_int8", "vector_int8"]
MODELS += ["vector_fp16", "sequence_int8", "tokens_fp16", "read_by_cpu_int8", "read_by_cpu_fp16"]
SOURCES = ("uint8", "int8", "float32", "float16", "int32", "int64", "bool")
# Outputs in the NPU's own form can be planted if the model has one, and it is an image or a vector.
PLANTED = ["conv_c1_int8", "conv_c4_int8", "conv_c4_fp16", "conv_c5_int8", "conv_c16_int8", "conv_c16_fp16"]
PLANTED += ["odd_size_int8", "odd_size_fp16", "mean_std_int8", "vector_int8", "reshapes_int8"]
AWKWARD = [
    -1e6,
    -1000,
    -129,
    -128.5,
    -1.5,
    -0.5,
    -0.25,
    0.49999997,
    0.5,
    1.5,
    2.5,
    255.5,
    256,
    300,
    1e6,
    np.nan,
    np.inf,
]


def source(dtype: str, elements: int) -> np.ndarray:
    """Return small numbers and, for floats, those at which conversions differ."""
    if dtype in ("float32", "float16"):
        with np.errstate(over="ignore"):
            return np.resize(np.concatenate([np.arange(0, 256, 0.5), AWKWARD]), elements).astype(dtype)
    if dtype == "bool":
        return np.arange(elements) % 2 == 0
    return (np.arange(elements) % 256).astype(np.uint8).astype(dtype)


def conversion(model: str, dtype: str, order: str, before: str = "") -> Case:
    """Return the code and the bytes that the NPU would read, perhaps from a context that had another type before."""

    def act(subject: Subject) -> Any:
        context = subject.open(model)
        number, _ = subject.counts(context)
        attributes = [subject.attribute(context, "RKNN_QUERY_INPUT_ATTR", i)[1] for i in range(number)]
        if before:
            subject.inputs_set(context, [source(before, a.n_elems) for a in attributes], order)
        code = subject.inputs_set(context, [source(dtype, a.n_elems) for a in attributes], order)
        if code != 0:
            return [code, None]
        native = [subject.attribute(context, "RKNN_QUERY_NATIVE_INPUT_ATTR", i)[1] for i in range(number)]
        buffers = [subject.input_buffer(context, i)[: a.size_with_stride] for i, a in enumerate(native)]
        return [code, [digest(buffer) for buffer in buffers]]

    return Case("inputs", f"{dtype} {order} into {model}" + (f", after {before}" if before else ""), act)


def pass_through(model: str) -> Case:
    """Set the program's bytes unchanged, with pass_through."""

    def act(subject: Subject) -> Any:
        context = subject.open(model)
        native = subject.attribute(context, "RKNN_QUERY_NATIVE_INPUT_ATTR")[1]
        array = np.resize(np.arange(251, dtype=np.uint8), native.size_with_stride).view(DTYPES[native.type])
        order = "NHWC" if native.n_dims == 4 else "UNDEFINED"
        code = subject.inputs_set(context, [array], order, pass_through=1)
        return [code, digest(subject.input_buffer(context, 0)[: native.size_with_stride]) if code == 0 else None]

    return Case("inputs", f"pass_through into {model}", act)


def planted_output(model: str, want_float: int, extra: int) -> Case:
    """Get a planted output, native or as float32, into a buffer that is too large, exact or too small."""

    def act(subject: Subject) -> Any:
        context = subject.open(model)
        attribute = subject.attribute(context, "RKNN_QUERY_OUTPUT_ATTR")[1]
        dtype = DTYPES[attribute.type]
        numbers = np.random.default_rng(0).integers(-128, 128, attribute.n_elems)
        codes = [subject.inputs_set(context, subject.zeros(context))]
        codes.append(subject.run_with(context, numbers.astype(dtype).tobytes()))
        size = attribute.n_elems * (4 if want_float else dtype.itemsize) + extra
        code, (content,) = subject.outputs_get(context, want_float, [size])
        if want_float and extra >= 0 and dtype == np.int8:
            # The library multiplies and adds with one rounding or with two: compare as many digits as both keep.
            values = np.frombuffer(content[: 4 * attribute.n_elems], np.float32) / attribute.scale
            return [
                *codes,
                code,
                digest(np.rint(values).astype(np.int32).tobytes()),
                content[4 * attribute.n_elems :].hex(),
            ]
        return [*codes, code, digest(content)]

    kind = "float32" if want_float else "native"
    room = {0: "", 64: ", more room", -1: ", a byte too few"}[extra]
    return Case("outputs", f"{kind} of {model}{room}", act)


CASES = [
    *(conversion(model, dtype, "NHWC") for model in MODELS for dtype in SOURCES),
    *(conversion(model, "float32", order) for model in MODELS for order in ("NCHW", "UNDEFINED", "NC1HWC2")),
    *(conversion(model, "uint8", order) for model in MODELS for order in ("NCHW", "UNDEFINED")),
    *(
        conversion(model, dtype, "NHWC", before)
        for model in ("conv_c1_int8", "conv_c4_int8", "mean_std_int8", "conv_c16_int8", "conv_c4_fp16")
        for dtype, before in (("float32", "uint8"), ("float16", "uint8"), ("uint8", "float32"))
    ),
    *(pass_through(model) for model in MODELS if model != "two_inputs_int8"),
    *(planted_output(model, want_float, extra) for model in PLANTED for want_float in (0, 1) for extra in (0, 64, -1)),
]
