# SPDX-License-Identifier: Apache-2.0
"""The device process's imports: packages installed for the program's Python, and the program's own copy of this
package."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ez_rknn_async._runtime.host_python import host_python
from ez_rknn_async.simulator import start

from .programs import FOLDERS, MODEL, OPEN, PACKAGE, REFUSED, TIMEOUT, attempt, bare_python, run

# Modules that the device process imports, and those that a Python looks for when it starts.
NAMES = ["numpy", "onnx", "onnxruntime", "ml_dtypes", "google", "queue", "random", "json", "socket"]
NAMES += ["site", "sitecustomize", "usercustomize"]


def create_modules(folder: Path, *names: str) -> Path:
    """Create modules that log when they are run, and break their importers. Return the path of the log."""
    said = folder / "said"
    for name in names:
        text = f"open({os.fspath(said)!r}, 'a').write('{name} ')\nraise SystemExit('the user has run {name}.py')\n"
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return said


@pytest.mark.parametrize("flag", ["-I", "-P"])
def test_runs_nothing_from_the_working_directory(tmp_path: Path, flag: str) -> None:
    """The program does not see it in these modes, so its device process must not, either."""
    if flag == "-P" and sys.version_info < (3, 11):
        pytest.skip("this Python has no -P")
    said = create_modules(tmp_path, *NAMES)
    run(OPEN, flag, cwd=tmp_path)
    assert not said.exists()


def test_runs_nothing_from_the_programs_folder(tmp_path: Path) -> None:
    """A script's own folder may well have an onnx.py."""
    said = create_modules(tmp_path, "onnx", "onnxruntime", "ml_dtypes")
    script = tmp_path / "main.py"
    script.write_text(OPEN, encoding="utf-8")
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True, timeout=TIMEOUT)
    assert not said.exists()


def test_runs_nothing_from_pythonpath(tmp_path: Path) -> None:
    """A shim that replaces ONNX Runtime in the program must not do so in the simulated NPU."""
    said = create_modules(tmp_path, "onnx", "onnxruntime", "ml_dtypes")
    run(OPEN, env={"PYTHONPATH": os.fspath(tmp_path)})
    assert not said.exists()


def test_variables_for_python_do_not_reach_the_device() -> None:
    """The program sets them for other programs that it starts."""
    variables = {
        "PYTHONHOME": "/nowhere",
        "PYTHONINSPECT": "1",
        "PYTHONOPTIMIZE": "2",
        "PYTHONSTARTUP": "/nowhere/startup.py",
        "PYTHONWARNINGS": "error",
        "PYTHONSAFEPATH": "1",
        "PYTHONBREAKPOINT": "nowhere.at_all",
        "PYTHONPLATLIBDIR": "nowhere",
        "PYTHONIOENCODING": "ascii",
    }
    run(f"import os; os.environ.update({variables!r})\n{OPEN}")


def test_warning_options_of_the_program_do_not_apply_to_the_device() -> None:
    """With -W error, -bb and development mode, a program finds its own faults, not those of others."""
    run(OPEN, "-W", "error", "-X", "dev", "-bb", "-O")


COPIED = {
    "sys.path": "import sys; sys.path.insert(0, 'lib')",
    "sys.path, taken back": "import sys; sys.path.insert(0, 'lib'); import ez_rknn_async; sys.path.remove('lib')",
    "site.addsitedir": "import site, sys; site.addsitedir('lib'); sys.path.insert(0, sys.path.pop())",
    "PYTHONPATH": "",
}


@pytest.mark.parametrize("way", COPIED)
def test_uses_the_package_that_the_program_imported(tmp_path: Path, way: str) -> None:
    """Another may be installed under its name, and a relative path loses its meaning when the program changes
    directory."""
    copied = tmp_path / "lib" / "ez_rknn_async"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    said = tmp_path / "said"
    with (copied / "simulator" / "device.py").open("a", encoding="utf-8") as module:
        module.write(f"\nopen({os.fspath(said)!r}, 'w').close()\n")
    program = f"{COPIED[way]}\nimport os, ez_rknn_async; os.chdir('/')\n{OPEN}"
    run(program, cwd=tmp_path, env={"PYTHONPATH": "lib"} if way == "PYTHONPATH" else None)
    assert said.exists()


