# SPDX-License-Identifier: Apache-2.0
"""``ezrknn bench``: loads, files, verdicts."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async.cli import main
from ez_rknn_async.cli.bench.load import WAYS

from .conftest import Ezrknn

FIXED = ["--runtime-library", "simulator", "--simulator", "timing=fixed:1000,compute=off"]
Bench = Callable[..., dict[str, Any]]


@pytest.fixture
def bench(data: Path, ezrknn: Ezrknn) -> Bench:
    """Measure a small model whose inferences take 1 ms, and return the JSON."""

    def run(*arguments: object, models: Sequence[str] = ("tiny_conv_int8",)) -> dict[str, Any]:
        files = (data / f"{model}.rknn" for model in models)
        return json.loads(ezrknn("bench", *files, *FIXED, "--json", *arguments))

    return run


def test_every_way_runs_side_by_side(bench: Bench) -> None:
    """Each as a program would do it, with the same number of runs."""
    rows = bench("--ways=all", "--runs=30", "--schedule=0,1")["modes"]
    assert [row["way"] for row in rows] == list(WAYS)
    for row in rows:
        assert row["latency_runs"] == row["throughput_runs"] == 30
        assert sum(core["inferences"] for core in row["cores"].values()) == 30
        assert row["latency_ms"]["min"] >= 1.0
        assert row["split_ms"]["npu"] >= 1.0


@pytest.mark.parametrize("way", WAYS)
def test_a_way_keeps_as_many_in_flight_as_it_is_told(bench: Bench, way: str) -> None:
    """With one in flight there is never one waiting for a worker; with eight for one worker there is."""
    one, eight = bench(f"--ways={way}", "--runs=40", "--schedule=0", "--in-flight=1,8")["modes"]
    assert one["in_flight"] == 1
    assert one["split_ms"]["queue"] < eight["split_ms"]["queue"]
    # By Little's law the mean latency is the number in flight by the throughput.
    for row, count in ((one, 1), (eight, 8)):
        in_flight = row["latency_ms"]["mean"] / 1e3 * row["throughput"]
        assert 0.25 * count < in_flight <= 1.05 * count + 0.2  # threads do not all begin at once


@pytest.mark.parametrize("way", WAYS)
def test_a_rate_is_offered_as_it_was_asked_for(bench: Bench, way: str) -> None:
    """At equal distances it is kept exactly; latency counts from when a request was due."""
    (row,) = bench(f"--ways={way}", "--rate=100", "--arrivals=fixed", "--runs=20", "--schedule=all")["modes"]
    assert row["rate"] == 100
    assert row["latency_runs"] == 20
    assert row["throughput"] <= 20 / 0.19
    assert row["latency_ms"]["min"] >= 1.0


def test_requests_that_wait_to_be_submitted_are_late(bench: Bench) -> None:
    """A load that only counted from the submission would omit what users wait for."""
    (row,) = bench("--rate=4000", "--arrivals=fixed", "--runs=200", "--schedule=0")["modes"]
    assert row["kept_up"] is False
    assert row["latency_ms"]["max"] > 100  # 200 ms of work arrive within 50 ms


def test_a_batch_is_spread_over_the_cores(bench: Bench) -> None:
    """One request, several inferences."""
    (row,) = bench("--batch=4", "--runs=10", "--schedule=0,1")["modes"]
    assert row["latency_runs"] == 10
    assert {name: core["inferences"] for name, core in row["cores"].items()} == {"0": 20, "1": 20}
    (row,) = bench("--batch=8", "--runs=5", "--schedule=0,1", models=["batch4_int8"])["modes"]
    assert sum(core["inferences"] for core in row["cores"].values()) == 10


def test_several_models_share_the_npu(bench: Bench) -> None:
    """They are measured at the same time, each has rows of its own."""
    names = ["tiny_conv_int8", "snippet", "tiny_conv_int8"]
    both = bench("--runs=40", "--ways=submit", "--schedule=0", models=names)
    rows = both["modes"]
    assert [row["model"] for row in rows] == ["tiny_conv_int8.rknn #1", "snippet.rknn", "tiny_conv_int8.rknn #2"]
    assert len({model["sha256"] for model in both["models"]}) == 2
    assert all(row["latency_runs"] == 40 for row in rows)


def test_sweeps_find_a_knee(bench: Bench) -> None:
    """Of the number in flight, and of the rate."""
    found = bench("--in-flight=sweep", "--runs=40", "--schedule=0,1")
    assert [row["in_flight"] for row in found["modes"]][:3] == [1, 2, 4]
    assert found["knees"][0]["in_flight"] in (1, 2, 4)
    found = bench("--rate=sweep", "--runs=40", "--schedule=0")
    rates = [row["rate"] for row in found["modes"]]
    assert rates == sorted(rates)
    assert found["knees"][0]["rate"] in rates


def test_a_deadline_finds_a_rate(bench: Bench) -> None:
    """It is below what all workers together do, and the percentile has its runs."""
    (found,) = bench("--deadline=1000", "--percentile=50", "--seconds=0.1", "--schedule=0")["deadlines"]
    assert 0 < found["highest_rate"] <= found["capacity"] * 1.01
    (found,) = bench("--deadline=0.5", "--percentile=50", "--seconds=0.02", "--schedule=0")["deadlines"]
    assert found["highest_rate"] is None


def test_json_says_what_the_figures_belong_to(bench: Bench) -> None:
    """The model by its content, versions, machine with governors, options; figures have five digits."""
    found = bench("--runs=20")
    assert re.fullmatch("[0-9a-f]{64}", found["models"][0]["sha256"])
    assert found["models"][0]["target_platform"] == found["soc"] == "rk3588"
    assert found["versions"]["librknnrt"] == "simulated"
    assert found["versions"]["numpy"] == np.__version__
    assert found["machine"]["processors"] >= 1
    assert "governors" in found["machine"]
    assert found["options"]["runs"] == 20
    assert found["options"]["simulator"] == "timing=fixed:1000,compute=off"
    (row,) = found["modes"]
    assert all(len(f"{value:.12g}".replace(".", "").lstrip("0")) <= 5 for value in row["split_ms"].values())
    assert "p99" not in row["latency_ms"]  # 20 runs
    assert row["confidence_ms"]["p50"][0] <= row["latency_ms"]["p50"] <= row["confidence_ms"]["p50"][1]


def test_files_are_complete_in_themselves(data: Path, tmp_path: Path, ezrknn: Ezrknn) -> None:
    """CSV for spreadsheets, and a page without scripts or anything to load."""
    files = [f"--csv={tmp_path / 'x.csv'}", f"--plot={tmp_path / 'x.html'}", f"--save={tmp_path / 'x.json'}"]
    ezrknn("bench", data / "tiny_conv_int8.rknn", *FIXED, "--in-flight=1,2,4", "--runs=40", *files)
    rows = list(csv.DictReader((tmp_path / "x.csv").read_text().splitlines()))
    saved = json.loads((tmp_path / "x.json").read_text())["modes"]
    assert [float(row["throughput"]) for row in rows] == [row["throughput"] for row in saved]
    assert rows[0]["p99_ms"] == ""
    text = (tmp_path / "x.html").read_text()
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            assert not {"src", "href", "onload"} & {name for name, _ in attrs}

    Reader().feed(text)
    assert "script" not in tags
    assert tags.count("svg") == 1 + 1 + 2 * 3  # throughput, the sweep, and two for each row
    assert tags.count("circle") > 100


def test_names_of_models_are_escaped(data: Path, tmp_path: Path, ezrknn: Ezrknn) -> None:
    """A page of figures runs nothing."""
    model = tmp_path / "<script>alert(1)<.rknn"
    model.write_bytes((data / "tiny_conv_int8.rknn").read_bytes())
    ezrknn("bench", model, model, *FIXED, "--runs=5", f"--plot={tmp_path / 'x.html'}")
    assert "<script" not in (tmp_path / "x.html").read_text()


def saved(tmp_path: Path, bench: Bench, *arguments: str) -> tuple[Path, dict[str, Any]]:
    file = tmp_path / "old.json"
    return file, bench(*arguments, f"--save={file}")


def test_against_itself_nothing_is_worse(data: Path, tmp_path: Path, bench: Bench, ezrknn: Ezrknn) -> None:
    """With a tolerance that any machine keeps."""
    file, _ = saved(tmp_path, bench, "--runs=60")
    said = ezrknn("bench", data / "tiny_conv_int8.rknn", *FIXED, "--runs=60", f"--against={file}", "--tolerance=1000")
    assert "No row is worse by more than 1000 %." in said


def test_a_slower_npu_is_status_3(data: Path, tmp_path: Path, bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty times slower is no noise."""
    file, _ = saved(tmp_path, bench, "--runs=30")
    slower = ["--runtime-library", "simulator", "--simulator", "timing=fixed:1000,compute=off,slowdown=0:20"]
    content = json.loads(file.read_text())
    content["modes"][0]["blocks"] = {"throughput": [900.0, 910.0], "p50": [1.1, 1.11]}  # then it was idle
    file.write_text(json.dumps(content))
    model = str(data / "tiny_conv_int8.rknn")
    assert main(["bench", model, *slower, "--runs=30", f"--against={file}"]) == 3
    assert "WORSE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ("[]", "was not written by"),
        ('{"format": 99, "modes": []}', "was not written by"),
    ],
)
def test_refuses_files_that_it_did_not_write(
    data: Path, tmp_path: Path, ezrknn_refuses: Ezrknn, content: str | None, words: str
) -> None:
    """It does so in one line."""
    file = tmp_path / "old.json"
    if content is not None:
        file.write_text(content)
    said = ezrknn_refuses("bench", data / "tiny_conv_int8.rknn", *FIXED, "--runs=4", f"--against={file}")
    assert words in said


