# SPDX-License-Identifier: Apache-2.0
"""``RKNN``: the interface of Rockchip's compiler, as far as programs use it to run a model that is compiled."""

from __future__ import annotations

from typing import Any, Callable

from .lite import RKNNLite, answering

# What compiles or analyses. It is here so that programs that try it read why it does not work.
OF_THE_COMPILER = (
    "config",
    "load_caffe",
    "load_darknet",
    "load_onnx",
    "load_pytorch",
    "load_tensorflow",
    "load_tflite",
    "build",
    "export_rknn",
    "export_encrypted_rknn_model",
    "hybrid_quantization_step1",
    "hybrid_quantization_step2",
    "accuracy_analysis",
    "eval_perf",
    "eval_memory",
    "codegen",
    "reg_custom_op",
)


class RKNN(RKNNLite):
    """``RKNNLite`` with the arguments that model-zoo programs give; it compiles nothing."""

    @answering(-1)
    def init_runtime(  # type: ignore[override]
        self,
        target: str | None = None,
        device_id: str | None = None,
        perf_debug: bool = False,
        eval_mem: bool = False,
        async_mode: bool = False,
        core_mask: int = RKNNLite.NPU_CORE_AUTO,
    ) -> int:
        """Do as :meth:`.RKNNLite.init_runtime`; ``perf_debug`` and ``eval_mem`` are ignored."""
        if perf_debug or eval_mem:
            self.rknn_log.i("init_runtime: perf_debug and eval_mem are ignored; see `ezrknn info --layers MODEL`")
        return super().init_runtime(target, device_id, async_mode, core_mask)


def _refusing(name: str) -> Callable[..., int]:
    def refuse(self: RKNN, *_: Any, **__: Any) -> int:
        self.rknn_log.e(f"{name}: only compiled models can be used here; compile with Rockchip's rknn-toolkit2")
        return -1

    refuse.__name__ = name
    refuse.__qualname__ = f"RKNN.{name}"
    refuse.__doc__ = "Log that nothing is compiled here, and return -1."
    return refuse


for _name in OF_THE_COMPILER:
    setattr(RKNN, _name, _refusing(_name))
