# SPDX-License-Identifier: Apache-2.0
"""The runtime's return codes, and the exception for each."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import RknnDeviceError, RknnError, RknnModelError, RknnTimeoutError


@dataclass(frozen=True)
class StatusCode:
    """One return code of the runtime: its name, the exception it is raised as, and what the user can do."""

    symbol: str
    exception: type[RknnError]
    hint: str | None = None


STATUSES = {
    -1: StatusCode("RKNN_ERR_FAIL", RknnDeviceError, "the kernel log (dmesg) may say what the NPU's driver refused"),
    -2: StatusCode("RKNN_ERR_TIMEOUT", RknnTimeoutError, "the NPU did not finish in the time that it was given"),
    -3: StatusCode(
        "RKNN_ERR_DEVICE_UNAVAILABLE", RknnDeviceError, "the device is gone; reset() the session when it is back"
    ),
    -4: StatusCode("RKNN_ERR_MALLOC_FAIL", RknnError, "no memory that the NPU can reach is left; close other sessions"),
    -5: StatusCode(
        "RKNN_ERR_PARAM_INVALID", RknnError, "the runtime takes other arguments; is it as old as the model?"
    ),
    -6: StatusCode("RKNN_ERR_MODEL_INVALID", RknnModelError, "see `ezrknn info` for what the file contains"),
    -7: StatusCode("RKNN_ERR_CTX_INVALID", RknnError, "the context is gone; reset() the session"),
    -8: StatusCode("RKNN_ERR_INPUT_INVALID", RknnError, "see get_inputs() for what the model takes"),
    -9: StatusCode("RKNN_ERR_OUTPUT_INVALID", RknnError, "see get_outputs() for what the model gives"),
    -10: StatusCode(
        "RKNN_ERR_DEVICE_UNMATCH", RknnModelError, "update the runtime library and the NPU's driver together"
    ),
    -11: StatusCode("RKNN_ERR_INCOMPATILE_PRE_COMPILE_MODEL", RknnModelError, "compile the model again"),
    -12: StatusCode("RKNN_ERR_INCOMPATILE_OPTIMIZATION_LEVEL_VERSION", RknnModelError, "compile the model again"),
    -13: StatusCode("RKNN_ERR_TARGET_PLATFORM_UNMATCH", RknnModelError, "compile the model for this SoC"),
}
_UNKNOWN = StatusCode("RKNN_ERR_UNKNOWN", RknnError)


def symbol(code: int) -> str:
    """Return the name of a code."""
    return STATUSES.get(code, _UNKNOWN).symbol


def error(code: int, call: str, detail: str = "") -> RknnError:
    """Return the exception for a failed runtime call.

    Args:
        code: what the call returned (negative).
        call: the function's name, such as ``"rknn_init"``; "" when the task ended outside the runtime.
        detail: the reason in the library's own words, where it gives one.
    """
    status = STATUSES.get(code, _UNKNOWN)
    message = f"{call or 'the task'} failed: {status.symbol} ({code})"
    return status.exception(
        f"{message}: {detail}" if detail else message,
        code=code,
        symbol=status.symbol,
        call=call,
        # The library's own words are more specific than ours.
        hint=None if detail else status.hint,
    )