def test_refuses_figures_of_another_kind(data: Path, tmp_path: Path, bench: Bench, ezrknn_refuses: Ezrknn) -> None:
    """Modelled times against a processor's own, or other rows."""
    file, content = saved(tmp_path, bench, "--runs=4")
    model = data / "tiny_conv_int8.rknn"
    said = ezrknn_refuses("bench", model, *FIXED, "--runs=4", "--ways=submit", f"--against={file}")
    assert "none of these rows" in said
    file.write_text(json.dumps({**content, "times": "measured on this machine's NPU"}))
    assert "cannot be compared" in ezrknn_refuses("bench", model, *FIXED, "--runs=4", f"--against={file}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--in-flight=2", "--rate=5"], "leave out --in-flight"),
        (["--in-flight=2", "--deadline=5"], "leave out --in-flight"),
        (["--rate=5", "--deadline=5"], "--deadline looks for the rate itself"),
        (["--batch=2", "--ways=submit"], "--batch spreads the samples"),
        (["--compare", "--schedule=0"], "leave out --schedule"),
        (["--deadline=5", "--runs=10"], "needs 381"),
        (["--seed=-1"], "below 0"),
    ],
)
def test_refuses_contradictions(data: Path, ezrknn_refuses: Ezrknn, arguments: list[str], words: str) -> None:
    """Each is told what to leave out."""
    assert words in ezrknn_refuses("bench", data / "tiny_conv_int8.rknn", *FIXED, *arguments)


