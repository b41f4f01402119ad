# SPDX-License-Identifier: Apache-2.0
"""Which compiled model stands for an ONNX model."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from ..._host.paths import checked_path
from ..._messages.wording import shown
from ..._options.provider_options import ProviderOptions, parse_settings
from ..._options.soc import SOCS
from ..._runtime.locate import locate
from ...errors import RknnError, RknnTypeError, RknnValueError

MODELS = "EZ_RKNN_ONNXRUNTIME_MODELS"
OPTIONS = "EZ_RKNN_ONNXRUNTIME_OPTIONS"
BATCHES = "EZ_RKNN_ONNXRUNTIME_BATCHES"

_MAGIC = b"RKNN"
_ANY_SOC = tuple(SOCS)
# Their NPU is the same, so each runs what was compiled for the other.
_TWINS = {"rk3566": ("rk3566", "rk3568"), "rk3568": ("rk3568", "rk3566")}

AnyPath = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Configuration:
    """What the program's starter said.

    Attributes:
        models: the compiled model by the ONNX model's path or file name; None: none.
        options: provider options for every session on the NPU.
        dispatch_batches: True if each sample of a larger batch is a task of its own; None: not said.
    """

    models: Mapping[str, str | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    dispatch_batches: bool | None = None


_configured = Configuration()


def configure(
    models: Mapping[AnyPath, AnyPath | None] | None,
    options: Mapping[str, Any] | None,
    dispatch_batches: bool | None = None,
) -> None:
    """Set what was passed to ``install_as_onnxruntime()``; the last call decides."""
    global _configured
    for argument, given in (("models", models), ("provider_options", options)):
        if given is not None and not isinstance(given, Mapping):
            raise RknnTypeError(f"{argument} takes a dictionary, not {shown(given)}")
    if options:
        ProviderOptions.parse(options)
    if dispatch_batches is not None and not isinstance(dispatch_batches, bool):
        raise RknnTypeError(f"dispatch_batches takes True or False, not {shown(dispatch_batches)}")
    _configured = Configuration(_checked(models or {}), dict(options or {}), dispatch_batches)


def _checked(models: Mapping[AnyPath, AnyPath | None]) -> dict[str, str | None]:
    return {
        checked_path("models", model): None if compiled is None else checked_path("models", compiled)
        for model, compiled in models.items()
    }


def npu_options() -> dict[str, Any]:
    """The provider options for sessions on the NPU, of the environment and of the call; the latter wins."""
    return {**options_in(os.environ.get(OPTIONS, "")), **_configured.options}


def dispatches_batches() -> bool:
    """Whether each sample of a larger batch is a task of its own, by the call or else by the environment.

    Raises:
        RknnValueError: the environment variable is something else.
    """
    if _configured.dispatch_batches is not None:
        return _configured.dispatch_batches
    given = os.environ.get(BATCHES, "")
    if given not in ("", "0", "1"):
        raise RknnValueError(f"{BATCHES} takes 1, or 0 as without it, not {given!r}")
    return given == "1"


def options_in(text: str) -> dict[str, Any]:
    """The provider options in a JSON text; none in an empty one.

    >>> options_in('{"schedule": "all"}')
    {'schedule': 'all'}
    """
    try:
        options = json.loads(text or "{}")
    except ValueError as error:
        options = error
    if not isinstance(options, dict):
        raise RknnValueError(f'{OPTIONS} takes a JSON object such as {{"schedule": "all"}}, not {text!r}')
    return options


def models_in(text: str) -> dict[str, str | None]:
    """The mapping that the environment variable holds: pairs with ``=``, separated by ``:``.

    >>> models_in("det.onnx=/models/det.rknn:rec.onnx=")
    {'det.onnx': '/models/det.rknn', 'rec.onnx': None}
    """
    mapping: dict[str, str | None] = {}
    for pair in filter(None, text.split(os.pathsep)):
        model, equals, compiled = pair.rpartition("=")
        if not (equals and model):
            raise RknnValueError(
                f"{MODELS} takes pairs MODEL.onnx=MODEL.rknn with {os.pathsep!r} between them, not {pair!r}"
            )
        mapping[model] = compiled or None
    return mapping


def name_of(content: bytes | bytearray | memoryview) -> str:
    """The name that a mapping knows a model by that is given as its content.

    >>> name_of(b"")
    'e3b0c44298fc.onnx'
    """
    return f"{hashlib.sha256(content).hexdigest()[:12]}.onnx"


def compiled_model(model: Any) -> Any:
    """What to open on the NPU instead of a model given to ``InferenceSession``; None if there is nothing.

    Args:
        model: a path, or a model's content.

    Raises:
        RknnValueError: the environment variable is not a mapping.
    """
    if isinstance(model, (bytes, bytearray, memoryview)):
        if bytes(memoryview(model)[: len(_MAGIC)]) == _MAGIC:
            return model
        return _lookup(name_of(model), _mapping())[1]
    if not isinstance(model, (str, os.PathLike)):
        return None
    path = checked_path("path_or_bytes", model)
    named, compiled = _lookup(path, _mapping())
    if named:
        return compiled
    if _is_compiled(path):
        return path
    return next(filter(os.path.isfile, beside(path, _socs())), None)


def _mapping() -> dict[str, str | None]:
    return {**models_in(os.environ.get(MODELS, "")), **_configured.models}


def _lookup(path: str, mapping: Mapping[str, str | None]) -> tuple[bool, str | None]:
    """Whether a mapping names a model, and what it says: an entry with its path counts before one with its name."""
    for same in (lambda key: os.path.realpath(key) == os.path.realpath(path), os.path.basename(path).__eq__):
        for key, compiled in mapping.items():
            if same(key):
                return True, compiled
    return False, None


def _is_compiled(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def beside(path: str, socs: tuple[str, ...]) -> list[str]:
    """The names that a compiled model may have beside an ONNX model, best first.

    >>> beside("models/det.onnx", ("rk3588",))
    ['models/det.rk3588.rknn', 'models/det.rknn']
    """
    stem = os.path.splitext(path)[0]
    return [*(f"{stem}.{soc}.rknn" for soc in socs), f"{stem}.rknn"]


def _socs() -> tuple[str, ...]:
    """The SoCs whose models can run here; all of them where the NPU is simulated and may be any."""
    soc = _soc()
    return _ANY_SOC if soc is None else _TWINS.get(soc, (soc,))


def _soc() -> str | None:
    options = npu_options()
    try:
        located = locate(options.get("runtime_library"))
    except RknnError:
        return None  # opening the model says why
    if not located.library.simulated:
        return located.soc
    return parse_settings(os.environ.get("EZ_RKNN_SIMULATOR", "")).get("soc")


def why_none(model: Any) -> str:
    """Explain in a clause why :func:`compiled_model` found nothing."""
    if isinstance(model, (bytes, bytearray, memoryview)):
        return f"nothing is configured for {name_of(model)!r}"
    if not isinstance(model, (str, os.PathLike)):
        return "its content is not a compiled model"
    if _lookup(os.fspath(model), _mapping())[0]:
        return "it is configured to stay there"
    names = (repr(os.path.basename(name)) for name in beside(os.fspath(model), _socs()[:1]))
    return f"there is no {' or '.join(names)} beside it"
