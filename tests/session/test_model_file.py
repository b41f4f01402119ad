# SPDX-License-Identifier: Apache-2.0
"""The model's file after the session was opened: the loaded content runs, whatever happens to the file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnModelError, RknnTimeoutError, SessionOptions
from ez_rknn_async._contexts import model_source
from ez_rknn_async._runtime.context import Context

from ..plugins import SPOILED, build
from .conftest import feed_of
from .test_exchange import wait_until

# Two models with the same inputs and outputs, and other numbers.
MODEL, OTHER = "tiny_conv_int8", "mean_std_int8"

Event = Callable[[Path], None]
Use = Callable[[InferenceSession], None]
Open = Callable[..., InferenceSession]


@pytest.fixture
def folder(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the model and, in a folder, another of the same name."""
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(data / f"{MODEL}.rknn", tmp_path / "m.rknn")
    shutil.copy(data / f"{OTHER}.rknn", tmp_path / "elsewhere" / "m.rknn")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def open_file(folder: Path) -> Iterator[Open]:
    """Opens sessions on m.rknn, a relative path, and closes them after the test."""
    sessions: list[InferenceSession] = []

    def open_(simulator: str = "compute=on", session_options: Any = None, **options: Any) -> InferenceSession:
        provider_options = {"runtime_library": "simulator", "simulator": simulator, **options}
        sessions.append(InferenceSession("m.rknn", session_options, provider_options=provider_options))
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()


def image() -> Any:
    return np.random.default_rng(7).integers(0, 256, (1, 3, 16, 16), np.uint8)


@pytest.fixture(scope="module")
def expected(data: Path) -> Any:
    """The model's outputs; the other model's differ."""
    numbers = []
    for name in (MODEL, OTHER):
        options = {"runtime_library": "simulator", "simulator": "compute=on"}
        with InferenceSession(data / f"{name}.rknn", provider_options=options) as session:
            numbers.append(session.run(None, {"x": image()})[0])
    assert not np.array_equal(numbers[0], numbers[1])
    return numbers[0]


def delete(file: Path) -> None:
    file.unlink()


def rename(file: Path) -> None:
    file.rename("renamed.rknn")


def replace(file: Path) -> None:
    os.replace("elsewhere/m.rknn", file)


def overwrite(file: Path) -> None:
    file.write_bytes(Path("elsewhere/m.rknn").read_bytes())


def empty(file: Path) -> None:
    file.write_bytes(b"")


def change_directory(_file: Path) -> None:
    os.chdir("elsewhere")


EVENTS = [delete, rename, replace, overwrite, empty, change_directory]


# ---- Calls that open the model again ----


def send_pixels(session: InferenceSession) -> None:
    """Run with pixels; the first run opens a lane."""


def reset(session: InferenceSession) -> None:
    session.reset()


def set_providers(session: InferenceSession) -> None:
    session.set_providers(None, {"runtime_library": "simulator", "simulator": "compute=on", "io_mode": "copy"})


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("use", [send_pixels, reset, set_providers])
def test_the_session_goes_on_with_the_model_that_it_loaded(
    open_file: Open, folder: Path, expected: Any, event: Event, use: Use
) -> None:
    """Another model of that name is not used, and its absence is no error."""
    session = open_file()
    session.run(None, {"x": image().astype(np.float32)})
    event(folder / "m.rknn")
    use(session)
    assert np.array_equal(session.run(None, {"x": image()})[0], expected)


@pytest.mark.parametrize("event", EVENTS)
def test_a_replaced_worker_loads_the_original_model(
    open_file: Open, folder: Path, expected: Any, event: Event, release_hangs: Callable[[], None]
) -> None:
    """A call may hang months after the file was deleted."""
    session = open_file("compute=on,fault=rknn_run#2:hang", schedule=0, run_timeout_ms=200)
    session.run(None, {"x": image()})
    event(folder / "m.rknn")
    with pytest.raises(RknnTimeoutError):
        session.run(None, {"x": image()})
    assert np.array_equal(session.run(None, {"x": image()})[0], expected)
    release_hangs()


@pytest.mark.parametrize("event", EVENTS)
def test_measures_layers_on_the_original_model(open_file: Open, folder: Path, tmp_path: Path, event: Event) -> None:
    """When profiling ends, a separate context runs once."""
    options = SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "profile_")
    session = open_file(session_options=options, collect_perf=True)
    event(folder / "m.rknn")
    assert "ConvRelu" in Path(session.end_profiling()).read_text()


