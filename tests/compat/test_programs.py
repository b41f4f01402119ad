# SPDX-License-Identifier: Apache-2.0
"""Whole programs that import ``rknnlite``: run with a stand-in, or with the packages that ``ezrknn`` installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import ez_rknn_async
from ez_rknn_async.cli import main
from ez_rknn_async.compat.__main__ import main as run_program
from ez_rknn_async.compat.rknnlite.install import STAND_IN

PACKAGES = Path(ez_rknn_async.__file__).parent.parent

# What a program of the field asks of its environment, and prints.
PROGRAM = """
import importlib.metadata, sys
import numpy as np
from rknnlite.api import RKNNLite
from rknnlite.api.rknn_lite import RKNNLite as Same
from rknnlite.api.rknn_runtime import RKNNRuntime
from rknn.api import RKNN

if __name__ == "__main__":
    assert RKNNLite is Same and issubclass(RKNN, RKNNLite)
    lite = RKNNLite()
    lite.load_rknn(sys.argv[1])
    lite.init_runtime(core_mask=RKNNLite.NPU_CORE_0)
    assert isinstance(lite.rknn_runtime, RKNNRuntime)
    (output,) = lite.inference([np.zeros((1, 16, 16, 3), np.uint8)])
    lite.release()
    print(importlib.metadata.version("rknn-toolkit-lite2"), output.shape, sys.argv[2:])
"""
WITH_CHILDREN = """
import multiprocessing
import here

