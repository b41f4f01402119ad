# SPDX-License-Identifier: Apache-2.0
"""Conversions with the vendor's compiler: a good model, and seeded faults that have to be found and named.

The first test is part of the whole suite; ``make test-convert`` runs all of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import ez_rknn_async
from ez_rknn_async import ConversionReport, InferenceSession, RknnError, RknnModelError
from ez_rknn_async.cli import main
from ez_rknn_async.converting import building, recipe, toolkit, tuning

from . import networks

pytestmark = pytest.mark.timeout(600)


def convert(model: onnx.ModelProto, folder: Path, python: str, **settings: Any) -> ConversionReport:
    source = networks.save(model, folder / "net.onnx")
    return ez_rknn_async.convert(source, output=folder / "net.rknn", toolkit_python=python, **settings)


def codes(report: ConversionReport) -> dict[str, str]:
    return {finding.code: finding.severity for finding in report.findings}


def test_one_command_makes_a_verified_file(
    tmp_path: Path, toolkit_python: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file, a recipe, metadata, a page and a log; the numbers are those of the official simulator."""
    source = networks.save(networks.convolutions(character="abc"), tmp_path / "net.onnx")
    samples = networks.noise(tmp_path / "samples.npy", scale=50)
    arguments = ["--images", samples, "--mean", "1,2,3", "--std", "50", "--official-simulator", "--verify-on", "rk3588"]
    command = ["convert", source, "--toolkit-python", toolkit_python, "-o", tmp_path / "out.rknn", *arguments, "--json"]
    assert main([str(part) for part in command]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    (output,) = report["outputs"]
    assert report["usable"]
    assert output["cosine"] > 0.99
    assert output["official_agreement"] > 0.9999
    assert output["device_cosine"] == pytest.approx(output["cosine"], abs=1e-4)
    assert len(report["modelled_ms"]) == 3
    written = {path.name for path in tmp_path.iterdir()} - {"net.onnx", "samples.npy"}
    assert written == {"out.rknn", "out.toml", "out.metadata.json", "out.html", "out.log"}
    assert recipe.load(tmp_path / "out.toml").std == (50.0,)
    with InferenceSession(tmp_path / "out.rknn") as session:
        metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["character"] == "abc"
    assert json.loads(metadata["preprocessing"])["x"]["mean"] == [1, 2, 3]


def test_a_recipe_is_repeated(tmp_path: Path, all_conversions: str) -> None:
    """The same file again, but for what the compiler leaves in padding."""
    samples = networks.noise(tmp_path / "samples.npy")
    first = convert(networks.convolutions(), tmp_path, all_conversions, images=samples, float_tensors=["c2"])
    again = ez_rknn_async.convert(tmp_path / "net.toml", output=tmp_path / "again.rknn", toolkit_python=all_conversions)
    assert again.outputs == first.outputs


def test_scores_that_become_zero_are_named_and_the_cut_saves_them(tmp_path: Path, all_conversions: str) -> None:
    """The field's most reported fault."""
    samples = networks.noise(tmp_path / "samples.npy")
    report = convert(networks.detector(), tmp_path, all_conversions, images=samples)
    assert not report.usable
    assert report.findings[0].code == "scores-lost"
    assert "places 4 to 9 of axis 1" in report.findings[0].message
    saved = convert(networks.detector(), tmp_path, all_conversions, images=samples, cut="auto")
    assert saved.usable
    assert [output.name for output in saved.outputs] == ["boxes", "scores"]


def test_double_normalisation_is_named(tmp_path: Path, all_conversions: str) -> None:
    """In the samples; and by verify(), which only has the file."""
    samples = networks.noise(tmp_path / "samples.npy")
    report = convert(networks.convolutions(), tmp_path, all_conversions, images=samples, mean=[128.0], std=[64.0])
    assert codes(report)["double-normalisation"] == "warning"
    later = ez_rknn_async.verify(tmp_path / "net.rknn", tmp_path / "net.onnx", images=samples)
    assert codes(later)["double-normalisation"] == "warning"


def test_blue_for_red_is_named(tmp_path: Path, all_conversions: str) -> None:
    """The original is surer of every image in the other order."""
    image = pytest.importorskip("PIL.Image")
    for number in range(4):
        image.new("RGB", (32, 32), (200, 10 * number, 20)).save(tmp_path / f"{number}.png")
    images = [tmp_path / f"{number}.png" for number in range(4)]
    right = convert(networks.red_detector(), tmp_path, all_conversions, images=images)
    assert "color-order" not in codes(right)
    wrong = convert(networks.red_detector(), tmp_path, all_conversions, images=images, color="bgr")
    assert codes(wrong)["color-order"] == "warning"


def test_an_unsupported_operator_is_named(tmp_path: Path, all_conversions: str) -> None:
    """The compiler itself reports success."""
    with pytest.raises(RknnError, match=r"Det_y \(Det\)"):
        convert(networks.unsupported(), tmp_path, all_conversions)
    assert not (tmp_path / "net.rknn").exists()


def test_a_model_for_another_soc_is_refused(tmp_path: Path, all_conversions: str) -> None:
    """Before it is built, and afterwards."""
    with pytest.raises(RknnModelError, match="is for rk3588, and it is to be verified on rk3566"):
        convert(networks.convolutions(), tmp_path, all_conversions, verify_on="rk3566")
    assert not (tmp_path / "net.rknn").exists()
    convert(networks.convolutions(), tmp_path, all_conversions)
    with pytest.raises(RknnModelError, match="convert it with --target rk3566"):
        ez_rknn_async.verify(tmp_path / "net.rknn", tmp_path / "net.onnx", verify_on="rk3566")


def test_tune_keeps_just_the_broken_layer_in_float(tmp_path: Path, all_conversions: str) -> None:
    """One channel takes the whole range: its layer and the one that reads it are to be in float16, and no other."""
    samples = networks.noise(tmp_path / "samples.npy")
    source = networks.save(networks.broken_range(), tmp_path / "net.onnx")
    prepared = building.prepare(recipe.Recipe(str(source), images=(str(samples),)))
    result = tuning.tune(prepared, "rk3588", toolkit.find(all_conversions), tuning.Goal(0.995))
    assert result.trials[0].score < 0.99
    assert result.reached
    assert set(result.best.recipe.float_tensors) == {"broken", "mended"}


def test_an_image_is_prepared_as_the_model_was_converted(
    tmp_path: Path, all_conversions: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told once: ``ezrknn run`` and ``compare`` take the photo itself."""
    pytest.importorskip("PIL.Image").new("RGB", (50, 90), (200, 10, 20)).save(tmp_path / "photo.png")
    convert(networks.red_detector(), tmp_path, all_conversions, resize="stretch")
    assert main(["run", f"{tmp_path}/net.rknn", "--input", f"{tmp_path}/photo.png", "--output-dir", str(tmp_path)]) == 0
    assert np.load(tmp_path / "y.npy")[0].tolist() == pytest.approx([1 / (1 + np.exp(-9)), 0.5], abs=1e-3)
    command = ["compare", tmp_path / "net.rknn", "--onnx", tmp_path / "net.onnx", "--inputs", tmp_path / "photo.png"]
    assert main([str(part) for part in command]) == 0
    assert "1 of" in capsys.readouterr().out


def test_several_targets_and_what_the_command_writes(tmp_path: Path, all_conversions: str) -> None:
    """A file for each, under names that programs find beside the original."""
    source = networks.save(networks.convolutions(), tmp_path / "net.onnx")
    command = ["convert", source, "--toolkit-python", all_conversions, "--target", "rk3566", "--target", "rk3576"]
    assert main([str(part) for part in command]) == 0
    assert {path.name for path in tmp_path.glob("*.rknn")} == {"net.rk3566.rknn", "net.rk3576.rknn"}
    assert np.isfinite(ez_rknn_async.verify(tmp_path / "net.rk3576.rknn", source).cosine)
