# SPDX-License-Identifier: Apache-2.0
"""Programs that embed Python, or have none: which interpreters are started for them, and which never are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

from ..simulator.programs import FOLDERS, MODEL, OPEN, REFUSED, TIMEOUT, VARIABLES, attempt

COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler on this machine")

# Says that it was started, and runs what the environment says, with any arguments.
EMBEDDING = """
#include <Python.h>
int main(void) {
    FILE *said = fopen(getenv("SAID"), "a");
    fputs("started\\n", said);
    fclose(said);
    Py_Initialize();
    return PyRun_SimpleString(getenv("PROGRAM")) == 0 ? 0 : 1;
}
"""
NATIVE = f"""
#include <stdint.h>
int rknn_init(uint64_t *context, const void *model, uint32_t size, uint32_t flag, void *extend);
int main(void) {{
    uint64_t context;
    return rknn_init(&context, "{MODEL}", 0, 0, 0) == 0 ? 0 : 1;
}}
"""
# A Python program that has only our library.
CTYPES = f"""
import ctypes
library = ctypes.CDLL({os.fspath(SIMULATOR_LIBRARY)!r})
context = ctypes.c_uint64()
code = library.rknn_init(ctypes.byref(context), {os.fsencode(MODEL)!r}, 0, 0, None)
library.ez_rknn_last_error.restype = ctypes.c_char_p
if code:
    raise RuntimeError(library.ez_rknn_last_error().decode())
"""


def compiled(source: str, program: Path, *options: str) -> Path:
    text = program.with_suffix(".c")
    text.write_text(source, encoding="utf-8")
    assert COMPILER is not None
    linked = subprocess.run([COMPILER, text, "-o", program, *options], capture_output=True, text=True, timeout=TIMEOUT)
    if linked.returncode != 0:
        pytest.skip(f"this machine cannot link it: {linked.stderr}")
    return program


def embedding(program: Path) -> Path:
    """A program that embeds this very Python."""
    folder, name = sysconfig.get_config_var("LIBDIR"), f"-lpython{sysconfig.get_config_var('LDVERSION')}"
    where = ["-I", sysconfig.get_paths()["include"], "-L", folder, f"-Wl,-rpath,{folder}", "-Wl,--export-dynamic"]
    return compiled(EMBEDDING, program, *where, name, "-lm", "-ldl", "-lpthread", "-lutil")


def run_embedding(program: Path, python: str, **variables: str) -> tuple[int, str, int]:
    """Return its exit status, the last line of its standard error, and the number of its processes that were
    started."""
    said = program.parent / "said"
    said.unlink(missing_ok=True)
    known = {"SAID": str(said), "PROGRAM": python, "PYTHONHOME": sys.base_prefix, "PYTHONPATH": ":".join(FOLDERS)}
    environment = {**VARIABLES, **known, **variables}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    return done.returncode, (done.stderr.splitlines() or [""])[-1], len(said.read_text().splitlines())


@pytest.mark.parametrize("python", [REFUSED, CTYPES], ids=["the package", "ctypes"])
def test_does_not_start_an_embedding_program_again(tmp_path: Path, python: str) -> None:
    """Nor does it start the python3 that sys.executable may name there: the error says which variable to set."""
    status, error, started = run_embedding(embedding(tmp_path / "app"), python)
    assert (status, started) == (1, 1)
    assert f"this program, {tmp_path / 'app'}, has a Python inside of it, and is no Python interpreter" in error
    assert "set EZ_RKNN_PYTHON to the path of a Python interpreter" in error


def test_an_embedding_program_computes_with_the_named_python(tmp_path: Path) -> None:
    """The error message advises it."""
    program = embedding(tmp_path / "app")
    assert run_embedding(program, OPEN, EZ_RKNN_PYTHON=sys.executable) == (0, "", 1)


def test_starts_a_program_mistaken_for_an_interpreter_only_once(tmp_path: Path) -> None:
    """Its name misleads; it sees what it was started for, and has no device process of its own."""
    status, error, started = run_embedding(embedding(tmp_path / "python3"), REFUSED)
    assert (status, started) == (1, 2)
    assert "set EZ_RKNN_PYTHON to the path of a Python interpreter" in error


def test_refuses_a_session_in_the_program_named_as_interpreter(tmp_path: Path) -> None:
    """Every process inherits EZ_RKNN_PYTHON, which may name the program itself."""
    script, said = tmp_path / "app", tmp_path / "said"
    code = f"{REFUSED}".replace("'", "'\"'\"'")
    script.write_text(f"#!/bin/sh\necho started >> {said}\nexec {sys.executable} -c '{code}'\n", encoding="utf-8")
    script.chmod(0o755)
    done = attempt(REFUSED, env={"EZ_RKNN_PYTHON": str(script)})
    assert done.returncode == 1
    assert "was started to be the device process of another one" in done.stderr
    assert said.read_text().split() == ["started"]


@pytest.mark.parametrize("frozen", ["sys.frozen = True", "sys.oxidized = True"])
def test_does_not_start_a_frozen_program_again(frozen: str) -> None:
    """Its interpreter may have any name."""
    done = attempt(f"import sys; {frozen}\n{REFUSED}")
    assert "is frozen: it contains a Python interpreter and is none itself; set EZ_RKNN_PYTHON" in done.stderr


def test_the_interpreter_does_not_get_a_frozen_programs_libraries() -> None:
    """PyInstaller points LD_LIBRARY_PATH at them; another interpreter needs those of the system."""
    for before, found in (({}, []), ({"LD_LIBRARY_PATH_ORIG": "/before"}, ["LD_LIBRARY_PATH=/before"])):
        environment = {"_PYI_ARCHIVE_FILE": "/app", "LD_LIBRARY_PATH": "/app/_internal", **before}
        program = f"""{OPEN}
given = open(f"/proc/{{device}}/environ").read().split(chr(0))
assert [one for one in given if one.startswith("LD_LIBRARY_PATH=")] == {found}
"""
        assert attempt(f"import os; os.environ.update({environment!r})\n{program}").returncode == 0


def test_never_starts_sys_executable(tmp_path: Path) -> None:
    """Programs set it to anything; the running interpreter is known without it."""
    script = tmp_path / "python3"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/said\n", encoding="utf-8")
    script.chmod(0o755)
    for executable in (str(script), "", None):
        assert attempt(f"import sys; sys.executable = {executable!r}\n{OPEN}").returncode == 0
    assert not (tmp_path / "said").exists()


def test_a_native_program_ignores_python3_in_the_working_directory(tmp_path: Path) -> None:
    """Relative entries of PATH do not count, and a python3 on PATH that is not Python is not waited for."""
    program = compiled(NATIVE, tmp_path / "app", str(SIMULATOR_LIBRARY))
    script = tmp_path / "python3"
    script.write_text(f"#!/bin/sh\n: > {tmp_path}/said\necho I am no Python >&2\n", encoding="utf-8")
    script.chmod(0o755)

    def stderr_of(path: str) -> str:
        environment = {**VARIABLES, "PATH": path, "RKNN_LOG_LEVEL": "1"}
        done = subprocess.run([program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
        assert done.returncode == 1
        return done.stderr

    assert "there is no python3 on PATH; set EZ_RKNN_PYTHON" in stderr_of(".::relative")
    assert not (tmp_path / "said").exists()
    said = stderr_of(str(tmp_path))
    assert "ended with status 0 before it was ready; its last words:\nI am no Python\nset EZ_RKNN_PYTHON" in said
