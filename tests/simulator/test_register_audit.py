# SPDX-License-Identifier: Apache-2.0
"""Values of registers that no compiler wrote so far: refused, for nobody knows what the NPU makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ez_rknn_async.model import load
from ez_rknn_async.model.operators.dpu import DPUS
from ez_rknn_async.model.operators.register_audit import REGISTERS, check_registers
from ez_rknn_async.model.operators.registers import RegisterFile
from ez_rknn_async.model.operators.unsupported import UnsupportedFormError


def written(path: Path) -> tuple[str, dict[int, int]]:
    """Return the SoC of a quantised model, and the registers of its first convolution."""
    with load(str(path)) as model:
        graph = model.graphs[0]
        registers = RegisterFile(model, graph)
        node = next(node for node in graph.nodes if node.op.startswith("Conv") and registers.first_compute(node))
        return model.target_platform, registers.first_compute(node)


def test_every_soc_has_its_registers() -> None:
    """One without would be computed unchecked."""
    assert REGISTERS.keys() == DPUS.keys()


@pytest.mark.parametrize(
    "name", ["conv_c16_int8", "rk3566_attention_int8", "rk3562_attention_int8", "rk3576_gelu_int8"]
)
def test_rejects_one_unknown_bit(data: Path, name: str) -> None:
    """Each bit that is neither read nor known to be without effect is compared."""
    target, registers = written(data / f"{name}.rknn")
    check_registers(registers, target, quantized=True)
    for one in REGISTERS[target]:
        value = registers.get(one.address, one.known[0])
        unknown = next((1 << bit for bit in range(32) if not one.free >> bit & 1), 0)
        if unknown and (value ^ unknown) & ~one.free not in one.known:
            with pytest.raises(UnsupportedFormError, match=f"{one.address:#x}"):
                check_registers({**registers, one.address: value ^ unknown}, target, quantized=True)
