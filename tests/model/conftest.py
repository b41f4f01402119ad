# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of the model file format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ez_rknn_async.model import Graph, Header, Model, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ez_rknn_async.model import Tensor


@pytest.fixture(scope="session")
def manifest(data: Path) -> dict[str, Any]:
    """The compiler's input for each committed model, by name."""
    models = json.loads((data / "manifest.json").read_text())["models"]
    return {entry["name"]: entry for entry in models}


@pytest.fixture
def open_model(data: Path) -> Iterator[Callable[[str], Model]]:
    """Loads a committed model by name."""
    models = []

    def open_(name: str) -> Model:
        models.append(load(data / f"{name}.rknn"))
        return models[-1]

    yield open_
    for model in models:
        model.close()


@pytest.fixture
def tiny(data: Path) -> bytes:
    """The content of a small, good file."""
    return (data / "tiny_conv_int8.rknn").read_bytes()


@pytest.fixture
def holding() -> Callable[[Tensor, bytes], tuple[Model, Graph]]:
    """Makes a model of one tensor, whose buffer (number 1) holds the given bytes."""

    def make(tensor: Tensor, data: bytes) -> tuple[Model, Graph]:
        graph = Graph(tensors=(tensor,), nodes=(), inputs=(), outputs=(), preprocessing=())
        model = Model(
            header=Header(6, 6, (2, 5, 0), "", "rk3588"),
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
            _buffers=[memoryview(b""), memoryview(data)],
        )
        return model, graph

    return make
