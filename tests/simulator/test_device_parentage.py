# SPDX-License-Identifier: Apache-2.0
"""The parent of the device process, and its end: it never stays behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable

import pytest

from .programs import OPEN, TIMEOUT, is_gone, run, start

# PR_SET_CHILD_SUBREAPER: orphans below become children of this process, as in process 1 of a container.
SUBREAPER = "import ctypes; assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0"
KILL = """
import signal
os.kill(device, signal.SIGKILL)
try:
    while True:
        session.run(None, feed)
except RuntimeError as error:
    assert "was killed by signal 9" in str(error), error
"""
NO_CHILDREN = """
def check_children():
    try:
        raise AssertionError(os.waitpid(-1, os.WNOHANG))
    except ChildProcessError:
        pass
"""


@pytest.mark.parametrize("subreaper", [False, True])
@pytest.mark.parametrize("ignored", [False, True])
def test_the_programs_own_wait_never_returns_it(subreaper: bool, ignored: bool) -> None:
    """While it runs, when it is lost and later, there is no child and no SIGCHLD, and its exit status is known."""
    program = f"""
{SUBREAPER if subreaper else ""}
import signal
signals = []
signal.signal(signal.SIGCHLD, signal.SIG_IGN if {ignored} else lambda *_: signals.append("SIGCHLD"))
{OPEN}{NO_CHILDREN}
check_children()
{KILL}
check_children()
session.reset()
session.run(None, feed)
session.close()
check_children()
assert signals == []
# Nor are there zombies of other kinds: the keeper of the lost one was collected.
assert len(open(f"/proc/self/task/{{os.getpid()}}/children").read().split()) <= 1
assert not os.path.exists(f"/proc/{{device}}") and not os.path.exists(f"/proc/{{keeper}}")
"""
    run(program)


@pytest.mark.parametrize("subreaper", [False, True])
def test_nothing_is_left_when_the_program_has_ended(subreaper: bool) -> None:
    """Process 1 gets nothing to collect; in many containers it collects nothing."""
    done = run(f"{SUBREAPER if subreaper else ''}\n{OPEN}\nprint(device, keeper)")
    for pid in map(int, done.stdout.split()):
        assert not os.path.exists(f"/proc/{pid}")


def await_end(pids: list[int]) -> None:
    """Wait until none of the processes runs."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            end = select.poll()
            end.register(descriptor, select.POLLIN)
            assert end.poll(TIMEOUT * 1000)
            os.close(descriptor)
        assert is_gone(pid)


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


WAYS: dict[str, Callable[[int, int, int], object]] = {
    "killed": lambda program, device, keeper: None,
    "killed while it is stopped": lambda program, device, keeper: stop(program),
    "killed while its device is stopped": lambda program, device, keeper: stop(device),
    "killed after its keeper": lambda program, device, keeper: os.kill(keeper, signal.SIGKILL),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_device_ends_with_a_killed_program(way: str) -> None:
    """After SIGKILL the program cannot say goodbye."""
    program = start(f"{OPEN}\nprint(device, keeper, flush=True)\nsys.stdin.read()")
    with program:
        assert program.stdout is not None
        device, keeper = map(int, program.stdout.readline().split())
        WAYS[way](program.pid, device, keeper)
        program.kill()
        await_end([device, keeper])


def test_the_end_of_a_thread_does_not_end_the_device() -> None:
    """Some kinds of parentage end with the thread that opened the session."""
    run(f"""
import threading
def body():
    exec({OPEN!r}, globals())
thread = threading.Thread(target=body)
thread.start()
thread.join()
session.run(None, feed)
assert os.path.exists(f"/proc/{{device}}")
""")


def test_the_device_ends_when_execve_replaces_its_program() -> None:
    """execve() closes the program's end of the sockets, and the new program knows of no device."""
    program = start(f"{OPEN}\nprint(device, flush=True)\nos.execvp('cat', ['cat'])")
    with program:
        assert program.stdout is not None
        await_end([int(program.stdout.readline())])
        assert program.poll() is None
        program.kill()


def test_inherits_nothing_that_it_does_not_need() -> None:
    """It has no descriptor, working directory, blocked or ignored signal, or terminal; its keeper holds nothing."""
    run(f"""
import os, signal
kept, _ = os.pipe()
os.set_inheritable(kept, True)
pipe = os.readlink(f"/proc/self/fd/{{kept}}")
ballast = bytearray(64 << 20)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGCHLD])
{OPEN}
def descriptors(pid):
    return {{int(fd): os.readlink(f"/proc/{{pid}}/fd/{{fd}}") for fd in os.listdir(f"/proc/{{pid}}/fd")}}
def status(pid):
    return dict(line.split(":", 1) for line in open(f"/proc/{{pid}}/status").read().splitlines())
assert pipe not in descriptors(device).values()
assert pipe not in descriptors(keeper).values()
given = descriptors(device)
assert given[0] == "/dev/null" and given[1] == given[2] and "ez_rknn_device_stderr" in given[2]
assert given[3].startswith("socket:")
assert len(descriptors(keeper)) == 2, descriptors(keeper)
assert os.readlink(f"/proc/{{device}}/cwd") == os.readlink(f"/proc/{{keeper}}/cwd") == "/"
assert int(status(device)["SigBlk"], 16) == 0
ignored = int(status(device)["SigIgn"], 16)
python = {{signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT}}
assert ignored & ~sum(1 << (number - 1) for number in python) == 0
assert os.getsid(device) == device != os.getsid(0)
assert int(status(keeper)["VmSize"].split()[0]) < 2048, status(keeper)
""")
