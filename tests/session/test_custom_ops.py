# SPDX-License-Identifier: Apache-2.0
"""Custom operators: plug-ins are loaded, checked, and registered with every context of a session."""

from __future__ import annotations

import ctypes
import logging
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnError, RknnModelError, RknnValueError
from ez_rknn_async import SessionOptions as Options
from ez_rknn_async._contexts import custom_ops
from ez_rknn_async._runtime import library as runtime
from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.library import Library
from ez_rknn_async.model.format.graph import Node

from ..plugins import EXAMPLES, SPOILED, build
from ..simulator.recordings import recording
from ..simulator.zoo import cosine
from .conftest import OpenSession, feed_of

INIT, PREPARE, COMPUTE, DESTROY = range(4)  # as the plug-in counts them

Build = Callable[..., str]


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The plug-ins of examples/custom_operators."""
    folder = tmp_path_factory.mktemp("examples")
    return [str(build(EXAMPLES / f"{name}.c", folder / f"librkcst_{name}.so")) for name in ("blend", "double")]


@pytest.fixture
def spoiled(tmp_path: Path) -> Build:
    """Builds a plug-in for cstDouble that the macros spoil."""

    def build_(*macros: str, name: str = "plugin.so") -> str:
        return str(build(SPOILED, tmp_path / name, *(f"-D{macro}" for macro in macros)))

    return build_


def calls_of(plugin: str) -> list[int]:
    """Return the number of calls of each function of the plug-in."""
    return list((ctypes.c_int * 4).in_dll(ctypes.CDLL(plugin), "plugin_calls"))


@pytest.mark.parametrize("name", ["custom_blend_fp16", "custom_blend_int8", "custom_operator_fp16"])
@pytest.mark.parametrize("schedule", [0, [0, 1, 2]])
def test_a_plug_in_computes_what_the_official_simulator_got_in_python(
    open_session: OpenSession, examples: list[str], name: str, schedule: Any
) -> None:
    """It is in C, inside a real model, with attributes, on every core, and together with several workers."""
    model = recording(name)
    session = open_session(name, "compute=on", schedule=schedule, threads_per_core=2, custom_op_paths=examples)
    ((inputs, (expected,)),) = model.cases()
    zeros = [np.zeros_like(values) for values in inputs]
    for feed in (zeros, inputs, inputs, zeros, inputs, inputs):  # every context, and no earlier results
        (result,) = session.run(None, feed)
        if feed is inputs:
            assert cosine(result, expected) >= model.cosine
    futures = [session.submit(inputs) for _ in range(12)]
    assert all(cosine(future.result()[0], expected) >= model.cosine for future in futures)


def test_every_context_has_the_operators_before_it_runs(
    open_session: OpenSession, spoiled: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It registers and releases them once; contexts are loaded and not duplicated, because a duplicate would have
    none."""
    monkeypatch.setattr(Context, "duplicate", None)
    plugin = spoiled()
    session = open_session("custom_operator_fp16", "compute=on", schedule=[0, 1, 2], custom_op_path=plugin)
    assert calls_of(plugin) == [3, 0, 0, 0]
    for _ in range(6):
        session.run(None, feed_of(session))
    assert calls_of(plugin) == [3, 6, 6, 0]
    session.close()
    assert calls_of(plugin) == [3, 6, 6, 3]


def test_a_replaced_worker_has_the_operators_too(
    open_session: OpenSession, spoiled: Build, release_hangs: Callable[[], None]
) -> None:
    """Its context is a new one."""
    plugin = spoiled()
    session = open_session(
        "custom_operator_fp16",
        "compute=on,fault=rknn_run#1:hang",
        schedule=0,
        custom_op_path=plugin,
        run_timeout_ms=100,
    )
    with pytest.raises(TimeoutError):
        session.run(None, feed_of(session))
    session.run(None, feed_of(session))
    assert calls_of(plugin)[:3] == [2, 1, 1]
    release_hangs()
    session.close()
    assert calls_of(plugin)[DESTROY] == 2