def work(number):
    from rknnlite.api import RKNNLite
    return RKNNLite.NPU_CORE_ALL + number

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [0, 1]), here.NAME)
"""
PRINTED = "2.3.2 (1, 8, 16, 16) ['--flag', 'x']"


def run(*command: str | Path, cwd: Path, python: str | Path = sys.executable, **environment: str) -> str:
    """What a program prints; with the package under test, in whatever environment it runs."""
    paths = [str(PACKAGES), *([] if python == sys.executable else [sysconfig.get_path("purelib")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "EZ_RKNN_RUNTIME_LIBRARY": "simulator",
        "EZ_RKNN_SIMULATOR": "compute=off",
        **environment,
    }
    process = subprocess.run(
        [python, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    return (process.stdout + process.stderr).strip()


def compat(*arguments: str | Path, cwd: Path) -> str:
    return run("-m", "ez_rknn_async.compat", *arguments, cwd=cwd)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program, in a folder of its own."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "here.py").write_text("NAME = 'beside the program'")
    (folder / "main.py").write_text(PROGRAM)
    (folder / "children.py").write_text(WITH_CHILDREN)
    return folder / "main.py"


def test_a_program_runs_unchanged(program: Path, data: Path, tmp_path: Path) -> None:
    """By its path from anywhere, or as a module."""
    model = data / "tiny_conv_int8.rknn"
    assert compat("rknnlite", program, model, "--flag", "x", cwd=tmp_path) == PRINTED
    assert compat("rknnlite", "-m", "main", model, "--flag", "x", cwd=program.parent) == PRINTED


def test_a_programs_children_find_the_stand_in(program: Path, tmp_path: Path) -> None:
    """Those that multiprocessing starts; and what lies beside the program is found, as by Python itself."""
    assert compat("rknnlite", program.parent / "children.py", cwd=tmp_path) == "[65535, 65536] beside the program"


def test_one_line_puts_the_stand_in_in_place(data: Path, tmp_path: Path) -> None:
    """Even where another package of that name was imported."""
    (tmp_path / "rknnlite.py").write_text("")
    (tmp_path / "main.py").write_text(
        "import rknnlite\n"
        "from ez_rknn_async.compat.rknnlite import install_as_rknnlite\n"
        "install_as_rknnlite()\n"
        "install_as_rknnlite()\n" + PROGRAM
    )
    assert run("main.py", data / "tiny_conv_int8.rknn", "--flag", "x", cwd=tmp_path) == PRINTED


@pytest.mark.parametrize("arguments", [[], ["rknnlite"], ["rknnlite", "-m"], ["numpy", "main.py"]], ids=" ".join)
def test_what_to_write_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Where a stand-in or the program is missing."""
    with pytest.raises(SystemExit, match="2"):
        run_program(arguments)
    assert capsys.readouterr().err.startswith("usage: python -m ez_rknn_async.compat STAND_IN")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with nothing in it; our source is reached by PYTHONPATH."""
    venv.create(tmp_path / "environment", symlinks=True)
    return tmp_path / "environment"


def packages_of(environment: Path) -> Path:
    (folder,) = environment.glob("lib/python*/site-packages")
    return folder


def ezrknn(environment: Path, *arguments: str) -> str:
    command = "import sys; from ez_rknn_async.cli import main; sys.exit(main())"
    return run("-c", command, *arguments, cwd=environment, python=environment / "bin/python")


def test_installed_packages_serve_a_program_and_leave_nothing(
    environment: Path, program: Path, data: Path, tmp_path: Path
) -> None:
    """What was installed says what it is; a second installation replaces the first; pip could remove it, too."""
    folder = packages_of(environment)
    before = sorted(folder.rglob("*"))
    for _ in range(2):
        assert "they are ez_rknn_async" in ezrknn(environment, "compat", "install", "rknnlite")
    python = environment / "bin/python"
    assert run(program, data / "tiny_conv_int8.rknn", "--flag", "x", cwd=tmp_path, python=python) == PRINTED
    (metadata,) = folder.glob("*.dist-info")
    assert "Not Rockchip's package." in (metadata / "METADATA").read_text()
    recorded = {line.partition(",")[0] for line in (metadata / "RECORD").read_text().splitlines()}
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {path for path in present if not path.endswith(".pyc")} == recorded
    assert ezrknn(environment, "compat", "uninstall", "rknnlite").startswith("removed rknnlite and rknn from ")
    assert sorted(folder.rglob("*")) == before
    assert "nothing was removed" in ezrknn(environment, "compat", "uninstall", "rknnlite")


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for packages of the current environment, as far as the command knows."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr("ez_rknn_async.cli.compat._site_packages", lambda: folder)
    monkeypatch.syspath_prepend(folder)
    return folder


def test_a_file_of_somebody_else_stays(site_packages: Path) -> None:
    """Only what was installed is removed."""
    assert main(["compat", "install", "rknnlite"]) == 0
    others = site_packages / "rknn" / "others.py"
    others.write_text("")
    assert main(["compat", "uninstall", "rknnlite"]) == 0
    assert sorted(site_packages.rglob("*")) == [others.parent, others]


def test_the_vendors_packages_are_not_touched(site_packages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether they have metadata or not."""
    metadata = site_packages / "rknn_toolkit_lite2-2.3.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: rknn-toolkit-lite2\nVersion: 2.3.0\n")
    (metadata / "INSTALLER").write_text("pip\n")
    (metadata / "RECORD").write_text("rknnlite/__init__.py,,\n")
    assert main(["compat", "install", "rknnlite"]) == 1
    refused = capsys.readouterr().err
    assert refused.startswith("ezrknn: Rockchip's rknn-toolkit-lite2 2.3.0 is installed; uninstall it first")
    assert main(["compat", "uninstall", "rknnlite"]) == 1
    assert "nothing was removed" in capsys.readouterr().err
    shutil.rmtree(metadata)
    (site_packages / "rknn").mkdir()
    assert main(["compat", "install", "rknnlite"]) == 1
    assert "a package rknn is there already" in capsys.readouterr().err
    assert sorted(site_packages.rglob("*")) == [site_packages / "rknn"]


def test_what_can_be_installed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown name is refused by the command line itself."""
    with pytest.raises(SystemExit):
        main(["compat", "install", "numpy"])
    assert "choose from" in capsys.readouterr().err


def test_the_stand_in_is_in_the_package() -> None:
    """Wheels have all files of the package's folder; this one holds packages under other names."""
    assert STAND_IN.is_relative_to(PACKAGES / "ez_rknn_async")
    assert (STAND_IN / "rknnlite" / "api" / "__init__.py").is_file()
    # Our build leaves folders with metadata out, but not such a file.
    assert [path.is_file() for path in STAND_IN.glob("*.egg-info")] == [True]
