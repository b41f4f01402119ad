# SPDX-License-Identifier: Apache-2.0
"""The device process over its real sockets."""

from __future__ import annotations

import os
import signal
import struct
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from .host import ATTACH, LOAD, RUN, UNLOAD, Context, Device, Reply
from .recordings import recording
from .zoo import cosine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUCC, PARAM_INVALID, MODEL_INVALID, CTX_INVALID = 0, -5, -6, -7


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    """A device process shared by the tests that leave it unchanged."""
    device = Device()
    yield device
    device.close()


@pytest.fixture
def own_device() -> Iterator[Device]:
    """A device process for one test, which may kill it."""
    device = Device()
    yield device
    device.close()


@pytest.fixture(scope="module")
def model(device: Device) -> Iterator[tuple[int, Path]]:
    """A small int8 model, loaded."""
    path = recording("block_int8").path
    assert device.load(7, path.read_bytes()) == (SUCC, "")
    yield 7, path
    assert device.request(UNLOAD, 7) == (SUCC, "")


@pytest.fixture
def context(device: Device, model: tuple[int, Path]) -> Iterator[Context]:
    """An attached context of the small model."""
    context = Context(device, *model)
    assert context.attached == (SUCC, "")
    yield context
    context.close()


def test_greets_with_magic_and_protocol(device: Device) -> None:
    """A host can tell a device from a program that happens to write."""
    assert device.greeting == struct.pack("<II", 0x5A455A45, 3)


@pytest.mark.parametrize("name", ["tiny_conv_fp16", "block_int8", "mean_std_int8", "two_inputs_fp16", "dynamic_fp16"])
def test_outputs_match_those_of_the_official_simulator(device: Device, name: str) -> None:
    """The numbers survive their path through shared memory, for each graph of a model."""
    model = recording(name)
    assert device.load(1, model.path.read_bytes()) == (SUCC, "")
    context = Context(device, 1, model.path)
    assert context.attached == (SUCC, "")
    for inputs, outputs in model.cases():
        graph = next(
            place
            for place, graph in enumerate(context.graphs)
            if all(graph.tensors[index].shape == values.shape for index, values in zip(graph.inputs, inputs))
        )
        context.put(inputs, graph)
        assert context.run(graph) == (SUCC, "")
        for ours, theirs in zip(context.get(graph), outputs):
            assert cosine(ours, theirs) >= model.cosine
    context.close()
    assert device.request(UNLOAD, 1) == (SUCC, "")


@pytest.mark.parametrize("name", ["custom_operator_fp16", "custom_blend_fp16", "custom_blend_int8"])
def test_the_host_computes_custom_operators_between_stages(device: Device, name: str) -> None:
    """The official simulator has the same functions; two runs on every number of cores show that a later stage finds
    what an earlier one left for it.
    """
    model = recording(name)
    assert device.load(1, model.path.read_bytes()) == (SUCC, "")
    context = Context(device, 1, model.path)
    assert context.attached == (SUCC, "")
    ((inputs, outputs),) = model.cases()
    for cores in (1, 2, 1):
        context.put([np.zeros_like(values) for values in inputs])
        assert context.run(cores=3) == (SUCC, "")
        context.put(inputs)
        assert context.run(cores=cores) == (SUCC, "")
        assert cosine(context.get()[0], outputs[0]) >= model.cosine
    context.close()
    assert device.request(UNLOAD, 1) == (SUCC, "")


def test_a_custom_operator_needs_its_tensors_attached(device: Device) -> None:
    """A host that knows no custom operators, or other ones, is told so when it attaches."""
    path = recording("custom_operator_fp16").path
    assert device.load(1, path.read_bytes()) == (SUCC, "")
    context = Context(device, 1, path)
    whole = struct.pack("<III QQ QQ", 1, 1, 1, 0, 384, 384, 1024)
    for operator in (
        struct.pack("<II QQ", 1, 0, 2048, 2048),  # no output
        struct.pack("<II QQ QQ", 1, 1, 2048, 1024, 4096, 2048),  # the operand is float32
    ):
        ours, theirs = context.channel.dup(), context.memory
        reply = device.request(ATTACH, 1, 1, tail=whole + operator, descriptors=[ours.fileno(), theirs])
        assert reply.status == PARAM_INVALID, reply
        ours.close()
    context.close()
    assert device.request(UNLOAD, 1) == (SUCC, "")


def test_every_core_and_group_of_cores_gives_the_same_outputs(context: Context) -> None:
    """The cores of an inference determine its time and not its numbers."""
    inputs, _ = recording("block_int8").cases()[0]
    context.put(inputs)
    results = []
    for core, cores in [(0, 1), (1, 1), (2, 1), (0, 2), (0, 3)]:
        assert context.run(core=core, cores=cores) == (SUCC, "")
        results.append(np.concatenate([output.ravel() for output in context.get()]))
    assert all(np.array_equal(result, results[0]) for result in results)


