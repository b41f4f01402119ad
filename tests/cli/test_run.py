# SPDX-License-Identifier: Apache-2.0
"""``ezrknn run``: random inputs, images, expectations; and the command as a module."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ez_rknn_async import InferenceSession, __version__
from ez_rknn_async.cli import main
from ez_rknn_async.cli.feeds import random_feed
from ez_rknn_async.cli.images import FITS, image_inputs, read_image

from .conftest import Ezrknn

SIMULATOR = ["--runtime-library", "simulator"]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture with a red left half, twice as wide as high."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def test_without_an_input_numbers_are_random_and_the_same(data: Path, tmp_path: Path, ezrknn: Ezrknn) -> None:
    """A first try needs no files; the seed says which numbers."""
    outputs = []
    for seed in ("0", "0", "1"):
        arguments = ["run", data / "tiny_conv_int8.rknn", *SIMULATOR, "--seed", seed, "--output-dir", tmp_path]
        assert f"inputs: random (seed {seed})" in ezrknn(*arguments)
        outputs.append(np.load(tmp_path / "y.npy"))
    assert (outputs[0] == outputs[1]).all()
    assert (outputs[0] != outputs[2]).any()


def test_random_inputs_fit_every_committed_model(data: Path) -> None:
    """Integers may be indices, so they are 0."""
    for file in sorted(data.glob("two_inputs*.rknn")) + sorted(data.glob("*embed*.rknn")) + [data / "nv12_int8.rknn"]:
        options = {"runtime_library": "simulator", "simulator": "compute=off"}
        with InferenceSession(file, provider_options=options) as session:
            session.run(None, random_feed(session.get_inputs()))


def test_takes_an_image(data: Path, tmp_path: Path, ezrknn: Ezrknn, picture: Path) -> None:
    """It is what Pillow makes of it, in either layout."""
    resized = np.asarray(Image.open(picture).resize((16, 16), Image.Resampling.BILINEAR))
    np.save(tmp_path / "x.npy", resized.transpose(2, 0, 1)[None])
    model, outputs = data / "mean_std_int8.rknn", []
    for arguments in ([picture], [picture, "--layout", "nhwc"], [f"x={picture}"], [tmp_path / "x.npy"]):
        ezrknn("run", model, *SIMULATOR, "--output-dir", tmp_path, "--input", *arguments)
        outputs.append(np.load(tmp_path / "y.npy"))
    assert outputs[0].std() > 0
    for output in outputs[1:]:
        np.testing.assert_array_equal(output, outputs[0])


def test_an_image_of_another_shape_is_stretched_or_not(data: Path, picture: Path) -> None:
    """Where the red half ends tells how."""
    with InferenceSession(data / "mean_std_int8.rknn", provider_options={"runtime_library": "simulator"}) as session:
        (node,) = session.get_inputs()
    stretched, boxed, cropped = (read_image(str(picture), image_inputs([node], {}, fit)[node.name])[0] for fit in FITS)
    for image in (stretched, boxed, cropped):
        assert image.shape == (3, 16, 16)
        assert image.dtype == np.uint8
    assert (stretched[0, :, :7] == 255).all()
    assert (boxed[:, 0] == 114).all()  # grey above
    assert (boxed[0, 8, :7] == 255).all()
    assert (cropped[0, :, :7] == 255).all()
    assert (cropped[0, :, 9:] == 0).all()


def test_grey_images_and_transparent_ones_are_converted(data: Path, tmp_path: Path) -> None:
    """To the channels of the input."""
    with InferenceSession(data / "mean_std_int8.rknn", provider_options={"runtime_library": "simulator"}) as session:
        (node,) = session.get_inputs()
    for mode in ("L", "RGBA", "P", "1", "I;16", "CMYK"):
        Image.new(mode, (16, 16)).save(tmp_path / "x.tif")
        assert read_image(str(tmp_path / "x.tif"), image_inputs([node], {}, "letterbox")[node.name]).shape == (
            1,
            3,
            16,
            16,
        )


def test_refuses_files_that_are_no_images(
    data: Path, tmp_path: Path, ezrknn_refuses: Ezrknn, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or images where the model takes none; or without Pillow, which it says how to get."""
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "cut.png").write_bytes(picture.read_bytes()[:60])
    run = ["run", data / "mean_std_int8.rknn", *SIMULATOR, "--input"]
    assert "broken.png is no image that Pillow can read" in ezrknn_refuses(*run, tmp_path / "broken.png")
    assert "cut.png" in ezrknn_refuses(*run, tmp_path / "cut.png")
    assert "none.jpg cannot be read: No such file" in ezrknn_refuses(*run, tmp_path / "none.jpg")
    assert "did you mean 'x'?" in ezrknn_refuses(*run, f"X={picture}")
    vector = ["run", data / "vector_fp16.rknn", *SIMULATOR, "--input", picture]
    assert "input 'features' of shape [1, 20] takes none" in ezrknn_refuses(*vector)
    real = builtins.__import__

    def without_pillow(name: str, *arguments: Any) -> Any:
        if name.partition(".")[0] == "PIL":
            raise ModuleNotFoundError("No module named 'PIL'", name="PIL")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_pillow)
    assert "pip install 'ez-rknn-async[image]'" in ezrknn_refuses(*run, picture)


