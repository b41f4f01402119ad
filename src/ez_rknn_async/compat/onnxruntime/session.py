# SPDX-License-Identifier: Apache-2.0
"""``InferenceSession`` as programs written for ONNX Runtime open it: on the NPU, or in ONNX Runtime itself."""

from __future__ import annotations

import copyreg
import functools
import os
from dataclasses import replace
from typing import Any, Callable, NoReturn

from ..._host.process_bound import ProcessBound, never_raising, refuse_copy
from ...errors import RknnError
from ...model.format.author_metadata import metadata_of
from ...session import InferenceSession as NpuSession
from .batches import dispatching, larger_batch
from .exceptions import as_both, not_on_npu
from .genuine import genuine
from .models import dispatches_batches
from .opening import open_session


class InferenceSession(ProcessBound):
    """A model, on the NPU if it was compiled for that, otherwise in ONNX Runtime.

    Everything is forwarded to the session that was opened: an :class:`ez_rknn_async.InferenceSession`, or ONNX
    Runtime's own. Errors of the former are also of ONNX Runtime's exception classes.
    """

    def __init__(
        self,
        path_or_bytes: Any,
        sess_options: Any = None,
        providers: Any = None,
        provider_options: Any = None,
        **kwargs: Any,
    ) -> None:
        """Open a model; the arguments are ONNX Runtime's.

        Raises:
            NoSuchFile, InvalidProtobuf, NotImplemented ...: ONNX Runtime's exceptions; the model cannot be opened.
        """
        try:
            self._opened = open_session(path_or_bytes, sess_options, providers, provider_options, kwargs)
        except RknnError as error:
            raise as_both(error)  # noqa: B904 -- the same error
        self._asked_for = os.fspath(path_or_bytes) if isinstance(path_or_bytes, (str, os.PathLike)) else None

    def __getattr__(self, name: str) -> Any:
        # Only called for what neither this class nor this object has.
        opened = self.__dict__.get("_opened")
        if opened is None:
            raise AttributeError(f"this InferenceSession was not opened; it has no attribute {name!r}")
        if isinstance(opened, NpuSession) and name in _THEIRS and not hasattr(NpuSession, name):
            return functools.partial(_refuse, name)
        return getattr(opened, name)

    def run(self, output_names: Any, input_feed: Any, run_options: Any = None) -> Any:
        """Run one inference; or one for each sample, where a batch is larger than that of the compiled model.

        The latter only if ``install_as_onnxruntime(dispatch_batches=True)`` or the environment asks for it.
        """
        opened = self._opened
        try:
            if isinstance(opened, NpuSession) and dispatches_batches() and larger_batch(opened, input_feed):
                run_options = dispatching(run_options)
            return opened.run(output_names, input_feed, run_options)
        except RknnError as error:
            raise as_both(error)  # noqa: B904 -- the same error

    def __reduce__(self) -> Any:
        # Subclasses of programs that open the model again in __setstate__ can be pickled, as in ONNX Runtime.
        if hasattr(type(self), "__setstate__"):
            return copyreg.__newobj__, (type(self),), self.__getstate__()  # type: ignore[attr-defined]
        refuse_copy(self)

    def get_modelmeta(self) -> Any:
        """Return the model's metadata, of a compiled model with that of the ONNX model that the program opened."""
        found = self._opened.get_modelmeta()
        if not isinstance(self._opened, NpuSession) or self._asked_for is None:
            return found
        return replace(found, custom_metadata_map={**metadata_of(self._asked_for), **found.custom_metadata_map})

    @never_raising
    def __repr__(self) -> str:
        return f"<onnxruntime.{type(self).__name__} {self._opened!r}>"

    def __enter__(self) -> InferenceSession:
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self._opened, NpuSession):
            self._opened.close()


def _refuse(name: str, *_: object, **__: object) -> NoReturn:
    raise not_on_npu(f"InferenceSession.{name}() has no meaning for a model on the NPU")


# ONNX Runtime's public methods.
_THEIRS = [name for name in dir(genuine and genuine.InferenceSession) if not name.startswith("_")]


def _forwarded(name: str) -> Callable[..., Any]:
    """A method that calls the one of that name of the session that was opened."""

    def method(self: InferenceSession, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(self._opened, name)(*args, **kwargs)
        except RknnError as error:
            raise as_both(error)  # noqa: B904 -- the same error

    method.__name__, method.__qualname__ = name, f"InferenceSession.{name}"
    method.__doc__ = getattr(NpuSession, name).__doc__
    return method


# Those whose errors programs catch; __getattr__ finds the others.
for _name in ("run_async", "run_with_iobinding", "run_with_ort_values", "io_binding", "set_providers"):
    setattr(InferenceSession, _name, _forwarded(_name))


class IOBinding:
    """Makes what binds tensors to a session: of the session's own kind."""

    def __new__(cls, session: InferenceSession) -> Any:
        """Return what ``session.io_binding()`` does."""
        return session.io_binding()
