# SPDX-License-Identifier: Apache-2.0
"""The bodies of REST inference requests and responses: JSON, and with the binary extension bytes behind it.

Everything here is untrusted: sizes are checked against what has arrived before anything is made of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .datatypes import BYTES, datatype_of, to_bytes
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
    import numpy.typing as npt

    from .request import InferResponse

_LENGTH_HEADER = "Inference-Header-Content-Length"
_MOST = 64  # tensors of each kind in a request


def parse_length(header: str | None, size: int) -> int | None:
    """Return the length of a body's JSON that the binary extension's header tells; None without the header."""
    if header is None:
        return None
    # int() would take signs, spaces, underscores and other scripts' digits.
    if not (header.isascii() and header.isdigit() and len(header) < 20) or int(header) > size:
        raise invalid(f"{_LENGTH_HEADER} must be a number of bytes, at most the {size} of the body")
    return int(header)


def parse_object(body: bytes | memoryview) -> dict[str, Any]:
    """Return the JSON object that a body holds; an empty body is an empty object."""
    if not body:
        return {}
    try:
        parsed = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise invalid(f"the body is not JSON: {str(error)[:200]}") from None
    if not isinstance(parsed, dict):
        raise invalid("the body must be a JSON object")
    return parsed


def parse_infer(body: bytes | memoryview, json_length: int | None) -> InferRequest:
    """Return the inference request that a body holds.

    Args:
        body: the whole body, no longer compressed.
        json_length: the length of its JSON if bytes of tensors follow.

    Raises:
        RefusedError: it is malformed, or asks for what is not offered.
    """
    whole = memoryview(body)
    header = parse_object(whole if json_length is None else whole[:json_length])
    tail = _Tail(whole[len(whole) if json_length is None else json_length :])
    parameters = _parameters(header, "the request")
    priority, timeout = scheduling(parameters)
    binary = parameters.get("binary_data_output", False) is True
    inputs = tuple(_input(entry, tail) for entry in _entries(header, "inputs"))
    if not inputs:
        raise invalid("the request has no inputs")
    tail.finish()
    outputs = tuple(_output(entry, binary) for entry in _entries(header, "outputs")) or None
    return InferRequest(_text(header.get("id") or "", "id"), inputs, outputs, binary, priority, timeout)


def encode_response(response: InferResponse) -> tuple[list[bytes | memoryview], int | None]:
    """Return the parts of a response's body, and the length of its JSON if bytes follow it."""
    described, tail = [], []
    for wanted, array in response.outputs:
        entry: dict[str, Any] = {"name": wanted.name, "datatype": datatype_of(array.dtype), "shape": list(array.shape)}
        if wanted.region is None and wanted.binary:
            tail.append(to_bytes(array))
            entry["parameters"] = {"binary_data_size": len(tail[-1])}
        elif wanted.region is None:
            entry["data"] = _json_data(array)
        described.append(entry)
    header: dict[str, Any] = {"model_name": response.model, "model_version": response.version, "outputs": described}
    if response.id:
        header["id"] = response.id
    text = json.dumps(header, separators=(",", ":")).encode()
    return [text, *tail], len(text) if tail else None


class _Tail:
    """The bytes behind the JSON, which the inputs take in turn."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._taken = 0

    def take(self, size: Any, name: str) -> memoryview:
        left = len(self._data) - self._taken
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= left:
            raise invalid(
                f"binary_data_size of tensor {name!r} must be a number of bytes, at most the {left} that are left",
                hint=f"the bytes follow the JSON, whose length {_LENGTH_HEADER} tells",
            )
        part = self._data[self._taken : self._taken + size]
        self._taken += size
        return part

    def finish(self) -> None:
        left = len(self._data) - self._taken
        if left:
            raise invalid(f"{left} bytes are left over after the last input's; check each binary_data_size")


def _input(entry: dict[str, Any], tail: _Tail) -> InputTensor:
    name = _text(entry.get("name"), "the name of an input")
    datatype, shape = checked_datatype(entry.get("datatype"), name), checked_shape(entry.get("shape"), name)
    parameters = _parameters(entry, f"tensor {name!r}")
    check_tensor_parameters(parameters, name)
    region, inline = region_of(parameters, name), "data" in entry
    if (region is not None) + inline + ("binary_data_size" in parameters) != 1:
        raise invalid(f"tensor {name!r} needs either data, or binary_data_size, or a region of shared memory")
    if region is not None:
        source: Source = region
    elif inline:
        source = Typed(entry["data"])
    else:
        source = Raw(tail.take(parameters["binary_data_size"], name))
    return InputTensor(name, datatype, shape, source)


def _output(entry: dict[str, Any], binary: bool) -> WantedOutput:
    name = _text(entry.get("name"), "the name of an output")
    parameters = _parameters(entry, f"output {name!r}")
    check_tensor_parameters(parameters, name)
    return WantedOutput(name, parameters.get("binary_data", binary) is True, region_of(parameters, name))


def _entries(header: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = header.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise invalid(f"{key!r} must be a list of objects")
    names = [str(entry.get("name")) for entry in entries]
    if len(names) > _MOST:
        raise invalid(f"{key!r} names {len(names)} tensors, and at most {_MOST} may be named")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise invalid(f"{key!r} names {twice!r} more than once")
    return entries


def _parameters(entry: dict[str, Any], of: str) -> dict[str, Any]:
    parameters = entry.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise invalid(f"the parameters of {of} must be an object")
    return parameters


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > 1024:
        raise invalid(f"{what} must be a string of at most 1024 characters")
    return value


def _json_data(array: npt.NDArray[Any]) -> list[Any]:
    if datatype_of(array.dtype) in ("FP16", BYTES):
        raise invalid("an FP16 output cannot be sent as JSON", hint="ask for it with binary_data")
    flat: list[Any] = array.reshape(-1).tolist()
    return flat
