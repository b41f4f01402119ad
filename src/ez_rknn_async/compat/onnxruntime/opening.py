# SPDX-License-Identifier: Apache-2.0
"""Open a model where it can run: on the NPU if it was compiled for that, otherwise in ONNX Runtime."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, NoReturn

from ...session import InferenceSession
from .exceptions import no_such_model, not_on_npu
from .genuine import ABSENT, genuine
from .models import compiled_model, name_of, npu_options, why_none
from .providers import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("ez_rknn_async.compat")


def open_session(
    model: Any, sess_options: Any, providers: Any, provider_options: Any, arguments: Mapping[str, Any]
) -> Any:
    """Open a model given as for ONNX Runtime's ``InferenceSession``; say in the log where it runs.

    Returns:
        A session of this package, or ONNX Runtime's own.

    Raises:
        RknnError: the model cannot be opened on the NPU, or there is neither a compiled one nor ONNX Runtime.
    """
    wanted = Wanted.of(providers, provider_options)
    compiled = compiled_model(model)
    if compiled is None:
        return _open_on_cpu(model, sess_options, wanted, arguments)
    return _open_on_npu(model, compiled, sess_options, wanted, arguments)


def _open_on_npu(
    model: Any, compiled: Any, sess_options: Any, wanted: Wanted, arguments: Mapping[str, Any]
) -> InferenceSession:
    if isinstance(compiled, str) and not os.path.exists(compiled):
        raise no_such_model(f"the model {compiled!r}, which stands for {_called(model)}, does not exist")
    providers, options, passed_over = wanted.for_npu()
    session = InferenceSession(compiled, sess_options, providers, {**npu_options(), **options}, **arguments)
    logger.info("%s runs on the NPU: %r", _called(model), session)
    if passed_over:
        logger.debug("passed over: %s", ", ".join(passed_over))
    return session


def _open_on_cpu(model: Any, sess_options: Any, wanted: Wanted, arguments: Mapping[str, Any]) -> Any:
    if genuine is None:
        _refuse(model)
    providers, options = wanted.for_onnxruntime()
    # Loudly: a user who installs the stand-in expects the NPU.
    logger.warning("%s runs on the CPU, in ONNX Runtime: %s", _called(model), why_none(model))
    return genuine.InferenceSession(model, sess_options, providers, options, **arguments)


def _refuse(model: Any) -> NoReturn:
    if isinstance(model, (str, os.PathLike)) and not os.path.exists(model):
        raise no_such_model(f"there is no model {_called(model)}, and none that is compiled: {why_none(model)}")
    raise not_on_npu(
        f"{_called(model)} does not run on the NPU ({why_none(model)}), and on the CPU it needs ONNX Runtime, {ABSENT}"
    )


def _called(model: Any) -> str:
    if isinstance(model, (str, os.PathLike)):
        return repr(os.fspath(model))
    if isinstance(model, (bytes, bytearray, memoryview)):
        return f"a model of {len(model)} bytes, {name_of(model)!r},"
    return repr(model)
