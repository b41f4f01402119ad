"""Public methods under the name of their class, and the error for a wrong call.

A public class may have its methods from private base classes, which users need not know: errors and documentation
name the public class.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import RknnTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

Class = TypeVar("Class", bound=type)

_PACKAGE = __name__.partition(".")[0]


def under_one_name(public: Class) -> Class:
    """Name methods that a class has from this package's own base classes after the class itself; a class decorator."""
    for base in public.__mro__[1:]:
        if base.__module__.partition(".")[0] == _PACKAGE:
            for name, member in vars(base).items():
                if inspect.isfunction(member):
                    _rename(member, public, name)
    return public


def _rename(function: Any, public: type, name: str) -> None:
    while function is not None:
        function.__qualname__, function.__module__ = f"{public.__qualname__}.{name}", public.__module__
        function = getattr(function, "__wrapped__", None)


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
