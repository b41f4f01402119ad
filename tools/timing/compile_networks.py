# SPDX-License-Identifier: Apache-2.0
"""Compilation of ONNX files to int8 or float16 ``.rknn`` files, one after the other, each in its own process.

Needs ``rknn-toolkit2`` (the constants of the timing model were fitted with 2.5.0). One random image serves as
calibration: the time does not depend on the scales. The build log is kept beside each file, with the compiler's own
table of cycles::

    python tools/timing/compile_networks.py [--float16] ONNX_FOLDER RKNN_FOLDER rk3588 [NAME ...]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

import numpy as np
import onnx


def compile_network(source: Path, target: str, path: Path, *, quantized: bool) -> None:
    """Write ``path``; raise ``RuntimeError`` if the compiler fails."""
    from rknn.api import RKNN

    value = onnx.load(str(source), load_external_data=False).graph.input[0].type.tensor_type
    shape = [dim.dim_value for dim in value.shape.dim]
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder, "sample.npy")
        np.save(sample, np.random.default_rng(0).random(shape, dtype=np.float32) * 255)
        dataset = Path(folder, "dataset.txt")
        dataset.write_text(f"{sample}\n")
        rknn = RKNN()
        rknn.config(target_platform=target, mean_values=[[0, 0, 0]], std_values=[[255, 255, 255]])
        steps: list[Callable[[], int]] = [
            lambda: rknn.load_onnx(str(source)),
            lambda: rknn.build(do_quantization=quantized, dataset=str(dataset) if quantized else None),
            lambda: rknn.export_rknn(str(path)),
        ]
        for step in steps:
            if step() != 0:
                raise RuntimeError(f"the compiler failed on {source}")


def main() -> None:
    """Compile what is missing; ``--here`` is for the child process, which compiles one file."""
    quantized = "--float16" not in sys.argv
    onnx_folder, rknn_folder, target, *names = [argument for argument in sys.argv[1:] if argument != "--float16"]
    if names[:1] == ["--here"]:
        compile_network(Path(onnx_folder), target, Path(rknn_folder), quantized=quantized)
        return
    Path(rknn_folder).mkdir(parents=True, exist_ok=True)
    for name in names or sorted(path.stem for path in Path(onnx_folder).glob("*.onnx")):
        path = Path(rknn_folder, f"{name}.{target}.rknn" if quantized else f"{name}.{target}.fp16.rknn")
        if path.exists():
            continue
        # The compiler prints its table of cycles only for the first model of a process.
        command = [sys.executable, __file__, str(Path(onnx_folder, f"{name}.onnx")), str(path), target, "--here"]
        command += [] if quantized else ["--float16"]
        with path.with_suffix(".log").open("wb") as log:
            environment = {**os.environ, "RKNN_LOG_LEVEL": "5"}
            subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT, check=True)
        print(path, flush=True)


if __name__ == "__main__":
    main()
