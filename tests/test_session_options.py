# SPDX-License-Identifier: Apache-2.0
"""SessionOptions and RunOptions: ONNX Runtime's names, and the errors for wrong ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ez_rknn_async import (
    ExecutionMode,
    GraphOptimizationLevel,
    RknnError,
    RunOptions,
    SessionOptions,
    set_default_logger_severity,
)
from ez_rknn_async._options.run_options import RunSettings
from ez_rknn_async._tensors.outputs import Choice

onnxruntime = pytest.importorskip("onnxruntime")

# ONNX Runtime's methods for a graph before compilation, which for an .rknn file is over.
COMPILATION = {
    "add_external_initializers",
    "add_external_initializers_from_files_in_memory",
    "add_initializer",
    "add_provider",
    "add_provider_for_devices",
    "clear_ep_context_data_read_func",
    "has_providers",
    "set_ep_context_data_read_func",
    "set_load_cancellation_flag",
    "set_provider_selection_policy",
    "set_provider_selection_policy_delegate",
}


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The package's logger, whose level is restored afterwards."""
    package = logging.getLogger("ez_rknn_async")
    level = package.level
    yield package
    package.setLevel(level)


def public(class_: type) -> set[str]:
    return {name for name in dir(class_) if not name.startswith("_")}


def test_every_option_of_onnx_runtime_has_its_name_here() -> None:
    """Exceptions are those that take part in compiling a graph, and LoRA adapters."""
    assert public(onnxruntime.SessionOptions) - public(SessionOptions) <= COMPILATION
    assert public(onnxruntime.RunOptions) - public(RunOptions) <= {"add_active_adapter"}


@pytest.mark.parametrize("class_", [SessionOptions, RunOptions])
def test_the_defaults_are_onnx_runtimes(class_: Any) -> None:
    """The name of the profile differs, as it names its author."""
    theirs = getattr(onnxruntime, class_.__name__)()
    for name in set(class_.names()) & public(type(theirs)) - {"profile_file_prefix"}:
        assert int(getattr(class_(), name) or 0) == int(getattr(theirs, name) or 0), name


def test_keeps_and_logs_options_without_meaning_on_an_npu(caplog: pytest.LogCaptureFixture) -> None:
    """They are logged at debug level: programs set these out of habit."""
    options = SessionOptions()
    with caplog.at_level(logging.DEBUG, "ez_rknn_async"):
        options.intra_op_num_threads = 4
        options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
        options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    assert options.intra_op_num_threads == 4
    assert options.execution_mode is ExecutionMode.ORT_PARALLEL
    assert [r.levelno for r in caplog.records] == [logging.DEBUG] * 3
    assert "SessionOptions.intra_op_num_threads=4 means nothing on an NPU" in caplog.text


@pytest.mark.parametrize(
    ("options", "name", "meant"),
    [
        (SessionOptions(), "enable_profilling", "enable_profiling"),
        (SessionOptions(), "intra_op_threads", "intra_op_num_threads"),
        (RunOptions(), "log_severity", "log_severity_level"),
    ],
)
def test_refuses_an_unknown_attribute_and_suggests_the_nearest_name(options: Any, name: str, meant: str) -> None:
    """A plain object would silently lose it, set or read."""
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'; did you mean '{meant}'"):
        setattr(options, name, 1)
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
        getattr(options, name)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("enable_profiling", "yes", TypeError),
        ("profile_file_prefix", 3, TypeError),
        ("intra_op_num_threads", "4", TypeError),
        ("graph_optimization_level", 7, ValueError),
    ],
)
def test_refuses_a_value_of_the_wrong_kind(name: str, value: Any, error: type[Exception]) -> None:
    """The error comes at once, at the place of the mistake."""
    with pytest.raises(error, match=f"SessionOptions.{name}"):
        setattr(SessionOptions(), name, value)


def test_accepts_onnx_runtimes_own_options() -> None:
    """A program may pass the objects that it has."""
    theirs = onnxruntime.SessionOptions()
    theirs.enable_profiling, theirs.logid = True, "mine"
    options = SessionOptions.of(theirs)
    assert (options.enable_profiling, options.logid) == (True, "mine")
    mine = SessionOptions()
    assert SessionOptions.of(mine) is mine
    with pytest.raises(TypeError, match="takes a SessionOptions"):
        SessionOptions.of({"enable_profiling": True})  # type: ignore[arg-type]


