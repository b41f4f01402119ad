# SPDX-License-Identifier: Apache-2.0
"""The messages of the gRPC service, and their way to and from the protocol's common form.

They live in a pool of descriptors of their own: a program that also imports tritonclient, which registers the same
names with protobuf's one pool, could otherwise not be this process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from .datatypes import BYTES, datatype_of, to_bytes
from .descriptors import FILE
from .refusal import invalid
from .request import (
    InferRequest,
    InputTensor,
    Raw,
    Source,
    Typed,
    WantedOutput,
    check_tensor_parameters,
    checked_datatype,
    checked_shape,
    region_of,
    scheduling,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .request import InferResponse

_POOL = descriptor_pool.DescriptorPool()
_DESCRIPTION = descriptor_pb2.FileDescriptorProto.FromString(FILE)
_POOL.Add(_DESCRIPTION)
SERVICE = f"{_DESCRIPTION.package}.{_DESCRIPTION.service[0].name}"
METHODS = {method.name: method for method in _DESCRIPTION.service[0].method}

# The typed field that carries a datatype, where there is one.
_FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}


def message_class(name: str) -> Any:
    """Return the class of a message, by its name with or without the package."""
    full = name.lstrip(".") if "." in name else f"{_DESCRIPTION.package}.{name}"
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(full))


def parse_infer(message: Any) -> InferRequest:
    """Return the inference request that a ``ModelInferRequest`` holds.

    Raises:
        RefusedError: it is malformed, or asks for what is not offered.
    """
    priority, timeout = scheduling(_parameters(message.parameters))
    raw = iter(message.raw_input_contents)
    is_raw = bool(message.raw_input_contents)
    inputs = tuple(_input(entry, raw, is_raw=is_raw) for entry in message.inputs)
    if not inputs:
        raise invalid("the request has no inputs")
    if next(raw, None) is not None:
        raise invalid("raw_input_contents has more entries than there are inputs without shared memory")
    names = [tensor.name for tensor in inputs] + [f"output {output.name}" for output in message.outputs]
    if len(set(names)) != len(names):
        raise invalid("the request names an input or an output more than once")
    outputs = tuple(_output(entry) for entry in message.outputs) or None
    return InferRequest(message.id, inputs, outputs, True, priority, timeout)


def infer_response(response: InferResponse) -> Any:
    """Return a response as a ``ModelInferResponse``: each output has an entry in ``raw_output_contents``."""
    message = message_class("ModelInferResponse")(
        model_name=response.model, model_version=response.version, id=response.id
    )
    for wanted, array in response.outputs:
        message.outputs.add(name=wanted.name, datatype=datatype_of(array.dtype), shape=array.shape)
        # perf_analyzer crashes without an entry for an output that is in shared memory.
        message.raw_output_contents.append(b"" if wanted.region is not None else bytes(to_bytes(array)))
    return message


def _input(entry: Any, raw: Iterator[bytes], *, is_raw: bool) -> InputTensor:
    name = entry.name
    datatype, shape = checked_datatype(entry.datatype, name), checked_shape(list(entry.shape), name)
    parameters = _parameters(entry.parameters)
    check_tensor_parameters(parameters, name)
    region, typed = region_of(parameters, name), entry.HasField("contents")
    if typed and (is_raw or region is not None):
        raise invalid(f"tensor {name!r} has contents beside raw_input_contents or shared memory; leave them out")
    if region is not None:
        return InputTensor(name, datatype, shape, region)
    if typed:
        return InputTensor(name, datatype, shape, _typed(entry.contents, datatype, name))
    data = next(raw, None)
    if data is None:
        raise invalid(f"raw_input_contents has no entry for tensor {name!r}")
    return InputTensor(name, datatype, shape, Raw(memoryview(data)))


def _typed(contents: Any, datatype: str, name: str) -> Source:
    field = _FIELDS.get(datatype)
    if field is None:
        raise invalid(f"tensor {name!r} is {datatype}, which has no typed contents", hint="send raw_input_contents")
    other = next((found.name for found, _ in contents.ListFields() if found.name != field), None)
    if other is not None:
        raise invalid(f"tensor {name!r} is {datatype}, whose contents belong in {field}, not in {other}")
    return Typed(list(getattr(contents, field)))


def _output(entry: Any) -> WantedOutput:
    parameters = _parameters(entry.parameters)
    check_tensor_parameters(parameters, entry.name)
    return WantedOutput(entry.name, True, region_of(parameters, entry.name))


def _parameters(given: Any) -> dict[str, Any]:
    return {
        name: getattr(value, value.WhichOneof("parameter_choice") or "string_param") for name, value in given.items()
    }
