# SPDX-License-Identifier: Apache-2.0
"""What programs reach for behind RKNNLite's back: ``rknn_runtime``, and through ctypes its library and context."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ez_rknn_async import RknnClosedError, RknnError, RknnValueError
from ez_rknn_async.compat.rknnlite import RKNNLite, RKNNRuntime
from ez_rknn_async.compat.rknnlite.tensor_attr import RKNNTensorAttr

from .conftest import OpenLite, OpenSession
from .test_inference import assert_equal, feed_of

IN_OUT_NUM, OUTPUT_ATTR, CUSTOM_STRING = 0, 2, 7


class Counts(ctypes.Structure):
    _fields_ = (("inputs", ctypes.c_uint32), ("outputs", ctypes.c_uint32))


class Text(ctypes.Structure):
    _fields_ = (("string", ctypes.c_char * 1024),)


class Output(ctypes.Structure):
    _fields_ = (
        ("want_float", ctypes.c_uint8),
        ("is_prealloc", ctypes.c_uint8),
        ("index", ctypes.c_uint32),
        ("buf", ctypes.c_void_p),
        ("size", ctypes.c_uint32),
    )


class Client:
    """A program that takes the library and a context from an object, and goes on by itself."""

    def __init__(self, lite: RKNNLite, context: int | None = None) -> None:
        assert lite.rknn_runtime is not None
        self.runtime = lite.rknn_runtime
        self.lib = self.runtime.lib
        self.context = ctypes.c_uint64(context or self.runtime.context or 0)

    def query(self, command: int, answer: Any) -> Any:
        assert self.lib.rknn_query(self.context, command, ctypes.byref(answer), ctypes.sizeof(answer)) == 0
        return answer

    def outputs(self) -> list[NDArray[Any]]:
        """Fetched into memory of the runtime's own, copied, and given back."""
        count = self.query(IN_OUT_NUM, Counts()).outputs
        attributes = [self.query(OUTPUT_ATTR, RKNNTensorAttr(index=index)) for index in range(count)]
        outputs = (Output * count)(*(Output(want_float=1, index=index) for index in range(count)))
        assert self.lib.rknn_outputs_get(self.context, count, outputs, None) == 0
        arrays = [
            np.ctypeslib.as_array(ctypes.cast(output.buf, ctypes.POINTER(ctypes.c_float)), (attribute.n_elems,))
            .reshape(attribute.dims[: attribute.n_dims])
            .copy()
            for output, attribute in zip(outputs, attributes)
        ]
        assert self.lib.rknn_outputs_release(self.context, count, outputs) == 0
        return arrays


def test_a_ctypes_client_fetches_outputs_itself(open_lite: OpenLite, open_session: OpenSession) -> None:
    """Inputs are set and run here, and what it reads from the context is that run."""
    lite, session = open_lite("mean_std_int8", core_mask=RKNNLite.NPU_CORE_1), open_session("mean_std_int8")
    client = Client(lite)
    for seed in range(3):
        feed = feed_of(session, "uint8", seed)
        assert client.runtime.set_inputs(feed, None, "nhwc") == 0
        assert client.runtime.run(False) == 0
        assert_equal(client.outputs(), session.run(None, feed))
        assert_equal(client.runtime.get_outputs(), session.run(None, feed))


def test_inferences_run_on_the_context_that_was_taken(
    open_lite: OpenLite, open_session: OpenSession, runs_by_core: Callable[[], list[int]]
) -> None:
    """Also those by inference(), before and after; and on the cores that the program gave it."""
    lite, session = open_lite(core_mask=RKNNLite.NPU_CORE_0), open_session()
    feeds = [feed_of(session, "uint8", seed) for seed in range(2)]
    expected = [session.run(None, feed) for feed in feeds]
    assert_equal(lite.inference(feeds[1]), expected[1])
    client, before = Client(lite), runs_by_core()
    assert client.lib.rknn_set_core_mask(client.context, RKNNLite.NPU_CORE_2) == 0
    for feed, outputs in zip(feeds, expected):
        assert_equal(lite.inference(feed), outputs)
        assert_equal(client.outputs(), outputs)
    assert [now - then for now, then in zip(runs_by_core(), before)] == [0, 0, 2]