def test_keeps_config_entries() -> None:
    """A missing one is a RuntimeError, as in ONNX Runtime."""
    options = SessionOptions()
    options.add_session_config_entry("session.load_model_format", "ORT")
    options.add_free_dimension_override_by_name("batch", 1)
    options.add_free_dimension_override_by_denotation("DATA_BATCH", 1)
    assert options.get_session_config_entry("session.load_model_format") == "ORT"
    for missing in (options.get_session_config_entry, RunOptions().get_run_config_entry):
        with pytest.raises(RuntimeError, match="does not have configuration with key: other"):
            missing("other")


def test_refuses_operators_of_onnx_runtime_and_names_the_right_option() -> None:
    """A plug-in for the NPU's runtime is different."""
    with pytest.raises(RknnError, match="custom_op_path"):
        SessionOptions().register_custom_ops_library("ops.so")


@pytest.mark.parametrize("value", [True, 1, "1", "true", "ON", " yes "])
def test_batch_dispatch_may_be_requested_in_every_documented_way(value: Any) -> None:
    """A dictionary, RunOptions and ONNX Runtime's RunOptions all work."""
    assert RunSettings.of({"ztu_modelrt_dispatch_batch": value}).dispatch_batch
    for options in (RunOptions(), onnxruntime.RunOptions()):
        options.add_run_config_entry("ztu_modelrt_dispatch_batch", str(value))
        assert RunSettings.of(options).dispatch_batch


@pytest.mark.parametrize(
    "options", [None, {}, RunOptions(), onnxruntime.RunOptions(), {"ztu_modelrt_dispatch_batch": "off"}]
)
def test_the_session_decides_without_run_options(options: Any) -> None:
    """There is no batch dispatch, and its options determine the outputs."""
    assert RunSettings.of(options) == RunSettings(dispatch_batch=False, outputs=Choice(None, None))


@pytest.mark.parametrize(("value", "native"), [("native", True), ("float32", False)])
def test_one_call_can_choose_the_type_of_its_outputs(value: str, native: bool) -> None:
    """The session's option is only the default."""
    options = RunOptions()
    options.add_run_config_entry("output_dtype", value)
    assert RunSettings.of(options).outputs.native is native


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ztu_modelrt_dispatch_batc": 1}, "did you mean 'ztu_modelrt_dispatch_batch'"),
        ({"output_type": "native"}, "did you mean 'output_dtype'"),
        ({"output_dtype": "int8"}, "'int8' is not one of float32, native"),
        ({"output_layout": "hwc"}, "'hwc' is not one of nchw, original, nhwc"),
        ({"ztu_modelrt_dispatch_batch": "maybe"}, "True or False"),
        ([], "takes a dictionary or a RunOptions"),
    ],
)
def test_refuses_a_wrong_run_option_with_a_clear_error(options: Any, message: str) -> None:
    """It is refused before the feed is looked at."""
    with pytest.raises((ValueError, TypeError), match=message):
        RunSettings.of(options)


def test_logs_entries_for_another_provider(caplog: pytest.LogCaptureFixture) -> None:
    """Programs that run on several keep theirs."""
    with caplog.at_level(logging.DEBUG, "ez_rknn_async"):
        assert RunSettings.of({"memory.enable_memory_arena_shrinkage": "cpu:0"}) == RunSettings()
    assert "memory.enable_memory_arena_shrinkage means nothing on an NPU" in caplog.text


@pytest.mark.parametrize(("severity", "level"), list(enumerate(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])))
def test_onnx_runtimes_severities_are_levels_of_logging(severity: int, level: str, logger: logging.Logger) -> None:
    """They go from 0, everything, to 4, fatal only."""
    set_default_logger_severity(severity)
    assert logging.getLevelName(logger.level) == level


def test_refuses_an_unknown_severity(logger: logging.Logger) -> None:
    """The error lists the known ones."""
    with pytest.raises(ValueError, match=r"0 \(verbose\)"):
        set_default_logger_severity(5)
