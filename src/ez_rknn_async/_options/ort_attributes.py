# SPDX-License-Identifier: Apache-2.0
"""Option objects with the attributes of ONNX Runtime's.

Programs set attributes on them by name, and a misspelt name would silently be lost: so an attribute must be one that
the class has. Those that mean nothing on an NPU are kept and logged at debug level.
"""

from __future__ import annotations

import difflib
import enum
import logging
import operator
from typing import Any, ClassVar

from .._messages.wording import shown
from ..errors import RknnTypeError, RknnValueError

logger = logging.getLogger("ez_rknn_async")


class Attributes:
    """Attributes with defaults; a subclass declares them as class variables."""

    # Those that have an effect; the others are logged when they are set.
    EFFECTIVE: ClassVar[tuple[str, ...]] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        if name not in self.names():
            raise AttributeError(_no_attribute(self, name))
        default = getattr(type(self), name)
        converted = _convert(f"{type(self).__name__}.{name}", value, default)
        if name not in self.EFFECTIVE and converted != default:
            logger.debug("%s.%s=%r means nothing on an NPU", type(self).__name__, name, value)
        object.__setattr__(self, name, converted)

    def __getattr__(self, name: str) -> Any:
        # Only called for an attribute that does not exist.
        raise AttributeError(_no_attribute(self, name))

    def __repr__(self) -> str:
        changed = [f"{n}={getattr(self, n)!r}" for n in self.names() if n in vars(self)]
        return f"<{type(self).__name__} {' '.join(changed) or 'of defaults'}>"

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the attributes."""
        return [n for n, v in vars(cls).items() if not n.startswith("_") and not n.isupper() and _is_value(v)]


def _is_value(value: object) -> bool:
    return isinstance(value, (bool, int, str))


def _no_attribute(options: Attributes, name: str) -> str:
    kind = type(options).__name__
    near = difflib.get_close_matches(name, [n for n in dir(type(options)) if not n.startswith("_")], n=1)
    return f"{kind} has no attribute {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _convert(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        if value in (True, False):
            return bool(value)
        raise RknnTypeError(f"{name} takes True or False, not {shown(value)}")
    if isinstance(default, str):
        if isinstance(value, str):
            return value
        raise RknnTypeError(f"{name} takes a string, not {shown(value)}")
    number = _integer(name, value)
    if not isinstance(default, enum.IntEnum):
        return number
    try:
        return type(default)(number)
    except ValueError:
        raise RknnValueError(f"{name}={value!r} is not one of {', '.join(type(default).__members__)}") from None


def _integer(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        # ONNX Runtime's own enumerations are not integers, but convert to them.
        if hasattr(value, "__int__") and hasattr(value, "name"):
            return int(value)
        raise RknnTypeError(f"{name} takes an integer, not {shown(value)}") from None
