# SPDX-License-Identifier: Apache-2.0
"""``RKNNRuntime``: the class of ``RKNNLite.rknn_runtime``, which some programs reach for.

Inferences run in a session, with direct I/O. A program that takes :attr:`RKNNRuntime.context`, or that calls
``set_inputs``, ``run`` and ``get_outputs`` itself, gets a context of its own, :mod:`handed over <.handed_over>`; from
then on all inferences of the object run there, by copy, so that what it reads from the context is always the last run.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._running.retry import executor_of
from ..._runtime.context import Context
from ..._runtime.locate import locate
from ..._tensors.npu_layout import IMAGE_CHANNELS
from ..._tensors.shapes import ShapeSet, named
from ..._transport.signature import Signature
from ...errors import RknnClosedError, RknnValueError
from .cores import cores_of
from .feed import feed_of
from .handed_over import HandedOver
from .log import RknnLog
from .shared_model import SharedModel
from .tensor_attr import RKNNTensorAttr, tensor_attr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from ..._running.executor import Executor
    from ...session import InferenceSession

    Array = npt.NDArray[Any]

# One object's calls wait for one another, however long that takes.
_NO_LIMIT_MS = 2**31 - 1
# The lane that no session uses: of the context that is handed over.
_LANE = "handed over"
_RULE = "=" * 46


class RKNNRuntime:
    """A model on the cores of one mask. Unlike ``RKNNLite``, its methods raise.

    Attributes:
        root_dir, target, device_id, async_mode, core_mask: as they were given; of these, the mask alone has an effect.
        graph_is_built: whether a model is loaded.
        is_dynamic_shape: whether the model has several sets of shapes.
    """

    def __init__(
        self,
        root_dir: str | None = None,
        target: str | None = None,
        device_id: str | None = None,
        async_mode: bool = False,
        core_mask: int = 0,
        *,
        log: RknnLog | None = None,
    ) -> None:
        """Note the settings; :meth:`build_graph`, or setting :attr:`context`, applies them."""
        self.root_dir, self.target, self.device_id = root_dir, target, device_id
        self.async_mode, self.core_mask = async_mode, core_mask
        self.graph_is_built = self.is_dynamic_shape = False
        self._log = log or RknnLog()
        self._model: SharedModel | None = None
        self._session: InferenceSession | None = None
        self._signature: Signature | None = None
        self._handing_over = threading.Lock()
        self._handed_over: HandedOver | None = None
        self._adopted: Callable[[], object] | None = None  # destroys a context that the program gave, once
        self._frames = itertools.count(1)
        self._frame = 0  # the last one run by run()
        self._lib: ctypes.CDLL | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._session or 'without a model'}>"

    def build_graph(self, rknn_data: Any, load_model_in_npu: bool = False) -> int:
        """Load a :class:`SharedModel`, or the bytes of a file, and return 0.

        Raises:
            RknnError: it cannot be loaded, or the mask is wrong.
        """
        model = rknn_data if isinstance(rknn_data, SharedModel) else SharedModel(rknn_data)
        cores = cores_of(self.core_mask, model.soc)
        if cores.warning:
            self._log.w(f"init_runtime: {cores.warning}")
        options = {"tp_mode": cores.tp_mode, "layout": "nhwc", "submit_timeout_ms": _NO_LIMIT_MS}
        self._session, self._model = model.open(options), model
        self._signature = self._executor().signature
        self._arguments = self._signature.node_args()[0]
        self.graph_is_built, self.is_dynamic_shape = True, len(self._signature.sets) > 1
        return 0

    def inference(
        self, inputs: Any, data_type: Any = None, data_format: Any = None, inputs_pass_through: Any = None
    ) -> list[Array]:
        """Run one inference on inputs as :func:`.feed_of` takes them; return float32 arrays in NCHW order.

        Raises:
            RknnError: it cannot be done.
        """
        self._known()
        feed = feed_of(inputs, self._arguments, data_type, data_format, inputs_pass_through)
        handed_over, session = self._handed_over, self._session
        if handed_over is not None:
            return _float32(handed_over.infer(feed))
        if session is None:
            raise RknnClosedError("the runtime was released")
        return _float32(session.run(None, feed))

    def next_frame(self) -> int:
        """Count one more frame, from 1."""
        return next(self._frames)

    def set_inputs(
        self, inputs: Any, data_type: Any = None, data_format: Any = None, inputs_pass_through: Any = None
    ) -> int:
        """Set the context's inputs, as :meth:`inference` takes them, and return 0; raises as that does."""
        context = self._taken()
        context.set_inputs(feed_of(inputs, self._arguments, data_type, data_format, inputs_pass_through))
        return 0

    def run(self, get_frame_id: bool = False) -> int:
        """Run on the inputs that were set, and return 0, or with ``get_frame_id`` the frame's number.

        Raises:
            RknnError: the runtime refused or failed.
        """
        self._taken().run()
        self._frame = self.next_frame()
        return self._frame if get_frame_id else 0

    def get_outputs(self, get_frame_id: bool = False) -> list[Any]:
        """Fetch the outputs of the last run; with ``get_frame_id``, its frame's number comes last.

        Raises:
            RknnError: the runtime refused.
        """
        outputs = _float32(self._taken().outputs())
        return [*outputs, self._frame] if get_frame_id else outputs

    def get_in_out_num(self) -> tuple[int, int]:
        """Count the inputs and the outputs."""
        signature = self._known()
        return len(signature.inputs), len(signature.outputs)

    def get_tensor_attr(self, index: int, is_output: bool = False) -> RKNNTensorAttr:
        """Describe one input or output as the runtime does: image inputs have NHWC dimensions."""
        signature = self._known()
        tensors = signature.outputs if is_output else signature.inputs
        if not 0 <= index < len(tensors):
            kind = "output" if is_output else "input"
            raise RknnValueError(f"there is no {kind} {index}; they are numbered from 0 to {len(tensors) - 1}")
        return tensor_attr(index, tensors[index].attribute)

    def get_sdk_version(self) -> tuple[str, str, str]:
        """Return the versions as one text, then the runtime's and the driver's alone."""
        if self._session is not None:
            api, driver = self._executor().versions
        else:
            api, driver = self._taken().context.versions()
        text = f"{_RULE}\nRKNN VERSION:\n  API: {api}\n  DRV: {driver}\n{_RULE}\n"
        return text, api, driver

    @property
    def context(self) -> int | None:
        """The handle of a context with this model, for ctypes: a ``c_uint64``. None while there is no model.

        Inferences run on this very context from the moment that it is asked for. Set to a handle that
        ``rknn_dup_context`` gave, this object runs on that one and destroys it in :meth:`release`.
        """
        if self._session is None and self._handed_over is None:
            return None
        return self._taken().context.handle

    @context.setter
    def context(self, handle: int | None) -> None:
        if not handle:
            self._end_handed_over()
            return
        context = Context(locate().library, int(handle))
        if self._model is None:
            self._warn_of_channels(context)
        if self._signature is None:
            tensors = ShapeSet(tuple(named(context.inputs(), "input")), tuple(named(context.outputs(), "output")))
            self._signature = Signature.of([tensors], "nhwc")
            self._arguments = self._signature.node_args()[0]
        self._end_handed_over()
        self._adopted = weakref.finalize(self, context.destroy)  # or no one would, where release() is not called
        self._handed_over = HandedOver(context, self._signature, self._normalisations())
        self.graph_is_built = True

    @property
    def lib(self) -> ctypes.CDLL:
        """The runtime library, for ctypes."""
        if self._lib is None:
            library = locate().library if self._session is None else self._executor().library
            self._lib = ctypes.CDLL(library.path)
        return self._lib

    @property
    def memory(self) -> Mapping[str, int]:
        """The memory of its session in bytes; see :attr:`.SessionStats.memory`."""
        if self._session is None:
            raise RknnClosedError("no model is loaded here")
        return self._session.stats.memory

    def release(self) -> None:
        """Release everything; may be called twice."""
        with self._handing_over:  # or a context of the session might be handed over just then
            session, self._session, self._model = self._session, None, None
            self._signature, self.graph_is_built = None, False
        self._end_handed_over()
        if session is not None:
            session.close()

    def _known(self) -> Signature:
        if self._signature is None:
            raise RknnClosedError("no model is loaded here")
        return self._signature

    def _taken(self) -> HandedOver:
        """Return the context that is handed over; the first call hands it over."""
        with self._handing_over:
            if self._handed_over is None:
                signature = self._known()
                _, contexts = self._executor().lane((_LANE,), ())
                self._handed_over = HandedOver(contexts[0], signature, self._normalisations())
            return self._handed_over

    def _end_handed_over(self) -> None:
        handed_over, self._handed_over = self._handed_over, None
        if handed_over is not None:
            handed_over.close()
        if self._adopted is not None:
            self._adopted()

    def _warn_of_channels(self, context: Context) -> None:
        """Warn of inputs that the runtime may normalise wrongly: those of a context whose file is unknown."""
        for attribute in context.inputs():
            if attribute.format == "NHWC" and attribute.shape[-1] > IMAGE_CHANNELS:
                self._log.w(
                    f"context: input {attribute.name!r} has {attribute.shape[-1]} channels; where the model normalises "
                    "them, the runtime uses the first one's mean beyond the fourth: load the file instead"
                )

    def _normalisations(self) -> Sequence[Any]:
        return () if self._model is None else self._model.normalisations

    def _executor(self) -> Executor:
        executor = executor_of(self._session)
        if executor is None:
            raise RknnClosedError("no model is loaded here")
        return executor


def _float32(arrays: list[Array]) -> list[Array]:
    return [array if array.dtype == np.float32 else array.astype(np.float32) for array in arrays]
