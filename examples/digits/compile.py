# SPDX-License-Identifier: Apache-2.0
"""The generator of the demo's files: it trains the network, compiles it for the NPU, and records the expected answers.

Needs ``rknn-toolkit2`` and scikit-learn; ``README.md`` says how to get them::

    python examples/digits/compile.py              # train, compile, record
    python examples/digits/compile.py digits.onnx  # compile and record a network trained before
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import train
from rknn.api import RKNN

from data import HERE, PIXEL_MAX, TEST_SET, Digits, enlarge, load_split

if TYPE_CHECKING:
    from numpy.typing import NDArray

TARGET = "rk3588"
CALIBRATION_IMAGES = 200


def main(network: Path) -> None:
    """Compile ``network`` in both precisions and write the held-out images with every answer."""
    training, held_out = load_split()
    with tempfile.TemporaryDirectory() as directory:
        dataset = write_calibration(training, Path(directory))
        int8 = compile_network(network, HERE / "digits_i8.rknn", held_out, dataset)
        fp16 = compile_network(network, HERE / "digits_fp16.rknn", held_out)
    reference = float_logits(network, held_out)
    np.savez_compressed(
        TEST_SET,
        images=held_out.images,
        labels=held_out.labels.astype(np.uint8),
        float_logits=reference,
        int8_logits=int8,
        fp16_logits=fp16,
    )
    for name, logits in (("float", reference), ("fp16", fp16), ("int8", int8)):
        print(f"{name:5}  {(logits.argmax(1) == held_out.labels).mean():.2%} correct")


def write_calibration(training: Digits, directory: Path) -> Path:
    """Write the images from which the compiler learns the range of every tensor: never held-out ones."""
    files = []
    for index, image in enumerate(enlarge(training.images[:CALIBRATION_IMAGES])):
        files.append(directory / f"{index}.npy")
        np.save(files[-1], image[np.newaxis].astype(np.float32))
    dataset = directory / "dataset.txt"
    dataset.write_text("".join(f"{file}\n" for file in files))
    return dataset


def compile_network(network: Path, path: Path, held_out: Digits, dataset: Path | None = None) -> NDArray[np.float32]:
    """Compile to ``path``, int8 with a calibration set, else fp16; return the official simulator's logits."""
    rknn = RKNN()
    check(rknn.config(target_platform=TARGET, mean_values=[[0]], std_values=[[PIXEL_MAX]]))
    check(rknn.load_onnx(model=str(network)))
    check(rknn.build(do_quantization=dataset is not None, dataset=str(dataset) if dataset else None))
    check(rknn.export_rknn(str(path)))
    check(rknn.init_runtime())
    logits = [simulate(rknn, image[np.newaxis]) for image in enlarge(held_out.images).astype(np.float32)]
    rknn.release()
    return np.concatenate(logits)


def simulate(rknn: RKNN, image: NDArray[np.float32]) -> NDArray[Any]:
    """Return one image's logits, [1, 10]."""
    (logits,) = rknn.inference(inputs=[image], data_format=["nchw"])
    return np.asarray(logits)


def check(status: int) -> None:
    """Exit on failure, which the toolkit reports by a number, with the reason on the console."""
    if status != 0:
        raise SystemExit("rknn-toolkit2 failed; see above")


def float_logits(network: Path, held_out: Digits) -> NDArray[np.float32]:
    """Return the network's answers in float32, before compilation: the reference for every accuracy."""
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    pixels = enlarge(held_out.images).astype(np.float32) / PIXEL_MAX
    return np.concatenate([session.run(None, {"image": image[np.newaxis]})[0] for image in pixels])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            trained = Path(scratch, "digits.onnx")
            train.main(trained)
            main(trained)
