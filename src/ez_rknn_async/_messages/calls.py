# SPDX-License-Identifier: Apache-2.0
"""The error for a method that is called with arguments that it has not."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ..errors import RknnTypeError

if TYPE_CHECKING:
    from collections.abc import Callable


def is_of_the_call(error: TypeError) -> bool:
    """Check if Python refused the arguments of the call that the caller's frame has made, and nothing of it ran."""
    return error.__traceback__ is not None and error.__traceback__.tb_next is None


def wrong_call(method: Callable[..., Any], error: TypeError) -> RknnTypeError:
    """Return the error for a method that cannot be called with such arguments."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    needs_names = parameters and parameters[0].name == "output_names"
    everything = "; output_names=None stands for all outputs" if needs_names else ""
    return RknnTypeError(f"{error}; it is called as {usage(method)}{everything}")


def usage(method: Callable[..., Any]) -> str:
    """Return a method's usage: its name, and the names of its arguments, with their defaults."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return f"{method.__name__}{inspect.Signature(bare)}"
