# SPDX-License-Identifier: Apache-2.0
"""A trial of one variant: open and run it as a program would, and classify the outcome."""

from __future__ import annotations

import contextlib
import re
import warnings
from typing import TYPE_CHECKING

import numpy as np

import ez_rknn_async as rknn
from ez_rknn_async import model as rknn_file
from ez_rknn_async._options.soc import soc
from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.locate import SIMULATOR, locate
from ez_rknn_async.errors import RknnError, RknnModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ez_rknn_async.model import Graph, Model

RAN = "opened and ran"
REFUSED = "refused when opened"
ACCEPTED = "read"
PARSERS_DIFFER = "the parsers differ"
WRONG_ERROR = "wrong error when opened"
FOREIGN_WORDS = "refused in the words of another library"
FAILED = "opened, then failed to run"

# The words of the libraries below us when they refuse a graph.
_FOREIGN = re.compile(r"onnx|Non-zero status|SHAPE_INFER|Status Message|INVALID_GRAPH|Traceback|std::|Error: ", re.I)

_PROVIDERS = ["RKNPU2SimulatorExecutionProvider"]
_REAL = ("float16", "float32", "bfloat16", "int8", "uint8", "int16")


def try_out(content: bytes, parsers_only: bool) -> tuple[str, str]:
    """Read, open and run a file; return the outcome, one of the words above, and the message."""
    try:
        with rknn_file.load(content) as model:
            soc(model.target_platform)
            refusal = ""
    except RknnModelError as error:
        refusal = str(error)
    except Exception as error:
        return WRONG_ERROR, _describe(error)
    native_refusal = _read_natively(content)
    if bool(native_refusal) != bool(refusal):
        return PARSERS_DIFFER, f"Python: {refusal or 'read'} | C++: {native_refusal or 'read'}"
    if refusal or parsers_only:
        return (REFUSED, refusal) if refusal else (ACCEPTED, "")
    return _open_and_run(content)


def _read_natively(content: bytes) -> str:
    """Return the reason why the simulated NPU's C++ reader refuses a file; "" if it does not."""
    library = locate(SIMULATOR).library
    try:
        with library.simulator_settings("compute=off"):
            Context.open(library, content).destroy()
    except RknnError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _open_and_run(content: bytes) -> tuple[str, str]:
    try:
        session = rknn.InferenceSession(content, providers=_PROVIDERS)
    except RknnModelError as error:
        return (FOREIGN_WORDS if _is_foreign(str(error)) else REFUSED), _describe(error)
    except Exception as error:
        return WRONG_ERROR, _describe(error)
    try:
        with session, rknn_file.load(content) as model, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for inputs in feeds(model):
                session.run(None, inputs)
    except Exception as error:
        return FAILED, _describe(error)
    return RAN, ""


def _is_foreign(text: str) -> bool:
    """Check for words of other libraries, outside of quoted names from the file."""
    return _FOREIGN.search(re.sub(r"'[^']*'", "", text)) is not None


def feeds(model: Model) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield inputs for each of the model's sets of shapes; none if a plug-in would have to compute a part of it."""
    graphs = model.graphs if model.dynamic else model.graphs[:1]
    if any(node.is_custom for graph in graphs for node in graph.nodes):
        return
    for graph in graphs:
        yield _feed(graph, model.batch_size)


def _feed(graph: Graph, batch: int) -> dict[str, NDArray[np.float32]]:
    chance = np.random.default_rng(0)
    inputs = {}
    for index in graph.inputs:
        tensor = graph.tensors[index]
        shape = (tensor.shape[0] * batch, *tensor.shape[1:]) if tensor.shape else ()
        real = tensor.dtype.name.lower() in _REAL
        inputs[tensor.name] = (chance.standard_normal(shape) if real else np.zeros(shape)).astype(np.float32)
    return inputs


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def device_kept(content: bytes) -> Iterator[None]:
    """Keep a session open, and with it the device process that all others use."""
    with rknn.InferenceSession(content, providers=_PROVIDERS) as session, rknn_file.load(content) as model:
        session.run(None, next(feeds(model)))
        yield
