# SPDX-License-Identifier: Apache-2.0
"""The program that runs inside the toolkit's own environment, and speaks a small protocol over its pipes.

It imports nothing of ours and works on Python 3.8: that environment has the toolkit's pins and not our package.

Requests are JSON objects, one a line, on standard input: ``{"protocol": 1, "do": "build", ...}``. For each there are
any number of events, ``{"stage": "quantise"}``, and one answer: ``{"ok": true, ...}`` or ``{"ok": false, "stage": ...,
"error": ...}``. Both come out of the pipe that was standard output; what the toolkit itself prints goes into the log
that the first argument names. The program ends at the end of its input, and with the process that started it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    Request = dict[str, Any]
    Say = Callable[..., None]

PROTOCOL = 1


class FailedError(Exception):
    """A function of the toolkit returned a failure; its reason is in the log."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


def main() -> None:
    """Answer requests until there are no more."""
    end_with_parent()
    requests, answers = own_pipes(sys.argv[1])

    def say(**message: Any) -> None:
        ctypes.CDLL(None).fflush(None)  # what the compiler printed from C is in the log before the answer is read
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    for line in requests:
        request = json.loads(line)
        try:
            if request.get("protocol") != PROTOCOL:
                raise FailedError("start", f"protocol {request.get('protocol')!r} is asked for, this is {PROTOCOL}")
            say(ok=True, **ACTIONS[request["do"]](request, say))
        except FailedError as error:
            say(ok=False, stage=error.stage, error=str(error))
        except BaseException as error:  # the toolkit raises SystemExit too
            traceback.print_exc()
            say(ok=False, stage="", error=f"{type(error).__name__}: {error}")


def end_with_parent() -> None:
    """Have the kernel end this process with its parent, even one that is killed in the middle of a build."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def own_pipes(log: str) -> tuple[TextIO, TextIO]:
    """Take the pipes for the protocol; the toolkit, which prints from C too, gets the log and no input."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for file, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(file, target)
    return requests, answers


def hello(request: Request, say: Say) -> dict[str, Any]:
    """Return the versions."""
    try:
        from importlib import metadata

        toolkit = metadata.version("rknn-toolkit2")
    except Exception as error:
        raise FailedError("start", "rknn-toolkit2 is not installed here") from error
    import_module("rknn.api")  # what it needs may be missing

    return {"protocol": PROTOCOL, "toolkit": toolkit, "python": ".".join(map(str, sys.version_info[:3]))}


def build(request: Request, say: Say) -> dict[str, Any]:
    """Build a model as the request says; simulate it if asked to."""
    rknn = new_toolkit(request, say)
    try:
        say(stage="load")
        check("load", rknn.load_onnx(**request["load"]))
        if request.get("float_tensors"):
            rknn = build_hybrid(rknn, request, say)
        else:
            say(stage="build")
            check("build", rknn.build(**request["build"]))
        say(stage="export")
        check("export", rknn.export_rknn(request["export"]))
        if request.get("simulate"):
            say(stage="simulate")
            simulate(rknn, request["simulate"])
        return {}
    finally:
        rknn.release()


def new_toolkit(request: Request, say: Say) -> Any:
    """Return the toolkit's object, configured."""
    from rknn.api import RKNN

    rknn = RKNN(verbose=bool(request.get("verbose")))
    say(stage="configure")
    check("configure", rknn.config(**request["config"]))
    return rknn


def build_hybrid(rknn: Any, request: Request, say: Say) -> Any:
    """Build with the named tensors in float16; return the object that has the result.

    The toolkit's first step leaves its files in the working directory, one of them an editable list of layers; the
    second wants an object that has loaded nothing.
    """
    say(stage="quantise")
    options = request["build"]
    check(
        "quantise",
        rknn.hybrid_quantization_step1(
            dataset=options["dataset"], rknn_batch_size=options.get("rknn_batch_size"), proposal=False
        ),
    )
    rknn.release()
    stem = os.path.splitext(os.path.basename(request["load"]["model"]))[0]
    keep_in_float(stem + ".quantization.cfg", request["float_tensors"])
    second = new_toolkit(request, say)
    say(stage="build")
    check(
        "build",
        second.hybrid_quantization_step2(
            model_input=stem + ".model", data_input=stem + ".data", model_quantization_cfg=stem + ".quantization.cfg"
        ),
    )
    return second


def keep_in_float(path: str, tensors: Sequence[str]) -> None:
    """Enter tensors into the list of layers; its other half, the ranges, stays as it is."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    _, mark, ranges = text.partition("quantize_parameters:")
    missing = [
        name
        for name in tensors
        if f"\n    {name}:\n" not in ranges and json.dumps(name) not in ranges and f"'{name}'" not in ranges
    ]
    if not mark or missing:
        raise FailedError("quantise", f"the toolkit quantises no tensor named {', '.join(missing or tensors)}")
    entries = "".join(f"    {json.dumps(name)}: float16\n" for name in tensors)
    with open(path, "w", encoding="utf-8") as file:
        file.write("custom_quantize_layers:\n" + entries + mark + ranges)


def simulate(rknn: Any, request: Request) -> None:
    """Run the official simulator on arrays in ONNX order; write the outputs of sample i as ``i_0.npy``, ..."""
    import numpy

    check("simulate", rknn.init_runtime())
    for number, files in enumerate(request["samples"]):
        arrays = [numpy.load(file) for file in files]
        outputs = rknn.inference(inputs=arrays, data_format=["nchw"] * len(arrays))
        if outputs is None:
            raise FailedError("simulate", "inference returned nothing")
        for index, output in enumerate(outputs):
            numpy.save(os.path.join(request["folder"], f"{number}_{index}.npy"), output)


def check(stage: str, status: Any) -> None:
    """Raise where the toolkit returned a failure."""
    if status != 0:
        raise FailedError(stage, f"the toolkit returned {status!r}")


ACTIONS = {"hello": hello, "build": build}

if __name__ == "__main__":
    main()