def link_distributions(folder: Path, *names: str) -> None:
    """Put distributions into a folder as ``pip install --target`` does."""
    for name in names:
        for file in importlib.metadata.files(name) or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(Path(str(file.locate())).parents[len(file.parts) - 1] / top)


def test_finds_dependencies_where_the_program_finds_them(tmp_path: Path) -> None:
    """The site directories have none: distributions installed elsewhere count, stray modules there do not."""
    python = bare_python(tmp_path / "bare")
    (tmp_path / "user").mkdir()
    said = create_modules(tmp_path / "user", "onnx", "onnxruntime", "ml_dtypes", "google")
    path = os.pathsep.join([str(tmp_path / "user"), *FOLDERS])
    run(OPEN, python=python, env={"PYTHONPATH": path})
    run(f"import sys; sys.path[1:1] = {path.split(os.pathsep)!r}\n{OPEN}", "-S", python=python)
    assert not said.exists()


def test_the_standard_library_and_installed_packages_come_first(tmp_path: Path) -> None:
    """A folder of installed packages may hold an older numpy, or the backport of a module."""
    python = bare_python(tmp_path / "bare")
    target = tmp_path / "target"
    for name in ("queue", "typing_extensions"):
        (target / f"{name}-1.dist-info").mkdir(parents=True)
        (target / f"{name}-1.dist-info" / "RECORD").write_text(f"{name}.py,,\n", encoding="utf-8")
    said = create_modules(target, "queue", "typing_extensions")
    site = next((tmp_path / "bare" / "lib").glob("python*")) / "site-packages"
    (site / "installed.pth").write_text("\n".join(FOLDERS), encoding="utf-8")
    run(f"import sys; sys.path.append({os.fspath(target)!r})\n{OPEN}", python=python)
    assert not said.exists()


def test_a_missing_onnx_runtime_is_reported_like_by_doctor(tmp_path: Path) -> None:
    """On an aarch64 machine without an NPU, no dependency brings it."""
    python, target = bare_python(tmp_path / "bare"), tmp_path / "target"
    target.mkdir()
    link_distributions(target, "numpy", "cffi", "pycparser")
    if not (target / "ez_rknn_async").exists():
        (target / "ez_rknn_async").symlink_to(PACKAGE)
    env = {"PYTHONPATH": str(target)}
    doctor = "from ez_rknn_async.cli import main; main(['doctor', '--json'])"
    findings = json.loads(attempt(doctor, python=python, env=env).stdout)
    (finding,) = [finding for finding in findings if finding["subject"] == "simulated NPU"]
    assert finding["text"] == "it computes with onnx and onnxruntime, which this Python does not have"
    error = attempt(REFUSED, python=python, env=env).stderr.splitlines()[-1]
    assert error.startswith("ez_rknn_async.RknnDeviceError: rknn_init failed: RKNN_ERR_DEVICE_UNAVAILABLE (-3)")
    assert f"{finding['text']}; {finding['advice']}" in error
    assert "Traceback" not in error


def test_names_a_package_that_does_not_work(tmp_path: Path) -> None:
    """It may be for another version of Python."""
    python = bare_python(tmp_path / "bare")
    site = next((tmp_path / "bare" / "lib").glob("python*")) / "site-packages"
    (site / "installed.pth").write_text("\n".join(FOLDERS), encoding="utf-8")
    (site / "onnxruntime.py").write_text("raise ImportError('no libcudart.so')", encoding="utf-8")
    error = attempt(REFUSED, python=python).stderr.splitlines()[-1]
    assert "cannot start: importing what it computes with failed: ImportError: no libcudart.so" in error


