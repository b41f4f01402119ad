# SPDX-License-Identifier: Apache-2.0
"""The declarations of the vendor's interface against a recording of the real one."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async._runtime.abi import ffi
from ez_rknn_async._runtime.context import COLLECT_PERF


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Any:
    return json.loads((shared / "facts" / "librknnrt-abi.json").read_text())


def test_every_structure_has_the_recorded_size_and_offsets(recorded: Any) -> None:
    """One byte of difference and the vendor's library reads garbage, so each field is checked."""
    for name, struct in recorded["structs"].items():
        assert ffi.sizeof(name) == struct["size"], name
        for field in struct["fields"]:
            member = re.sub(r"\[.*", "", field["name"])
            assert ffi.offsetof(name, member) == field["offset"], f"{name}.{member}"
            assert ffi.sizeof(dict(ffi.typeof(name).fields)[member].type) == field["size"], f"{name}.{member}"


def test_the_declarations_match_the_headers(root: Path) -> None:
    """The headers are not read where the package is installed; ``make declarations`` generates the declarations."""
    module = importlib.import_module("declarations")
    assert (root / "src/ez_rknn_async/_runtime/declared.py").read_text() == module.compiled()


def test_no_structure_has_an_unrecorded_field(recorded: Any) -> None:
    """Offsets alone would not show a superfluous field at the end."""
    for name, struct in recorded["structs"].items():
        fields = [re.sub(r"\[.*", "", field["name"]) for field in struct["fields"]]
        assert [field for field, _ in ffi.typeof(name).fields] == fields


def test_every_enumerator_and_constant_has_the_recorded_value(recorded: Any) -> None:
    """A wrong number here is a wrong question to the library."""
    for name, values in recorded["enums"].items():
        assert ffi.typeof(name).relements == values, name
    library = ffi.dlopen(None)
    for name, value in recorded["constants"].items():
        assert getattr(library, name) == value, name


def test_the_structures_of_custom_operators_have_the_vendors_layout() -> None:
    """They are not in the recording, apart from the size of the largest: plug-ins are compiled against the vendor's."""
    assert ffi.sizeof("rknn_custom_op") == 832
    assert ffi.sizeof("rknn_custom_op_tensor") == ffi.sizeof("rknn_tensor_attr") + ffi.sizeof("rknn_tensor_mem")
    members = {"version": 0, "target": 4, "op_type": 8, "cl_kernel_name": 264, "cl_kernel_source": 520}
    members |= {"cl_source_size": 528, "cl_build_options": 536, "init": 792, "prepare": 800, "compute": 808}
    members |= {"compute_native": 816, "destroy": 824}
    assert {name: field.offset for name, field in ffi.typeof("rknn_custom_op").fields} == members


def test_pythons_copy_of_the_flag_equals_the_headers() -> None:
    """It is declared twice, because constants need a loaded library."""
    assert ffi.dlopen(None).RKNN_FLAG_COLLECT_PERF_MASK == COLLECT_PERF


def test_every_recorded_function_is_declared_with_its_parameters(recorded: Any, root: Path) -> None:
    """A missing or misplaced parameter would corrupt the call's stack or registers."""
    header = " ".join((root / "native" / "include" / "rknn_abi.h").read_text().split())
    for name, parameters in recorded["functions"].items():
        declared = re.search(rf"\b{name}\(([^)]*)\)", header)
        assert declared is not None, name
        assert _types(declared[1]) == _types(parameters), name


def _types(parameters: str) -> list[str]:
    """Return the types of a parameter list: each parameter without its name, pointers and arrays alike."""
    types = []
    for parameter in parameters.split(","):
        pointer = "*" if "*" in parameter or "[" in parameter else ""
        types.append(re.findall(r"\w+", parameter)[0] + pointer)
    return types