@pytest.mark.parametrize("event", [delete, replace, overwrite, change_directory])
def test_lends_the_weights_of_the_original_model(data: Path, folder: Path, event: Event) -> None:
    """The lender's file may be another by then; this includes a reset of the lender."""
    shutil.copy(data / "tiny_conv_fp16.rknn", folder / "m.rknn")
    shutil.copy(data / "mean_std_fp16.rknn", folder / "elsewhere" / "m.rknn")
    options = {"runtime_library": "simulator", "simulator": "compute=on"}
    feed = {"x": image()}
    with InferenceSession("m.rknn", provider_options=options) as lender:
        expected = lender.run(None, feed)[0]
        event(folder / "m.rknn")
        for _ in range(2):
            path = data / "without_weights_fp16.rknn"
            with InferenceSession(path, provider_options=options, use_weight_from=lender) as borrower:
                assert np.array_equal(borrower.run(None, feed)[0], expected)
                lender.reset()
                borrower.reset()
                assert np.array_equal(borrower.run(None, feed)[0], expected)


def test_custom_operators_are_those_that_were_loaded(data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path of a plug-in, or of the library, keeps the meaning that it had when the session was opened."""
    build(SPOILED, folder / "plugin.so")
    shutil.copy(data / "custom_operator_fp16.rknn", folder / "m.rknn")
    options = {"runtime_library": "simulator", "simulator": "compute=on", "custom_op_path": "./plugin.so"}
    with InferenceSession("m.rknn", provider_options=options) as session:
        feed = feed_of(session)
        expected = session.run(None, feed)[0]
        (folder / "plugin.so").unlink()
        os.chdir("elsewhere")
        monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "/nowhere/librknnrt.so")
        session.reset()
        assert np.array_equal(session.run(None, feed)[0], expected)


def test_reset_keeps_the_library_that_the_environment_named(
    data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another library in mid-life would be another NPU."""
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")
    with InferenceSession("m.rknn", provider_options={"simulator": "compute=off"}) as session:
        monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "/nowhere/librknnrt.so")
        session.reset()
        assert session.health.ok


# ---- Files that are too large to be copied ----


@pytest.fixture
def small_copy_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that makes any file too large."""
    monkeypatch.setattr(model_source, "LARGEST_COPY", 0)


@pytest.mark.usefixtures("small_copy_limit")
@pytest.mark.parametrize("event", [delete, rename, replace, change_directory])
@pytest.mark.parametrize("use", [send_pixels, reset, set_providers])
def test_a_large_file_may_be_deleted_moved_and_replaced(
    open_file: Open, folder: Path, expected: Any, event: Event, use: Use
) -> None:
    """It is kept open, which costs no memory."""
    test_the_session_goes_on_with_the_model_that_it_loaded(open_file, folder, expected, event, use)


@pytest.mark.usefixtures("small_copy_limit")
@pytest.mark.parametrize("event", [overwrite, empty])
def test_refuses_an_overwritten_large_file_by_name(open_file: Open, folder: Path, event: Event) -> None:
    """Every later read of it fails; the loaded model still runs."""
    session = open_file()
    before = session.run(None, {"x": image().astype(np.float32)})[0]
    event(folder / "m.rknn")
    for again in (session.reset, lambda: set_providers(session), lambda: session.run(None, {"x": image()})):
        with pytest.raises(RknnModelError, match=r"'m\.rknn' was overwritten in place.*by renaming"):
            again()
    assert np.array_equal(session.run(None, {"x": image().astype(np.float32)})[0], before)


@pytest.mark.usefixtures("small_copy_limit")
def test_refuses_a_large_file_that_is_overwritten_during_loading(
    open_file: Open, folder: Path, monkeypatch: pytest.MonkeyPatch, living_contexts: Callable[[], int]
) -> None:
    """The context that read parts of both is destroyed."""
    session, opened = open_file(), Context.open.__func__  # type: ignore[attr-defined]
    before = living_contexts()

    def open_and_overwrite(*arguments: Any, **keywords: Any) -> Context:
        context: Context = opened(Context, *arguments, **keywords)
        overwrite(folder / "m.rknn")
        return context

    monkeypatch.setattr(Context, "open", open_and_overwrite)
    with pytest.raises(RknnModelError, match="overwritten in place"):
        session.reset()
    wait_until(lambda: living_contexts() == before)


@pytest.mark.usefixtures("small_copy_limit")
def test_a_worker_that_cannot_be_replaced_names_the_file(
    open_file: Open, folder: Path, release_hangs: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The device is not to blame."""
    session = open_file("compute=on,fault=rknn_run#2:hang", schedule=0, run_timeout_ms=200)
    session.run(None, {"x": image()})
    overwrite(folder / "m.rknn")
    with pytest.raises(RknnTimeoutError):
        session.run(None, {"x": image()})
    wait_until(lambda: session.health.workers[0].state == "lost")
    assert "'m.rknn' was overwritten in place" in caplog.text
    with pytest.raises(RknnModelError, match=r"'m\.rknn' was overwritten in place"):
        session.reset()
    release_hangs()


