# SPDX-License-Identifier: Apache-2.0
"""``RKNNLite``: Rockchip's interface for inference on a board, on top of a session.

Written from what programs do with it. Nothing raises: a method returns 0, or -1 or None, and the reason is in the log.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, TypeVar, cast

from ..._options.soc import SOCS
from ...errors import RknnClosedError, RknnModelError, RknnValueError
from ...model.format.target import target_of
from .cores import CORE_MASKS
from .log import RknnLog
from .runtime import RKNNRuntime
from .shared_model import SharedModel

if TYPE_CHECKING:
    from os import PathLike

Method = TypeVar("Method", bound=Callable[..., Any])


def answering(failure: Any) -> Callable[[Method], Method]:
    """Make a method log the exceptions that it raises, and return ``failure`` instead."""

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def call(self: RKNNLite, *args: Any, **kwargs: Any) -> Any:
            try:
                return method(self, *args, **kwargs)
            except Exception as error:
                self.rknn_log.failed(method.__name__, error)
                return failure

        return cast("Method", call)

    return decorate


class RKNNLite:
    """A model, on the NPU cores of one mask; one inference at a time runs there.

    Objects on one file share its weights.

    Attributes:
        rknn_data: the model that :meth:`load_rknn` found; None frees it, once :meth:`init_runtime` has used it.
        rknn_runtime: what runs it, between :meth:`init_runtime` and :meth:`release`; otherwise None.
        rknn_log: where reasons go.
        verbose, target: as they were given.
        root_dir: the folder of this module.
    """

    NPU_CORE_AUTO = CORE_MASKS["AUTO"]
    NPU_CORE_0 = CORE_MASKS["0"]
    NPU_CORE_1 = CORE_MASKS["1"]
    NPU_CORE_2 = CORE_MASKS["2"]
    NPU_CORE_0_1 = CORE_MASKS["0_1"]
    NPU_CORE_0_1_2 = CORE_MASKS["0_1_2"]
    NPU_CORE_ALL = CORE_MASKS["ALL"]

    def __init__(self, verbose: bool = False, verbose_file: str | PathLike[str] | None = None) -> None:
        """Begin without a model.

        Args:
            verbose: show information on standard error, and not only warnings and errors.
            verbose_file: a file to append everything to.
        """
        self.verbose = verbose
        self.rknn_log = RknnLog(verbose, verbose_file)
        self.root_dir = str(Path(__file__).parent)
        self.target: str | None = None
        self.rknn_data: Any = None
        self.rknn_runtime: RKNNRuntime | None = None

    @answering(-1)
    def load_rknn(self, path: str | PathLike[str], key_path: str | None = None) -> int:
        """Open a model file, and return 0, or -1 if there is none. :meth:`init_runtime` finds out if it can run.

        Args:
            path: the ``.rknn`` file.
            key_path: refused: encrypted models are not supported.
        """
        if key_path is not None:
            raise RknnValueError("key_path is given, but encrypted models cannot be read; export it without encryption")
        self.rknn_data = SharedModel.of_file(path)
        return 0

    @answering(-1)
    def init_runtime(
        self,
        target: str | None = None,
        device_id: str | None = None,
        async_mode: bool = False,
        core_mask: int = NPU_CORE_AUTO,
    ) -> int:
        """Make the model ready on its cores, and return 0, or -1. A second call first releases the former runtime.

        Args:
            target, device_id: are ignored: the model runs on this machine's NPU, or on the simulated one.
            async_mode: is ignored: each inference returns its own results.
            core_mask: one of the constants, or its number.
        """
        if self.rknn_data is None:
            raise RknnValueError("there is no model; call load_rknn() first")
        self._release()
        runtime = RKNNRuntime(self.root_dir, target, device_id, async_mode, core_mask, log=self.rknn_log)
        runtime.build_graph(self.rknn_data)
        self.rknn_runtime, self.target = runtime, target
        self.rknn_log.i(f"init_runtime: {runtime}")
        self._note_target(target)
        if async_mode:
            self.rknn_log.i("init_runtime: async_mode is ignored: each inference returns its own results")
        return 0

    @answering(None)
    def inference(
        self,
        inputs: Any,
        data_type: Any = None,
        data_format: Any = None,
        inputs_pass_through: Any = None,
        get_frame_id: bool = False,
        reuse_outputs: bool = False,
    ) -> list[Any] | None:
        """Run one inference, and return new float32 arrays, 4-D ones in NCHW order; or None.

        Args:
            inputs: arrays in the model's order. Of an image the batch may be left out. The model's mean and standard
                deviation are applied inside, to all but int8 for an int8 input, which is taken for quantised.
            data_type: the types of the arrays, which they must have; None: whatever they have.
            data_format: the order of 4-D inputs: ``"nhwc"``, as without it, or ``"nchw"``; for all, or a list.
            inputs_pass_through: a list; 1 for an int8 array that is quantised already.
            get_frame_id: append the number of the frame, counted from 1.
            reuse_outputs: is ignored: results are new arrays.
        """
        runtime = self._running()
        outputs: list[Any] = runtime.inference(inputs, data_type, data_format, inputs_pass_through)
        if get_frame_id:
            outputs.append(runtime.next_frame())
        return outputs

    @answering(None)
    def get_sdk_version(self) -> str | None:
        """Return the versions of the runtime library and of the NPU's driver, as several lines of text; or None."""
        return self._running().get_sdk_version()[0]

    @answering(None)
    def list_support_target_platform(
        self, rknn_model: str | PathLike[str] | None = None
    ) -> OrderedDict[str, list[str]] | None:
        """List the SoCs that a model runs on, and the one that it was compiled for; or return None.

        Args:
            rknn_model: a file; None: the model that is loaded.
        """
        if rknn_model is None and not isinstance(self.rknn_data, SharedModel):
            raise RknnModelError("list_support_target_platform takes the path of a model where none is loaded")
        model = self.rknn_data if rknn_model is None else SharedModel.of_file(rknn_model)
        compiled: str = model.target_platform
        return OrderedDict(
            support_target_platform=[soc.upper() for soc in _runs_on(compiled)],
            filled_target_platform=[compiled.upper()],
        )

    def list_devices(self) -> tuple[list[str], list[str]]:
        """List the boards connected by ADB, and by NTB: none, since models run on this machine."""
        return [], []

    @answering(-1)
    def release(self) -> int:
        """Release the runtime, and return 0. May be called twice."""
        self._release()
        return 0

    def _running(self) -> RKNNRuntime:
        runtime = self.rknn_runtime
        if runtime is None:
            raise RknnClosedError("there is no runtime; call init_runtime() first")
        return runtime

    def _release(self) -> None:
        runtime, self.rknn_runtime = self.rknn_runtime, None
        if runtime is not None:
            runtime.release()

    def _note_target(self, target: str | None) -> None:
        compiled = self.rknn_data.target_platform if isinstance(self.rknn_data, SharedModel) else None
        if target and compiled and target.lower() not in _runs_on(compiled):
            self.rknn_log.w(f"init_runtime: target={target!r} is ignored: the model is for {compiled} and runs here")


def _runs_on(compiled: str) -> list[str]:
    """List the SoCs that run a model compiled for one of them."""
    return [soc for soc in SOCS if target_of(soc) == target_of(compiled)]