def test_passes_on_the_flags_that_concern_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """They determine if and where bytecode is written; the isolation is always complete."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "pycache_prefix", "/cache")
    command = host_python().command
    flags = command[1 : command.index(str(PACKAGE / "simulator" / "start.py"))]
    assert flags == ("-I", "-S", "-X", "utf8", "-B", "-X", "pycache_prefix=/cache")
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    assert not {"-B", "pycache_prefix=/cache"} & set(host_python().command)


def test_uses_the_users_site_directory_if_the_program_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With -s, or in most virtual environments, the program does not."""
    import site

    monkeypatch.setattr(site, "getusersitepackages", lambda: str(tmp_path))
    monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
    assert f"--site={tmp_path}" in host_python().command
    monkeypatch.setattr(site, "ENABLE_USER_SITE", False)
    assert f"--site={tmp_path}" not in host_python().command


def test_a_python_that_needs_pythonhome_keeps_it(tmp_path: Path) -> None:
    """It is an interpreter moved away from its standard library; nothing else of the environment counts there."""
    python = tmp_path / "python3"
    shutil.copy(os.path.realpath(sys.executable), python)
    (tmp_path / "user").mkdir()
    said = create_modules(tmp_path / "user", "random", "onnxruntime")
    env = {"PYTHONHOME": sys.base_prefix, "PYTHONPATH": os.pathsep.join(FOLDERS)}
    if attempt("", python=str(python), env=env).returncode != 0:
        pytest.skip("this interpreter does not work anywhere else")
    program = f"import os; os.environ['PYTHONPATH'] = {os.fspath(tmp_path / 'user')!r}\n{OPEN}"
    run(program, python=str(python), env=env)
    assert not said.exists()


def test_telemetry_is_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must be off before a session of ONNX Runtime exists; versions without it are not asked."""
    import onnxruntime

    import ez_rknn_async.simulator.device as device

    done: list[str] = []
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    monkeypatch.setattr(onnxruntime, "disable_telemetry_events", lambda: done.append("off"))
    monkeypatch.setattr(device, "serve", lambda control: done.append("serves"))
    start._serve(None)  # type: ignore[arg-type]
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    monkeypatch.delattr(onnxruntime, "disable_telemetry_events")
    start._serve(None)  # type: ignore[arg-type]
    assert done == ["off", "serves", "serves"]


def test_opens_no_file_of_the_user_and_writes_none(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry would have a database in the cache folder, and connections; only memory is open."""
    folders = {name: os.fspath(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR")}
    program = f"""{OPEN}
for fd in os.listdir(f"/proc/{{device}}/fd"):
    print(os.readlink(f"/proc/{{device}}/fd/{{fd}}"))
"""
    without_ci = "for name in ('CI', 'GITHUB_ACTIONS', 'TF_BUILD', 'CIRCLECI'): __import__('os').environ.pop(name, 0)"
    opened = run(f"{without_ci}\n{program}", "-B", env=folders).stdout.splitlines()
    allowed = ("/dev/null", "/memfd:ez_rknn_", "/memfd:weights", "/memfd:optimized", "socket:[", "/proc/")
    assert [name for name in opened if not name.startswith((*allowed, os.fspath(MODEL)))] == []
    assert list(tmp_path.iterdir()) == []


def test_another_interpreter_computes_with_its_own_packages(tmp_path: Path) -> None:
    """EZ_RKNN_PYTHON is the name of a program on PATH or a relative path; the package is the program's."""
    python = bare_python(tmp_path / "bare")
    site = next((tmp_path / "bare" / "lib").glob("python*")) / "site-packages"
    (site / "installed.pth").write_text("\n".join(FOLDERS), encoding="utf-8")
    said = create_modules(tmp_path, "onnx", "random")
    program = f"{OPEN}\nprint(open(f'/proc/{{device}}/cmdline').read().split('\\0')[0])"
    for name in (python, "bare/bin/python", "python"):
        path = f"{Path(python).parent}:{os.environ['PATH']}"
        done = run(program, "-I", cwd=tmp_path, env={"EZ_RKNN_PYTHON": name, "PATH": path})
        assert Path(done.stdout.strip()).samefile(python)
        assert done.stdout.startswith(str(tmp_path))
    assert not said.exists()


def test_the_model_exists(data: Path) -> None:
    """The programs of these tests open it."""
    assert MODEL.parent == data
    assert MODEL.exists()