MEANINGLESS = (
    "--runs=0 --warmup=-1 --ways=fly --in-flight=0 --in-flight=1,x --rate=0 --rate=nan --deadline=-1 --percentile=100 "
    "--batch=0 --arrivals=never --tolerance=-1"
)


@pytest.mark.parametrize("argument", MEANINGLESS.split())
def test_refuses_values_that_mean_nothing(data: Path, capsys: pytest.CaptureFixture[str], argument: str) -> None:
    """Before anything is loaded, naming the flag."""
    with pytest.raises(SystemExit) as exit_:
        main(["bench", str(data / "tiny_conv_int8.rknn"), argument])
    assert exit_.value.code == 2
    assert f"argument {argument.split('=')[0]}" in capsys.readouterr().err


def test_a_measurement_of_nothing_is_no_success(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One request a second, for a hundredth of a second; tables and files are made all the same."""
    assert main(["bench", str(data / "tiny_conv_int8.rknn"), *FIXED, "--rate=1", "--seconds=0.01", "--histogram"]) == 1
    assert "Nothing was measured." in capsys.readouterr().out


def test_what_cannot_be_written_is_refused_before_anything_is_measured(
    data: Path, tmp_path: Path, ezrknn_refuses: Ezrknn
) -> None:
    """A measurement may have taken an hour."""
    for flag in ("--save", "--csv", "--plot"):
        for file in (tmp_path / "none" / "x", tmp_path):
            said = ezrknn_refuses("bench", data / "tiny_conv_int8.rknn", *FIXED, "--seconds=600", f"{flag}={file}")
            assert f"{flag} {file} cannot be written" in said


def test_a_model_that_fails_is_an_error(data: Path, ezrknn_refuses: Ezrknn) -> None:
    """Figures of failures would be wonderful."""
    settings = ["--runtime-library", "simulator", "--simulator", "compute=off,fault=rknn_run#20:fail=-1"]
    for way in WAYS:
        arguments = [f"--ways={way}", "--warmup=2", "--runs=50", "--schedule=0", "--io-mode=direct"]
        said = ezrknn_refuses("bench", data / "tiny_conv_int8.rknn", *settings, *arguments)
        assert "inferences failed; the first:" in said, way


@pytest.mark.parametrize("way", ["", "run", "map", "asyncio"])
def test_ctrl_c_prints_what_was_measured(data: Path, way: str) -> None:
    """Once something is: the progress bar shows it. The status is a shell's for an interrupt."""
    arguments = ["bench", str(data / "tiny_conv_int8.rknn"), *FIXED, "--seconds=600", "--json"]
    arguments += [f"--ways={way}"] if way else []
    script = "import sys; sys.stderr.isatty = lambda: True\n"
    script += f"from ez_rknn_async.cli import main; sys.exit(main({arguments!r}))"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stderr is not None
        seen = b""
        while seen.count(b"%") < 3:
            part = os.read(program.stderr.fileno(), 1000)
            assert part, seen
            seen += part
        program.send_signal(signal.SIGINT)
        printed, _ = program.communicate(timeout=60)
    assert program.returncode == 130
    found = json.loads(printed)
    assert found["interrupted"] is True
    assert found["modes"][0]["latency_runs"] > 0
