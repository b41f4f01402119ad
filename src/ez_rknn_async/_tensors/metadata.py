# SPDX-License-Identifier: Apache-2.0
"""The metadata that the model's author and the compiler wrote into the file."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelMetadata:
    """The answer of ``InferenceSession.get_modelmeta()``, with the attributes that ONNX Runtime has.

    Attributes:
        producer_name: the compiler.
        producer_version: its version text, as in the file.
        graph_name: the target platform's name, such as ``"rk3588"``: a ``.rknn`` file does not keep the graph's own.
        domain: the framework that the model came from, such as ``"ONNX"``.
        description, graph_description: empty; the file has no place for them.
        version: the version of the file's schema.
        custom_metadata_map: the original model's own metadata, from the custom string if that is a JSON object, and
            from beside the file: a sidecar, ``x.metadata.json``, and the ONNX model, ``x.onnx``. In any case
            ``target_platform``, and ``rknn_custom_string`` where the author set one.
    """

    producer_name: str = ""
    producer_version: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = 0
    custom_metadata_map: dict[str, str] = field(default_factory=dict)