def test_looking_at_tensors_takes_no_context(open_lite: OpenLite, calls_of: Callable[[str], int]) -> None:
    """Inferences stay direct: nothing is copied by the runtime."""
    lite = open_lite(core_mask=1)
    assert lite.rknn_runtime is not None
    lite.rknn_runtime.get_in_out_num()
    lite.rknn_runtime.get_tensor_attr(0)
    lite.rknn_runtime.get_sdk_version()
    copied = calls_of("rknn_inputs_set")
    assert lite.inference([np.zeros((1, 16, 16, 3), np.uint8)]) is not None
    assert calls_of("rknn_inputs_set") == copied


@pytest.mark.usefixtures("compute_off")
def test_tensors_are_described_as_by_the_runtime(open_lite: OpenLite) -> None:
    """Names are bytes; an image that goes in is NHWC, and comes out NCHW."""
    lite = open_lite("tiny_conv_int8")
    client = Client(lite)
    assert client.runtime.get_in_out_num() == (1, 1)
    given, taken = client.runtime.get_tensor_attr(0), client.runtime.get_tensor_attr(0, is_output=True)
    assert (given.name, given.dims[: given.n_dims], given.fmt, given.type) == (b"x", [1, 16, 16, 3], 1, 2)
    assert (taken.name, taken.dims[: taken.n_dims], taken.fmt) == (b"y", [1, 8, 16, 16], 0)
    asked = client.query(OUTPUT_ATTR, RKNNTensorAttr(index=0))
    assert bytes(asked) == bytes(taken)
    with pytest.raises(RknnValueError, match="no input 1"):
        client.runtime.get_tensor_attr(1)


@pytest.mark.usefixtures("compute_off")
def test_the_custom_string_is_read(open_lite: OpenLite) -> None:
    """As the author of the model wrote it."""
    lite = open_lite("custom_string_fp16")
    assert lite.rknn_runtime is not None
    assert lite.rknn_runtime.is_dynamic_shape is False
    assert Client(lite).query(CUSTOM_STRING, Text()).string


@pytest.mark.usefixtures("compute_off")
def test_versions_are_a_triple(open_lite: OpenLite) -> None:
    """The text, and what is in it."""
    lite = open_lite()
    assert lite.rknn_runtime is not None
    text, api, driver = lite.rknn_runtime.get_sdk_version()
    assert text == lite.get_sdk_version()
    assert api in text
    assert driver in text


def duplicate(lite: RKNNLite, mask: int) -> RKNNLite:
    """One more object, on a duplicate of the context of another one, as programs share weights."""
    base, copied = Client(lite), ctypes.c_uint64()
    assert base.lib.rknn_dup_context(ctypes.byref(base.context), ctypes.byref(copied)) == 0
    assert base.lib.rknn_set_core_mask(copied, mask) == 0
    other = RKNNLite()
    other.rknn_runtime = RKNNRuntime(
        root_dir=lite.root_dir, target=None, device_id=None, async_mode=False, core_mask=mask
    )
    other.rknn_runtime.context = copied.value
    return other


def test_objects_on_duplicated_contexts(
    open_lite: OpenLite, open_session: OpenSession, runs_by_core: Callable[[], list[int]]
) -> None:
    """Each runs on its own context, on its own core, and gives it back."""
    lite, session = open_lite("block_int8", core_mask=1), open_session("block_int8")
    feed = feed_of(session, "uint8")
    expected, before = session.run(None, feed), runs_by_core()
    objects = [lite, duplicate(lite, 2), duplicate(lite, 4)]
    with ThreadPoolExecutor(3) as threads:
        for outputs in threads.map(lambda each: each.inference(feed), objects):
            assert_equal(outputs, expected)
    assert [now - then for now, then in zip(runs_by_core(), before)] == [1, 1, 1]
    assert objects[1].get_sdk_version() == lite.get_sdk_version()
    for each in reversed(objects):
        assert each.release() == 0


@pytest.mark.usefixtures("compute_off")
def test_what_the_runtime_may_get_wrong_is_warned_of(open_lite: OpenLite, caplog: pytest.LogCaptureFixture) -> None:
    """On a duplicate, whose file is not known, and with it the means of its channels."""
    duplicate(open_lite("conv_c5_int8"), 2).release()
    duplicate(open_lite("conv_c4_int8"), 2).release()
    assert [r.levelname for r in caplog.records if "beyond the fourth" in r.getMessage()] == ["WARNING"]