# ---- The model file that the runtime library gets ----


@pytest.fixture
def loaded_from(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The argument of each context's rknn_init, with the file's content at that moment."""
    seen: list[Any] = []
    opened = Context.open.__func__  # type: ignore[attr-defined]

    def open_(library: Any, model: Any, *arguments: Any, **keywords: Any) -> Context:
        seen.append((model, Path(model).read_bytes() if isinstance(model, str) else bytes(model)))
        context: Context = opened(Context, library, model, *arguments, **keywords)
        return context

    monkeypatch.setattr(Context, "open", open_)
    return seen


@pytest.mark.parametrize("largest", [0, model_source.LARGEST_COPY])
def test_the_library_gets_a_path_that_exists_when_the_file_is_gone(
    open_file: Open, folder: Path, loaded_from: list[Any], largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any library opens it with open() and fopen(), from its beginning each time."""
    monkeypatch.setattr(model_source, "LARGEST_COPY", largest)
    content = (folder / "m.rknn").read_bytes()
    session = open_file("compute=off")
    session.run(None, {"x": image().astype(np.float32)})
    delete(folder / "m.rknn")
    session.run(None, {"x": image()})
    session.reset()
    assert len(loaded_from) >= 3
    assert all(isinstance(model, str) and read == content for model, read in loaded_from)


def test_the_library_gets_bytes_as_a_file_too(folder: Path, loaded_from: list[Any]) -> None:
    """There is one mechanism for all, and a caller who changes the buffer changes nothing."""
    content = bytearray((folder / "m.rknn").read_bytes())
    options = {"runtime_library": "simulator", "simulator": "compute=off"}
    with InferenceSession(content, provider_options=options) as session:
        original = bytes(content)
        content[:] = bytes(len(content))
        session.reset()
    assert all(isinstance(model, str) and read == original for model, read in loaded_from)


def test_the_library_gets_the_content_without_proc(
    open_file: Open, folder: Path, expected: Any, loaded_from: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """/proc may be missing in a chroot or a container."""
    monkeypatch.setattr(model_source, "OPEN_FILES", "/nowhere")
    content = (folder / "m.rknn").read_bytes()
    session = open_file()
    delete(folder / "m.rknn")
    session.reset()
    assert np.array_equal(session.run(None, {"x": image()})[0], expected)
    assert all(isinstance(model, memoryview) and read == content for model, read in loaded_from)


# ---- Descriptors ----


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_the_number_of_descriptors_stays_flat_over_many_sessions(folder: Path) -> None:
    """Sessions are closed, reset, dropped, or never opened because the model is damaged."""
    options = {"runtime_library": "simulator", "simulator": "compute=off"}
    content = (folder / "m.rknn").read_bytes()
    (folder / "damaged.rknn").write_bytes(content[:-1])

    def sessions(count: int) -> None:
        for number in range(count):
            session = InferenceSession("m.rknn" if number % 2 else content, provider_options=options)
            if number % 3 == 0:
                session.reset()
            if number % 5:
                session.close()
            del session
            with pytest.raises(RknnModelError):
                InferenceSession("damaged.rknn", provider_options=options)

    sessions(10)
    before = descriptors()
    sessions(200)
    assert descriptors() == before


def model_descriptors() -> list[int]:
    """Return the descriptors of models that sessions keep."""
    links = [path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return [int(path.name) for path in links if "ez_rknn_model" in os.readlink(path)]


def test_a_session_keeps_one_descriptor(open_file: Open) -> None:
    """A reset adds none; a program that exec() starts does not inherit it."""
    session = open_file("compute=off")
    (number,) = model_descriptors()
    assert not os.get_inheritable(number)
    session.reset()
    assert model_descriptors() == [number]
    session.close()
    assert model_descriptors() == []


def test_notices_that_the_program_closed_a_descriptor(open_file: Open, folder: Path) -> None:
    """Daemons close unknown descriptors; the number is soon another file's."""
    session = open_file("compute=off")
    (number,) = model_descriptors()
    other = os.open("elsewhere/m.rknn", os.O_RDONLY)
    os.dup2(other, number)
    os.close(other)
    with pytest.raises(RknnModelError, match=rf"'m\.rknn' was opened as file descriptor {number}, which the program"):
        session.reset()
    session.close()
    os.close(number)  # it is still the program's