def test_expects_what_it_has_computed(
    data: Path, tmp_path: Path, ezrknn: Ezrknn, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of another seed it is not as expected, and the status is 1."""
    run = ["run", data / "tiny_conv_int8.rknn", *SIMULATOR, "--output-dir", tmp_path]
    ezrknn(*run)
    expected = tmp_path / "expected.npy"
    (tmp_path / "y.npy").rename(expected)
    assert "yes" in ezrknn(*run, "--expect", expected, "--cosine", "1")
    (found,) = json.loads(ezrknn(*run, "--expect", f"y={expected}", "--json"))["expected"]
    assert (found["as_expected"], found["max_error"]) == (True, 0.0)
    other = [str(each) for each in run] + ["--seed", "7", "--expect", str(expected), "--cosine", "0.99999"]
    assert main(other) == 1
    printed = capsys.readouterr()
    assert "NO" in printed.out
    assert printed.err == ""


def test_what_is_not_a_number_is_not_as_expected(
    data: Path, tmp_path: Path, ezrknn: Ezrknn, capsys: pytest.CaptureFixture[str]
) -> None:
    """However similar the rest is."""
    run = ["run", str(data / "tiny_conv_int8.rknn"), *SIMULATOR, "--output-dir", str(tmp_path)]
    ezrknn(*run)
    expected = np.load(tmp_path / "y.npy")
    expected.flat[0] = np.nan
    np.save(tmp_path / "expected.npy", expected)
    assert main([*run, "--expect", str(tmp_path / "expected.npy"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["expected"][0]["max_error"] is None


def test_refuses_expectations_that_cannot_be_met(data: Path, tmp_path: Path, ezrknn_refuses: Ezrknn) -> None:
    """Another shape, an output that there is not, a cosine beyond 1."""
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 3)))
    run = ["run", data / "tiny_conv_int8.rknn", *SIMULATOR, "--output-dir", tmp_path]
    assert "has shape [1, 8, 16, 16], --expect [1, 2, 3]" in ezrknn_refuses(*run, "--expect", tmp_path / "x.npy")
    assert "--expect names 'z'" in ezrknn_refuses(*run, "--expect", f"z={tmp_path / 'x.npy'}")
    assert "--cosine 2.0" in ezrknn_refuses(*run, "--cosine", "2")


def test_the_package_is_the_command() -> None:
    """Where the script is not on the path."""
    command = [sys.executable, "-m", "ez_rknn_async", "--version"]
    assert subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout == f"ezrknn {__version__}\n"
