# SPDX-License-Identifier: Apache-2.0
"""Sources of models: accepted paths and bytes, errors, and the content that is kept."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from ez_rknn_async import (
    InferenceSession,
    RknnClosedError,
    RknnModelError,
    RknnTypeError,
    RknnValueError,
    make_provider_options,
)
from ez_rknn_async import SessionOptions as Options
from ez_rknn_async._contexts import model_source
from ez_rknn_async._contexts.model_source import ModelSource
from ez_rknn_async._contexts.sealed_memory import above_standard_streams
from ez_rknn_async.model import load, read_header

SIMULATED = {"runtime_library": "simulator", "simulator": "compute=off"}
READERS = [ModelSource.of, load, read_header, InferenceSession]


@pytest.fixture
def model(data: Path) -> Path:
    return data / "tiny_conv_int8.rknn"


# ---- Accepted sources ----


@pytest.mark.parametrize("name", ["模型.rknn".encode("gbk"), "模型.rknn".encode(), b"a b\n.rknn", b"\xff"])
@pytest.mark.parametrize("kind", [os.fsdecode, lambda name: Path(os.fsdecode(name)), os.scandir])
def test_takes_any_name_that_a_file_can_have(model: Path, tmp_path: Path, name: bytes, kind: Any) -> None:
    """os.listdir() and sys.argv give such names; a Path or an os.DirEntry of a folder named in bytes works too."""
    shutil.copy(os.fsencode(model), os.path.join(os.fsencode(tmp_path), name))
    if kind is os.scandir:
        (path,) = os.scandir(os.fsencode(tmp_path))
    else:
        path = kind(os.path.join(os.fsencode(tmp_path), name))
    with InferenceSession(path, provider_options=SIMULATED) as session:
        assert session.input_names == ["x"]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda content: memoryview(content + content)[::1]])
def test_takes_a_files_content(model: Path, kind: Callable[[bytes], Any]) -> None:
    """Any bytes-like object will do; bytes after the model do not matter."""
    with ModelSource.of(kind(model.read_bytes())) as source, source.parsed() as parsed:
        assert parsed.target_platform == "rk3588"


def test_takes_content_with_gaps(model: Path) -> None:
    """It is every second byte of a buffer."""
    content = model.read_bytes()
    spread = bytearray(2 * len(content))
    spread[::2] = content
    with ModelSource.of(memoryview(spread)[::2]) as source, source.content() as path:
        assert Path(str(path)).read_bytes() == content


# ---- Refused sources ----


@pytest.mark.parametrize("reader", READERS)
def test_refuses_a_path_with_a_nul(reader: Callable[[Any], Any]) -> None:
    """open() would only report an embedded null byte."""
    with pytest.raises(RknnValueError, match=r"='models/a\\x00b\.rknn' has a NUL at character 8"):
        reader("models/a\0b.rknn")


@pytest.mark.parametrize("option", ["runtime_library", "custom_op_path"])
def test_refuses_options_with_a_nul(model: Path, option: str) -> None:
    """The loader would read only the part before it."""
    with pytest.raises(RknnValueError, match=f"^{option}='simulator.x00' has a NUL"):
        InferenceSession(model, provider_options={**SIMULATED, option: "simulator\0"})


def test_refuses_a_profile_with_a_nul(model: Path) -> None:
    """The error comes when the session is opened, not when the profile is written."""
    options = Options()
    options.profile_file_prefix = "profile\0"
    with pytest.raises(RknnValueError, match=r"^profile_file_prefix='profile.x00' has a NUL"):
        InferenceSession(model, options, provider_options=SIMULATED)


@pytest.mark.parametrize("path", [b"models/m.rknn", b"m.RKNN", b"\xc4\xa3/m", b"setup_of_the_test"])
def test_recognises_a_path_given_as_bytes(path: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are the content, as in ONNX Runtime."""
    (tmp_path / "setup_of_the_test").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RknnModelError, match="looks like a path, but bytes are taken as a model's content") as refused:
        InferenceSession(path, provider_options=SIMULATED)
    assert repr(os.fsdecode(path)) in str(refused.value)


