# SPDX-License-Identifier: Apache-2.0
"""The answers of ``rknn_query`` about models: every command and every field."""

from __future__ import annotations

from typing import Any

from ez_rknn_async._runtime.abi import ffi

from .case import Case
from .subject import COMMANDS, Subject

# 4-D and not, int8 and float16, 1 to 16 channels, odd sizes, several inputs, some read by the CPU, integers, batches,
# dynamic shapes.
MODELS = [
    *("conv_c1_int8", "conv_c1_fp16", "conv_c4_int8", "conv_c4_fp16", "conv_c5_int8", "conv_c5_fp16", "conv_c16_int8"),
    *("conv_c16_fp16", "odd_size_int8", "odd_size_fp16", "mean_std_int8", "two_inputs_int8", "two_inputs_fp16"),
    *("vector_int8", "vector_fp16", "sequence_int8", "sequence_fp16", "reshapes_int8", "reshapes_fp16", "tokens_fp16"),
    *("residual_int8", "residual_fp16", "activations_int8", "gates_int8", "custom_string_fp16", "per_layer_int8"),
    *("batch4_int8", "batch4_fp16", "dynamic_fp16", "read_by_cpu_int8", "read_by_cpu_fp16"),
]
INPUTS = (
    "INPUT_ATTR",
    "NATIVE_INPUT_ATTR",
    "NATIVE_NHWC_INPUT_ATTR",
    "CURRENT_INPUT_ATTR",
    "CURRENT_NATIVE_INPUT_ATTR",
)
OUTPUTS = (
    "OUTPUT_ATTR",
    "NATIVE_OUTPUT_ATTR",
    "NATIVE_NHWC_OUTPUT_ATTR",
    "CURRENT_OUTPUT_ATTR",
    "CURRENT_NATIVE_OUTPUT_ATTR",
)


def attributes(model: str, command: str) -> Case:
    """Return all tensors' attributes, every field."""

    def act(subject: Subject) -> Any:
        context = subject.open(model)
        number = subject.counts(context)["INPUT" not in command]
        answers = [subject.attribute(context, f"RKNN_QUERY_{command}", index) for index in range(number)]
        return [[code, _fields(answer) if code == 0 else None] for code, answer in answers]

    return Case("queries", f"{command} of {model}", act)


def _fields(answer: Any) -> list[Any]:
    return [
        *(answer.index, list(answer.dims[0 : answer.n_dims]), ffi.string(answer.name).decode(), answer.n_elems),
        *(answer.size, answer.fmt, answer.type, answer.qnt_type, answer.fl, answer.zp, answer.scale),
        *(answer.w_stride, answer.size_with_stride, answer.pass_through, answer.h_stride),
    ]


def structure(model: str, command: str, name: str, fields: tuple[str, ...]) -> Case:
    """Query a command that is answered with another structure."""

    def act(subject: Subject) -> Any:
        answer = ffi.new(f"{name} *")
        context = subject.open(model)
        code = subject.lib.rknn_query(context, COMMANDS[f"RKNN_QUERY_{command}"], answer, ffi.sizeof(name))
        return [code, [_value(getattr(answer, field)) for field in fields] if code == 0 else None]

    return Case("queries", f"{command} of {model}", act)


def _value(field: Any) -> Any:
    if isinstance(field, (int, float)):
        return field
    if ffi.typeof(field).item is ffi.typeof("char"):
        return ffi.string(field).decode()
    return [list(row) for row in field[0:8]]


CASES = [
    *(attributes(model, command) for model in MODELS for command in (*INPUTS, *OUTPUTS)),
    *(structure(model, "IN_OUT_NUM", "rknn_input_output_num", ("n_input", "n_output")) for model in MODELS),
    *(structure(model, "CUSTOM_STRING", "rknn_custom_string", ("string",)) for model in MODELS),
    *(
        structure(
            model, "INPUT_DYNAMIC_RANGE", "rknn_input_range", ("shape_number", "fmt", "name", "dyn_range", "n_dims")
        )
        for model in ("dynamic_fp16", "conv_c4_int8")
    ),
    *(
        structure(model, "MEM_SIZE", "rknn_mem_size", ("total_weight_size", "total_internal_size"))
        for model in ("conv_c4_int8", "residual_fp16", "vector_int8")
    ),
    structure("conv_c4_int8", "SDK_VERSION", "rknn_sdk_version", ("api_version", "drv_version")),
    structure("conv_c4_int8", "DEVICE_MEM_INFO", "rknn_mem_size", ("total_weight_size",)),
    structure("conv_c4_int8", "PERF_DETAIL", "rknn_perf_detail", ("data_len",)),
    structure("conv_c4_int8", "PERF_RUN", "rknn_perf_run", ()),  # the vendor's returns stale memory before a run
]
