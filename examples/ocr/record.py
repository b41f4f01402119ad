# SPDX-License-Identifier: Apache-2.0
"""Run a program that uses ONNX Runtime, and record what it feeds its networks.

A compiler for an NPU wants to know the shapes that a network is used with, and for int8 typical inputs. Both are what
the program itself does::

    python record.py FOLDER PROGRAM [ARGUMENT ...]

PROGRAM is a Python file, or the name of a command that pip installed; it runs unchanged, in ONNX Runtime. Afterwards
``FOLDER/NAME/`` has, for each network, ``model.onnx`` and ``0000.npz`` and so on, one file for each inference: inputs
as ``in:NAME``, outputs as ``out:NAME``. ``compile.py`` reads them.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import runpy
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

ENOUGH = 40  # inferences to keep of one network in one shape


class Recorder:
    """Keeps what networks are fed, and what they answer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers: dict[Path, itertools.count[int]] = {}
        self._seen: Counter[tuple[Any, ...]] = Counter()

    def note(self, session: Any, feed: dict[str, Any]) -> None:
        """Write one inference into the network's folder."""
        arrays = {port.name: np.asarray(feed[port.name], DTYPES.get(port.type)) for port in session.get_inputs()}
        folder = self._folder_of(session)
        kind = (folder, *(array.shape for array in arrays.values()))
        self._seen[kind] += 1
        if self._seen[kind] > ENOUGH:
            return
        answers = RUN(session, None, feed)
        names = [output.name for output in session.get_outputs()]
        number = next(self._numbers.setdefault(folder, itertools.count()))
        np.savez(
            folder / f"{number:04}.npz",
            **{f"in:{name}": array for name, array in arrays.items()},
            **{f"out:{name}": np.asarray(answer) for name, answer in zip(names, answers)},
        )

    def _folder_of(self, session: Any) -> Path:
        """The folder of a network, with a copy of it."""
        path, content = session._model_path, getattr(session, "_model_bytes", None)
        name = Path(path).stem if path else hashlib.sha256(content).hexdigest()[:12]
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "model.onnx").exists():
            if path:
                shutil.copy(path, folder / "model.onnx")
                for weights in Path(path).parent.glob(f"{Path(path).name}.*"):  # too large for the file itself
                    shutil.copy(weights, folder)
            else:
                (folder / "model.onnx").write_bytes(content)
        return folder


# Programs may feed lists, too.
DTYPES = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(int64)": "i8", "tensor(int32)": "i4"}
RUN = onnxruntime.InferenceSession.run


def main(folder: Path, program: str, arguments: list[str]) -> None:
    """Become the program, with every inference recorded."""
    recorder = Recorder(folder)

    def run(self: Any, output_names: Any, input_feed: Any, run_options: Any = None) -> Any:
        recorder.note(self, input_feed)
        return RUN(self, output_names, input_feed, run_options)

    # Its base class has it; programs may have classes of their own on top.
    onnxruntime.InferenceSession.run = run
    found = program if os.path.exists(program) else shutil.which(program)
    if found is None:
        sys.exit(f"record.py: there is no file {program!r}, and no such command")
    sys.argv = [found, *arguments]
    sys.path[0] = os.path.dirname(os.path.realpath(found))
    runpy.run_path(found, run_name="__main__")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: record.py FOLDER PROGRAM [ARGUMENT ...]")
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
