# SPDX-License-Identifier: Apache-2.0
"""The documentation is true: its Python snippets run, and its reference names everything.

The Python blocks of a page run one after the other in one namespace, in a directory with a ``model.rknn``, whose input
is called ``input``, and the data of the examples. What prose takes for granted is there: a ``session`` and an
``image``. A block that is a whole program (it asks for ``__main__``) runs as one.
"""

from __future__ import annotations

import enum
import importlib.util
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ez_rknn_async
from ez_rknn_async import InferenceSession, model, planning
from ez_rknn_async.compat.rknnlite.install import PACKAGES

from .conftest import ROOT
from .plugins import build

# A block may stand in a list, indented.
BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)

C_BLOCK = re.compile(r"^```c\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[str]:
    return [textwrap.dedent(block) for _, block in BLOCK.findall(page.read_text())]


PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if blocks(page)]


@pytest.fixture
def reader(data: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The working directory of a reader who follows along."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")
    monkeypatch.setenv("EZ_RKNN_SIMULATOR", "compute=off")
    shutil.copy(data / "snippet.rknn", "model.rknn")
    shutil.copy(data / "nv12_int8.rknn", "camera.rknn")
    shutil.copy(data / "without_weights_fp16.rknn", "without_weights.rknn")
    shutil.copy(data / "custom_operator_fp16.rknn", "custom_operator.rknn")
    shutil.copytree(root / "examples" / "digits", tmp_path / "examples" / "digits")
    monkeypatch.setattr(sys, "path", list(sys.path))  # a page puts a stand-in on it
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]


def read_along(page: Path) -> dict[str, Any]:
    """Run a page's blocks one after the other, and return the names that they define; sessions are closed."""
    session = InferenceSession("model.rknn")
    namespace: dict[str, Any] = {"session": session, "image": np.zeros((1, 3, 224, 224), np.float32)}
    for number, block in enumerate(blocks(page)):
        if "__main__" in block:
            Path("program.py").write_text(block)
            subprocess.run([sys.executable, "program.py"], check=True, timeout=100)
        else:
            exec(compile(block, f"{page.name}, block {number}", "exec"), namespace)
    for left in (session, *namespace.values()):
        if isinstance(left, (InferenceSession, np.lib.npyio.NpzFile)):
            left.close()
    return namespace


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_snippets_of_a_page_run(page: Path) -> None:
    """They run unchanged: a snippet that does not is worse than none. A page's program in C is built first."""
    if page.stem == "gevent" and importlib.util.find_spec("gevent") is None:
        pytest.skip("gevent is not installed")
    for program in C_BLOCK.findall(page.read_text()):
        Path("plugin.c").write_text(program)
        build(Path("plugin.c"), Path("librkcst_double.so"))
    read_along(page)


@pytest.mark.usefixtures("reader")
def test_the_page_on_batches_gives_every_sample(root: Path) -> None:
    """Both ways of asking for a batch are tested."""
    assert read_along(root / "docs" / "how-to" / "batch.md")["outputs"][0].shape[0] == 32


@pytest.mark.usefixtures("reader")
def test_the_page_on_profiles_names_the_file_that_it_writes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The comment on the page shows the form of its name."""
    read_along(root / "docs" / "how-to" / "profile.md")
    printed = capsys.readouterr().out
    assert re.fullmatch(r"profile_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.json\n", printed)
    assert Path(printed.strip()).exists()


@pytest.mark.usefixtures("reader")
def test_the_page_on_pipelines_gives_a_result_for_each_frame(root: Path) -> None:
    """The last comment on the page says so."""
    assert len(read_along(root / "docs" / "how-to" / "run-pipeline.md")["results"]) == 10


@pytest.mark.usefixtures("reader")
def test_the_page_on_rknnlite_gives_a_result_for_each_frame(root: Path) -> None:
    """Before and after."""
    left = read_along(root / "docs" / "how-to" / "migrate-from-rknnlite.md")
    assert len(left["results"]) == len(left["frames"]) == 10
    assert all(len(outputs) == 1 for outputs in left["results"])


@pytest.mark.usefixtures("reader")
def test_the_page_on_ztu_gives_a_result_for_each_frame(root: Path) -> None:
    """Before and after, and the same."""
    left = read_along(root / "docs" / "how-to" / "migrate-from-ztu.md")
    before = [left["results"][number] for number in range(len(left["frames"]))]
    assert len(before) == len(left["after"]) == 10
    for old, new in zip(before, left["after"]):
        np.testing.assert_array_equal(old, new)


def test_the_plug_in_of_the_documentation_is_the_example(root: Path) -> None:
    """The example has tests of its own."""
    (program,) = C_BLOCK.findall((root / "docs" / "how-to" / "custom-operators.md").read_text())
    assert program == (root / "examples" / "custom_operators" / "double.c").read_text()


def test_the_session_reference_names_every_public_method_and_property(root: Path) -> None:
    """Users do not find an undocumented one."""
    page = (root / "docs" / "reference" / "session.md").read_text()
    public = [name for name in dir(InferenceSession) if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"`(await )?{name}\b|, `{name}`", page)] == []


# Public by name, but for the package's own use.
INTERNAL = {"IOBinding.request", "IOBinding.results", "SessionIOBinding.request", "SessionIOBinding.results"}


def public_names() -> Iterator[str]:
    """Return the package's exports, and the attributes of its classes except the members of enumerations."""
    for room in (ez_rknn_async, model, planning):
        for name in room.__all__:
            yield name
            yield from (f"{name}.{attribute}" for attribute in sorted(_attributes(getattr(room, name))))


def _attributes(exported: Any) -> set[str]:
    if not isinstance(exported, type) or issubclass(exported, (enum.Enum, dict)):
        return set()
    own = [base for base in exported.__mro__ if base.__module__.startswith(ez_rknn_async.__name__)]
    return {name for base in own for name in (*vars(base), *getattr(base, "__annotations__", ()))}


def test_the_reference_names_everything_public(root: Path) -> None:
    """Every class, function, exception and attribute is on some page; users do not find an undocumented one."""
    pages = " ".join(page.read_text() for page in (root / "docs" / "reference").glob("*.md"))
    known = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", pages))))
    public = [name for name in public_names() if not re.search(r"\b_|\.[A-Z]", name) and name not in INTERNAL]
    assert [name for name in public if name.rpartition(".")[2] not in known] == []


def test_every_link_between_pages_has_a_target(root: Path) -> None:
    """Relative links must point to files that exist."""
    broken = []
    for page in (root / "README.md", *(root / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(root)}: {target}")
    assert broken == []