def test_pixels_and_floats_do_not_mix_on_one_context(
    open_lite: OpenLite, open_session: OpenSession, caplog: pytest.LogCaptureFixture
) -> None:
    """Rockchip's runtime would normalise the floats as if they were pixels; other objects take both."""
    lite, session = open_lite(), open_session()
    pixels, floats = feed_of(session, "uint8"), feed_of(session, "float32")
    Client(lite)
    assert_equal(lite.inference(floats), session.run(None, floats))
    assert_equal(lite.inference(pixels), session.run(None, pixels))
    assert lite.inference(floats) is None
    assert "was given uint8 pixels before" in caplog.text


def test_shapes_that_change_on_a_context_that_was_taken(open_lite: OpenLite, open_session: OpenSession) -> None:
    """Outputs are those of the last run, or refused."""
    lite, session = open_lite("dynamic_fp16"), open_session("dynamic_fp16")
    runtime = Client(lite).runtime
    assert runtime.is_dynamic_shape
    generator = np.random.default_rng(3)
    feeds = [[generator.random(s, np.float32) for s in shapes.values()] for shapes in session.get_input_shapes()]
    for feed in feeds:
        assert_equal(lite.inference(feed), session.run(None, feed))
    runtime.set_inputs(feeds[0])
    with pytest.raises(RknnError, match="inputs of other shapes were set since"):
        runtime.get_outputs()


def run_behind(runtime: RKNNRuntime, feeds: Sequence[list[Any]]) -> list[Any]:
    """A loop that fetches outputs and sets the next inputs at once, on two threads."""
    results = []
    with ThreadPoolExecutor(2) as threads:
        runtime.set_inputs(feeds[0], None, ["nhwc"], inputs_pass_through=None)
        for following in [*feeds[1:], feeds[0]]:
            runtime.run(False)
            fetched = threads.submit(runtime.get_outputs, False)
            threads.submit(runtime.set_inputs, following, None, ["nhwc"]).result()
            results.append(fetched.result())
    return results


def test_outputs_are_fetched_while_the_next_inputs_are_set(open_lite: OpenLite, open_session: OpenSession) -> None:
    """As programs for cameras do."""
    lite, session = open_lite(async_mode=True), open_session()
    assert lite.rknn_runtime is not None
    feeds = [feed_of(session, "uint8", seed) for seed in range(6)]
    for outputs, feed in zip(run_behind(lite.rknn_runtime, feeds), feeds):
        assert_equal(outputs, session.run(None, feed))


@pytest.mark.usefixtures("compute_off")
def test_frames_of_the_runtime_are_numbered(open_lite: OpenLite) -> None:
    """run() and get_outputs() name the same one."""
    runtime = open_lite().rknn_runtime
    assert runtime is not None
    runtime.set_inputs([np.zeros((1, 16, 16, 3), np.uint8)])
    assert (runtime.run(True), runtime.run(get_frame_id=True)) == (1, 2)
    assert runtime.get_outputs(get_frame_id=True)[-1] == 2


@pytest.mark.usefixtures("compute_off")
def test_a_runtime_without_a_model_says_so(open_lite: OpenLite) -> None:
    """Before there is one, and after release()."""
    runtime = open_lite().rknn_runtime
    assert runtime is not None
    runtime.release()
    for idle in (runtime, RKNNRuntime()):
        assert idle.context is None
        assert isinstance(idle.lib, ctypes.CDLL)
        for call in (idle.get_in_out_num, idle.run, idle.get_outputs, idle.get_sdk_version):
            with pytest.raises(RknnClosedError):
                call()


@pytest.mark.usefixtures("compute_off", "tiny_switch_interval")
def test_a_release_waits_for_the_call_that_is_under_way(open_lite: OpenLite) -> None:
    """A context is not destroyed under a thread that runs on it; what comes later is refused."""
    image = np.zeros((1, 16, 16, 3), np.uint8)
    for _ in range(20):
        lite = open_lite()
        other = duplicate(lite, 2)
        with ThreadPoolExecutor(4) as threads:
            calls = [threads.submit(each.inference, [image]) for each in (lite, other) * 10]
            assert other.release() == lite.release() == 0
        assert all(call.result() is None or len(call.result() or ()) == 1 for call in calls)


@pytest.mark.usefixtures("compute_off")
def test_a_duplicate_that_is_dropped_gives_its_context_back(
    open_lite: OpenLite, calls_of: Callable[[str], int]
) -> None:
    """As an object that was made the usual way does."""
    other = duplicate(open_lite(), 2)
    destroyed = calls_of("rknn_destroy")
    del other
    gc.collect()
    assert calls_of("rknn_destroy") == destroyed + 1