def test_a_context_outlives_the_unloading_of_its_model(device: Device) -> None:
    """The host may destroy the context that loaded a model before those that share it."""
    path = recording("tiny_conv_fp16").path
    assert device.load(2, path.read_bytes()).status == SUCC
    context = Context(device, 2, path)
    assert device.request(UNLOAD, 2).status == SUCC
    assert context.run().status == SUCC
    context.close()
    refused = Context(device, 2, path)
    assert refused.attached.status == CTX_INVALID
    refused.close()


def test_refuses_a_model_and_names_the_unsupported_operators(device: Device) -> None:
    """The author of the model learns which part of it to change."""
    reply = device.load(3, recording("gru_clip_fp16").path.read_bytes())
    assert reply.status == MODEL_INVALID
    assert "GRU" in reply.text
    assert device.request(UNLOAD, 3).status == CTX_INVALID


def test_refuses_a_file_that_is_not_a_model(device: Device) -> None:
    """The status tells damage from a model that is not supported."""
    content = recording("block_int8").path.read_bytes()
    for damaged in (b"", b"PK\x03\x04" * 40, content[: len(content) // 2]):
        assert device.load(4, damaged).status == MODEL_INVALID


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((99,), PARAM_INVALID),
        ((LOAD,), PARAM_INVALID),
        ((LOAD, 1), PARAM_INVALID),
        ((LOAD, 1, 0, 1), PARAM_INVALID),
        ((LOAD, 1, 0), PARAM_INVALID),  # without a file
        ((ATTACH, 1, 0xFFFFFFFF), PARAM_INVALID),
        ((RUN, 0, 0, 0, 1), PARAM_INVALID),
        ((UNLOAD, 12345), CTX_INVALID),
    ],
)
def test_answers_a_meaningless_request(device: Device, words: tuple[int, ...], status: int) -> None:
    """A bug of the host shows as an error at its place, and the device goes on."""
    reply = device.request(*words)
    assert reply.status == status
    assert reply.text


@pytest.mark.parametrize(
    "words",
    [
        (RUN, 9, 0, 0, 1),
        (RUN, 0, 1, 0, 1),  # the graph has one stage
        (RUN, 0, 0, 0, 0),
        (RUN, 0, 0, 7, 2),
        (RUN, 0),
        (LOAD, 1),
        (7,),
    ],
)
def test_answers_a_meaningless_run(context: Context, words: tuple[int, ...]) -> None:
    """The channel is good for the next run afterwards."""
    context.channel.send(struct.pack(f"<{len(words)}I", *words))
    assert context.wait().status == PARAM_INVALID
    assert context.run().status == SUCC


def test_refuses_tensors_of_the_wrong_size(device: Device, model: tuple[int, Path]) -> None:
    """The host and the device agree on every byte, or nothing is attached."""
    context = Context(device, *model)
    for extents in (
        struct.pack("<III QQ QQ", 1, 1, 0, 0, 5, 64, 5),  # too small
        struct.pack("<III QQ QQ", 1, 1, 0, 1 << 40, 3 * 16 * 16, 0, 10),  # beyond the memory
        struct.pack("<III", 0, 0, 0),
        struct.pack("<III QQ QQ II", 1, 1, 1, 0, 3 * 16 * 16, 1024, 10, 0, 0),  # it has no custom operator
    ):
        ours, theirs = context.channel.dup(), context.memory
        reply = device.request(ATTACH, model[0], 1, tail=extents, descriptors=[ours.fileno(), theirs])
        assert reply.status == PARAM_INVALID
        ours.close()
    context.close()


def test_a_slow_load_delays_no_running_channel(own_device: Device) -> None:
    """Loading a model takes seconds; contexts run meanwhile."""
    path = recording("tiny_conv_fp16").path
    assert own_device.load(1, path.read_bytes()).status == SUCC
    context = Context(own_device, 1, path)
    context.run()
    content = recording("activations_int8").path.read_bytes()
    file = os.memfd_create("model")
    os.write(file, content)
    loads = 20
    for number in range(loads):  # sent ahead, answered one by one
        own_device.control.sendmsg([struct.pack("<III", LOAD, 100 + number, 0)], [(1, 1, struct.pack("i", file))])
    os.close(file)
    runs = 0
    own_device.control.setblocking(False)
    answers = 0
    while answers < loads:
        assert context.run().status == SUCC
        runs += 1
        try:
            assert Reply(own_device.control.recv(1 << 16)).status == SUCC
            answers += 1
        except BlockingIOError:
            pass
    assert runs > loads  # more than one run for each load: no run waited for a load to end
    own_device.control.setblocking(True)
    context.close()