@pytest.mark.parametrize("option", ["runtime_library", "custom_op_path"])
def test_refuses_options_that_are_bytes(model: Path, option: str) -> None:
    """They would be many small numbers."""
    with pytest.raises(RknnTypeError, match=f"{option} takes a path, not b'/x.so'; give it as text, '/x.so'"):
        InferenceSession(model, provider_options={**SIMULATED, option: b"/x.so"})


@pytest.mark.parametrize("given", [None, 5, 1.5, ["m.rknn"], object])
def test_refuses_a_model_that_is_neither_a_path_nor_bytes(given: Any) -> None:
    """The error names the type that was given."""
    with pytest.raises(RknnTypeError, match="path_or_bytes takes a path or the file's bytes, not"):
        InferenceSession(given, provider_options=SIMULATED)


@pytest.mark.parametrize(("content", "says"), [(b"", "is empty"), (b"not a model\n", "is not an RKNN model|not 52 4b")])
def test_refuses_content_that_is_not_a_model(content: bytes, says: str) -> None:
    """The error has no file to name."""
    with pytest.raises(RknnModelError, match=says):
        InferenceSession(content, provider_options=SIMULATED)


@pytest.mark.parametrize("reader", READERS)
def test_names_a_file_that_cannot_be_opened(reader: Callable[[Any], Any], tmp_path: Path) -> None:
    """It uses the given name, and comes at once: nothing waits for a pipe's writer."""
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    cases = {
        "missing": "cannot be opened: No such file",
        "folder": "is not a file but a directory",
        "pipe": "is not a file but a pipe or a device",
        "empty": "is empty",
        "empty/m": "cannot be opened: Not a directory",
    }
    for name, says in cases.items():
        path = str(tmp_path / name)
        with pytest.raises(RknnModelError, match=says) as refused:
            reader(path)
        assert repr(path) in str(refused.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_names_a_file_that_may_not_be_read(model: Path, tmp_path: Path) -> None:
    """The system's reason is in the message."""
    copy = shutil.copy(model, tmp_path / "m.rknn")
    os.chmod(copy, 0)
    with pytest.raises(RknnModelError, match=r"m\.rknn' cannot be opened: Permission denied"):
        InferenceSession(copy, provider_options=SIMULATED)


@pytest.mark.parametrize("reader", [load, InferenceSession])
@pytest.mark.parametrize(
    "spoil", [lambda c: c[:-1], lambda c: b"RKNX" + c[4:], lambda c: c[:70] + b"\xff" * 9 + c[79:]]
)
def test_names_a_damaged_file_once(
    reader: Callable[[Any], Any], spoil: Callable[[bytes], bytes], model: Path, tmp_path: Path
) -> None:
    """Any kind of damage keeps its place and hint."""
    file = tmp_path / "damaged.rknn"
    file.write_bytes(spoil(model.read_bytes()))
    with pytest.raises(RknnModelError) as refused:
        reader(str(file))
    assert str(refused.value).startswith(f"{str(file)!r}: ")
    assert str(refused.value).count("damaged.rknn") == 1
    assert refused.value.offset is not None


def test_names_a_file_that_the_runtime_refuses(data: Path) -> None:
    """The runtime got another path, which would mean nothing to the user."""
    path = data / "rk3566_block_int8.rknn"
    with pytest.raises(RknnModelError, match=r"rk3566_block_int8\.rknn': ") as refused:
        InferenceSession(
            path, provider_options=make_provider_options(runtime_library="simulator", simulator="soc=rk3588")
        )
    assert "/proc/self/fd" not in str(refused.value)


def test_names_a_missing_library_with_any_name(model: Path) -> None:
    """The loader's reason follows; the text can be printed."""
    for name, shown in (("/nowhere/\udcff.so", r"/nowhere/\xff.so"), ("/nowhere/库.so", "/nowhere/库.so")):
        with pytest.raises(RuntimeError) as refused:
            InferenceSession(model, provider_options=make_provider_options(runtime_library=name))
        assert shown in str(refused.value)
        str(refused.value).encode()


def test_refuses_a_name_that_the_locale_lacks_with_a_clear_error(model: Path) -> None:
    """This is a C locale, which Python only uses on demand."""
    program = (
        "import ez_rknn_async as e\n"
        "try: e.InferenceSession('模型.rknn')\n"
        "except e.RknnValueError as error: print(error)"
    )
    in_c = {
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run(
        [sys.executable, "-c", program.replace("模型", r"\u6a21\u578b")],
        env={**os.environ, **in_c},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert "cannot be a path here" in done.stdout, done.stderr
    assert "LC_ALL=C.UTF-8" in done.stdout


# ---- The kept content ----


def test_nothing_can_change_the_copy(model: Path) -> None:
    """This process cannot, nor another that opens the descriptor's path."""
    content = model.read_bytes()
    with ModelSource.of(model) as source, source.content() as path:
        descriptor = os.open(str(path), os.O_RDWR | os.O_APPEND)
        for change in (
            lambda: os.truncate(str(path), 1),
            lambda: Path(str(path)).write_bytes(b"other"),
            lambda: os.write(descriptor, b"more"),
            lambda: os.pwrite(descriptor, b"other", 0),
        ):
            with pytest.raises(PermissionError):
                change()
        os.close(descriptor)
        assert Path(str(path)).read_bytes() == content


def test_a_source_stays_open_until_its_last_holder_lets_go(model: Path) -> None:
    """An executor may outlive its session by a moment."""
    source = ModelSource.of(model)
    assert ModelSource.of(source) is source
    source.hold()
    for _ in range(2):
        source.let_go()
        with source.parsed() as parsed:
            assert parsed.target_platform == "rk3588"
    source.let_go()
    for use in (source.hold, source.parsed().__enter__, source.content().__enter__):
        with pytest.raises(RknnClosedError):
            use()


@pytest.mark.parametrize("missing", ["memfd_create", "sealing"])
def test_the_copy_has_no_name_if_memory_cannot_be_sealed(
    model: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pythons for old systems, and sandboxes, cannot seal it."""
    if missing == "memfd_create":
        monkeypatch.delattr(os, "memfd_create")
    else:

        def refuse(*_: Any) -> int:
            raise PermissionError

        monkeypatch.setattr(os, "memfd_create", refuse)
    with ModelSource.of(model) as source, source.content() as path:
        assert Path(str(path)).read_bytes() == model.read_bytes()
        assert os.stat(str(path)).st_nlink == 0


def test_keeps_the_file_itself_if_there_is_no_room_for_a_copy(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files are kept the same way."""

    def refuse(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "sendfile", refuse)
    with ModelSource.of(model) as source, source.content() as path:
        assert os.path.samefile(str(path), model)


def test_refuses_a_file_that_is_being_written(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it would be another model's."""
    file = Path(shutil.copy(model, tmp_path / "m.rknn"))
    send = os.sendfile

    def append(*arguments: int) -> int:
        file.write_bytes(b"x" * 100)
        return send(*arguments)

    monkeypatch.setattr(os, "sendfile", append)
    with pytest.raises(RknnModelError, match=r"m\.rknn' was written to while it was read"):
        ModelSource.of(file)


def test_does_not_copy_a_large_file(tmp_path: Path) -> None:
    """The file is sparse."""
    file = tmp_path / "large.rknn"
    with file.open("wb") as large:
        large.truncate(model_source.LARGEST_COPY + 1)
    with ModelSource.of(file) as source, source.content() as path:
        assert os.path.samefile(str(path), file)


def test_no_descriptor_is_a_standard_stream() -> None:
    """A daemon opens those later: the number would mean another file."""
    reading, writing = os.pipe()
    os.close(writing)
    kept = os.dup(0) if _is_open(0) else None
    os.dup2(reading, 0, inheritable=False)
    try:
        moved = above_standard_streams(0)
        assert moved > 2
        assert stat.S_ISFIFO(os.fstat(moved).st_mode)
        assert fcntl.fcntl(moved, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        assert not _is_open(0)
        os.close(moved)
    finally:
        os.close(reading)
        if kept is not None:
            os.dup2(kept, 0)
            os.close(kept)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