def test_the_table_of_layers_is_measured_with_the_operators(
    open_session: OpenSession, spoiled: Build, data: Path, tmp_path: Path
) -> None:
    """The profile's own context runs the model as well."""
    plugin = spoiled()
    options = Options()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile_")
    with InferenceSession(
        data / "custom_operator_fp16.rknn",
        options,
        provider_options={"runtime_library": "simulator", "custom_op_path": plugin, "collect_perf": True},
    ) as session:
        session.run(None, feed_of(session))
        assert "cstDouble" in Path(session.end_profiling()).read_text()
    assert calls_of(plugin) == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("macros", "why"),
    [
        (["NO_ENTRY"], "does not export get_rknn_custom_op"),
        (["RETURNS_NULL"], "returned NULL"),
        (["NO_TYPE"], "op_type of its custom operator is empty"),
        (["LONG_TYPE"], "op_type of its custom operator is too long"),
        (["NO_COMPUTE"], "cstDouble has no function compute"),
        (["TARGET=7"], r"for target 7; the targets are CPU \(1\) and GPU \(2\)"),
    ],
)
def test_refuses_an_invalid_plug_in_with_a_clear_error(
    open_session: OpenSession, spoiled: Build, macros: list[str], why: str
) -> None:
    """The error has its path, and comes before a context is created."""
    plugin = spoiled(*macros)
    with pytest.raises(RknnValueError, match=why) as refused:
        open_session("custom_operator_fp16", custom_op_path=plugin)
    assert plugin in str(refused.value)


def test_refuses_a_file_that_is_not_a_library(open_session: OpenSession, spoiled: Build, tmp_path: Path) -> None:
    """It may be a typing error, the wrong file, or a plug-in that needs a missing library."""
    with pytest.raises(RknnValueError, match="there is no such file"):
        open_session("custom_operator_fp16", custom_op_path=tmp_path / "nowhere.so")
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(RknnValueError, match=r"text\.so.* cannot be loaded"):
        open_session("custom_operator_fp16", custom_op_path=tmp_path / "text.so")
    plugin = linked_to_the_vendors(spoiled, tmp_path)
    with pytest.raises(RknnValueError, match="without -lrknnrt"):
        open_session("custom_operator_fp16", custom_op_path=plugin)


def linked_to_the_vendors(spoiled: Build, folder: Path) -> str:
    """Build a plug-in that names librknnrt.so, beside a library of that name which is gone afterwards."""
    runtime_library = build(SPOILED, folder / "librknnrt.so", "-Wl,-soname,librknnrt.so")
    plugin = build(SPOILED, folder / "linked.so", "-Wl,--no-as-needed", str(runtime_library))
    runtime_library.unlink()
    return str(plugin)


def test_refuses_one_operator_from_two_plug_ins(open_session: OpenSession, spoiled: Build) -> None:
    """The runtime's choice would be unknown; versions of one operator may stand side by side."""
    first, second = spoiled(name="first.so"), spoiled(name="second.so")
    with pytest.raises(RknnValueError, match=r"cstDouble version 1 for the CPU is brought twice: .*first.*second"):
        open_session("custom_operator_fp16", custom_op_paths=[first, second])
    newer = spoiled("VERSION=2", name="newer.so")
    session = open_session("custom_operator_fp16", "compute=on", custom_op_paths=[first, newer])
    session.run(None, feed_of(session))
    assert (calls_of(first)[COMPUTE], calls_of(newer)[COMPUTE]) == (0, 1)


def test_a_refusal_by_the_runtime_leaves_nothing_open(open_session: OpenSession, spoiled: Build) -> None:
    """One operator is for a missing GPU; the init of another fails in the last of three contexts."""
    with pytest.raises(RknnError, match="for the GPU") as refused:
        open_session("custom_operator_fp16", custom_op_path=spoiled("TARGET=2"))
    assert refused.value.call == "rknn_register_custom_ops"
    failing = spoiled("INIT=plugin_calls[0]==3?-9:0", name="failing.so")
    with pytest.raises(RknnError, match=r"init of the custom operator cstDouble \(\w+\) returned -9"):
        open_session("custom_operator_fp16", schedule=[0, 1, 2], custom_op_path=failing)
    assert calls_of(failing) == [3, 0, 0, 2]


@pytest.mark.parametrize(("function", "code"), [("PREPARE", -4), ("COMPUTE", -5)])
def test_a_failing_function_fails_the_run(open_session: OpenSession, spoiled: Build, function: str, code: int) -> None:
    """The error says why; the session goes on."""
    failing = spoiled(f"{function}=plugin_calls[1]==1?{code}:0")
    session = open_session("custom_operator_fp16", "compute=on", custom_op_path=failing)
    with pytest.raises(RknnError, match=rf"{function.lower()} of the custom operator cstDouble .* returned {code}"):
        session.run(None, feed_of(session))
    session.run(None, feed_of(session))