def test_closing_the_control_socket_ends_the_device_at_once(own_device: Device) -> None:
    """A host that dies takes its device with it, even in the middle of a run."""
    path = recording("block_int8").path
    own_device.load(1, path.read_bytes())
    context = Context(own_device, 1, path)
    context.submit()
    own_device.control.close()
    assert own_device.process.wait(timeout=10) == 0
    context.close()


def test_killing_the_device_closes_every_socket(own_device: Device) -> None:
    """The host learns of a lost device by the end of the stream, not by a timeout."""
    path = recording("block_int8").path
    own_device.load(1, path.read_bytes())
    context = Context(own_device, 1, path)
    own_device.process.kill()
    assert own_device.control.recv(16) == b""
    assert context.channel.recv(16) == b""
    context.close()


def test_an_interrupt_from_the_terminal_leaves_the_device_running(own_device: Device) -> None:
    """Ctrl-C goes to the whole process group, and the host may want to finish its work."""
    own_device.process.send_signal(signal.SIGINT)
    assert own_device.load(1, recording("tiny_conv_fp16").path.read_bytes()).status == SUCC


def test_the_device_writes_nothing_to_the_hosts_standard_output(own_device: Device) -> None:
    """A program that pipes its output must not find ours in it."""
    own_device.load(1, recording("tiny_conv_fp16").path.read_bytes())
    own_device.load(2, recording("gru_clip_fp16").path.read_bytes())
    own_device.control.close()
    stdout, stderr = own_device.process.communicate(timeout=10)
    assert (stdout, stderr) == (b"", b"")


def test_does_not_leak_descriptors(own_device: Device) -> None:
    """A host that opens and closes contexts for days must not use up the device's files."""
    path = recording("tiny_conv_fp16").path
    own_device.load(1, path.read_bytes())

    def open_files() -> int:
        return len(os.listdir(f"/proc/{own_device.process.pid}/fd"))

    def attach_and_leave() -> None:
        context = Context(own_device, 1, path)
        assert context.run().status == SUCC
        context.close()
        own_device.load(1, path.read_bytes())  # refused: the number is taken

    attach_and_leave()
    before = open_files()
    for _ in range(20):
        attach_and_leave()
    deadline = time.monotonic() + 10
    while open_files() > before:  # the last channel's thread may still be on its way out
        assert time.monotonic() < deadline
        os.sched_yield()


def test_missing_weights_come_from_the_master(own_device: Device) -> None:
    """They are found by name in the master, or at the end of a chain; outputs equal the official simulator's."""
    model = recording("without_weights_fp16")
    assert own_device.load(1, recording("tiny_conv_fp16").path.read_bytes()).status == SUCC
    assert own_device.load(2, model.path.read_bytes(), master=1) == (SUCC, "")
    assert own_device.load(3, model.path.read_bytes(), master=2) == (SUCC, "")
    for number in (2, 3):
        context = Context(own_device, number, model.path)
        for inputs, outputs in model.cases():
            context.put(inputs)
            assert context.run() == (SUCC, "")
            assert cosine(context.get()[0], outputs[0]) >= model.cosine
        context.close()


@pytest.mark.parametrize(("master", "why"), [("conv_c16_fp16", "is to be taken from"), ("tiny_conv_int8", "int8")])
def test_refuses_the_weights_of_another_model(own_device: Device, master: str, why: str) -> None:
    """Weights of another size or type would give wrong numbers."""
    assert own_device.load(1, recording(master).path.read_bytes()).status == SUCC
    refused = own_device.load(2, recording("without_weights_fp16").path.read_bytes(), master=1)
    assert refused.status == MODEL_INVALID
    assert why in refused.text


def test_a_master_must_be_loaded(own_device: Device) -> None:
    """One that was unloaded, or whose master was, has no weights to give."""
    content = recording("without_weights_fp16").path.read_bytes()
    assert own_device.load(2, content, master=1).status == CTX_INVALID
    assert own_device.load(1, recording("tiny_conv_fp16").path.read_bytes()).status == SUCC
    assert own_device.load(2, content, master=1).status == SUCC
    assert own_device.request(UNLOAD, 1).status == SUCC
    refused = own_device.load(3, content, master=2)
    assert refused.status == CTX_INVALID
    assert "unloaded" in refused.text


def test_refuses_a_master_whose_file_has_changed(own_device: Device, tmp_path: Path) -> None:
    """It is read again for each borrower, and may now contain anything, or be cut short."""
    path = tmp_path / "master.rknn"
    path.write_bytes(recording("tiny_conv_fp16").path.read_bytes())
    with path.open("rb") as file:
        assert own_device.request(LOAD, 1, 0, descriptors=[file.fileno()]).status == SUCC
    os.truncate(path, 100)
    refused = own_device.load(2, recording("without_weights_fp16").path.read_bytes(), master=1)
    assert refused.status == MODEL_INVALID
    assert "changed" in refused.text