def test_names_operators_for_which_there_is_no_plug_in(
    open_session: OpenSession, spoiled: Build, caplog: pytest.LogCaptureFixture
) -> None:
    """Opening the session warns, and running it fails; without computing, to try schedules, it needs none."""
    with caplog.at_level(logging.WARNING, "ez_rknn_async"):
        session = open_session("custom_blend_fp16", "compute=on", custom_op_path=spoiled())
    assert "no plug-in brings: cstBlend;" in caplog.text
    with pytest.raises(RknnError, match="not registered with this context: cstBlend;"):
        session.run(None, feed_of(session))
    session = open_session("custom_blend_fp16", "compute=off")
    session.run(None, feed_of(session))


def test_refuses_a_runtime_without_custom_operators(
    open_session: OpenSession, spoiled: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 1.5.2 has none, and ends the process when it meets one."""
    has = Library.has
    monkeypatch.setattr(Library, "has", lambda self, name: name != custom_ops.REGISTER and has(self, name))
    with pytest.raises(RknnError, match="cannot have custom operators"):
        open_session("tiny_conv_int8", custom_op_path=spoiled())
    with pytest.raises(RknnModelError, match=r"custom operators \(cstDouble\)"):
        open_session("custom_operator_fp16")
    open_session("tiny_conv_int8")


def test_plug_ins_see_the_functions_of_one_runtime_only(
    open_session: OpenSession, spoiled: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plug-in that asked another library for its attributes would read that library's memory."""
    other = Library(open_session("tiny_conv_int8")._deployment.executor.library.path)
    monkeypatch.setattr(runtime, "_visible", [other])
    with pytest.raises(RknnValueError, match="need a process of their own"):
        open_session("custom_operator_fp16", custom_op_path=spoiled())


@pytest.fixture
def default_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A substitute for the directory of the system's plug-ins."""
    folder = tmp_path / "op_plugins"
    monkeypatch.setattr(custom_ops, "DEFAULT_DIRECTORY", folder)
    return folder


def test_the_systems_directory_may_be_missing(open_session: OpenSession, default_directory: Path) -> None:
    """Opening the session warns; models without custom operators run."""
    with pytest.warns(UserWarning, match="there is no directory") as warned:
        session = open_session("tiny_conv_int8", custom_op_default_path=True)
    assert warned[0].filename == str(Path(__file__).with_name("conftest.py"))
    session.run(None, feed_of(session))
    default_directory.mkdir()
    open_session("tiny_conv_int8", custom_op_default_path=True)  # an empty one needs no warning


def test_skips_a_bad_plug_in_of_the_system(
    open_session: OpenSession, spoiled: Build, default_directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are loaded; the user's plug-ins come first; other names are not looked at."""
    mine = spoiled()
    good = spoiled(name="op_plugins/librkcst_good.so")
    spoiled("NO_ENTRY", name="op_plugins/librkcst_bad.so")
    spoiled("NO_ENTRY", name="op_plugins/unrelated.so")
    with pytest.warns(UserWarning, match=r"is left out: .*librkcst_bad\.so") as warned:
        session = open_session("custom_operator_fp16", "compute=on", custom_op_default_path=True)
    assert len(warned) == 1
    assert "librkcst_bad.so" in caplog.text
    session.run(None, feed_of(session))
    assert calls_of(good) == [1, 1, 1, 0]
    with pytest.warns(UserWarning, match="is left out") as warned:
        session = open_session("custom_operator_fp16", "compute=on", custom_op_default_path=True, custom_op_path=mine)
    assert [f"librkcst_{name}.so" in str(one.message) for one, name in zip(warned, ("bad", "good"))] == [True, True]
    session.run(None, feed_of(session))
    assert (calls_of(good)[COMPUTE], calls_of(mine)[COMPUTE]) == (1, 1)


def test_reloads_a_mended_plug_in(open_session: OpenSession, spoiled: Build) -> None:
    """In a notebook, the process that has seen the bad one goes on."""
    with pytest.raises(RknnValueError, match="no function compute"):
        open_session("custom_operator_fp16", custom_op_path=spoiled("NO_COMPUTE"))
    session = open_session("custom_operator_fp16", "compute=on", custom_op_path=spoiled())
    session.run(None, feed_of(session))


def test_the_compiler_and_the_parser_agree_on_custom_operators() -> None:
    """The first letters of the type decide: the compiler accepts no other names."""
    node = Node(0, "cstDouble", "", False, (), (), {}, (), ())
    assert node.is_custom
    assert not Node(0, "Cast", "", False, (), (), {}, (), ()).is_custom
