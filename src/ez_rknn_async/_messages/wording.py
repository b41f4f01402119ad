"""How messages call what the user can set: by the name that the interface in use has for it.

The library's messages are written once, and read by programs' authors, who know an option as a key of a dictionary,
and by users of the command line, who know it as a flag. The command line says so while it runs; see :func:`speaking`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UNSAID: Any = object()
_LONGEST = 100  # characters of a value that a message quotes


@dataclass(frozen=True)
class Wording:
    """What an interface calls options.

    Attributes:
        kind: what stands before a provider option's name where it is first mentioned.
        run_kind: the same for an option of a single run.
        is_python: whether the user has the objects of the package at hand, and can be told to call their methods.
        write: an option's name, with a value as the user would write them; see :func:`is_said`.
    """

    kind: str
    run_kind: str
    is_python: bool
    write: Callable[[str, Any], str]


def is_said(value: Any) -> bool:
    """Whether a value is given to :attr:`Wording.write`."""
    return value is not _UNSAID


def _keyword(name: str, value: Any) -> str:
    return f"{name}={shown(value)}" if is_said(value) else name


PYTHON = Wording("the provider option ", "the run option ", True, _keyword)
_spoken = [PYTHON]  # the last one is in use


@contextlib.contextmanager
def speaking(wording: Wording) -> Iterator[None]:
    """Word all messages of this process like this inside the ``with`` block, whichever thread they come from."""
    _spoken.append(wording)
    try:
        yield
    finally:
        _spoken.remove(wording)


def option(name: str, value: Any = _UNSAID) -> str:
    """An option as the user writes it: ``layout='nhwc'``, or ``--layout nhwc``."""
    return _spoken[-1].write(name, value)


def provider_option(name: str, value: Any = _UNSAID) -> str:
    """The same where it is first mentioned: ``the provider option layout='nhwc'``, or ``--layout nhwc``."""
    return _spoken[-1].kind + option(name, value)


def run_option(name: str, value: Any = _UNSAID) -> str:
    """An option of a single run: ``the run option ztu_modelrt_dispatch_batch``, or ``--dispatch-batch``."""
    return _spoken[-1].run_kind + option(name, value)


def in_python(advice: str) -> str:
    """Advice that is of use only to who writes a program; otherwise ""."""
    return advice if _spoken[-1].is_python else ""


def shown(value: Any) -> str:
    """What an error says that it was given: one short line, also for arrays and what holds them."""
    if isinstance(value, Mapping):
        return f"a dictionary with {_short(', '.join(map(repr, value)))}" if value else "an empty dictionary"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"an array of {value.dtype} {list(value.shape)}"
    if isinstance(value, (list, tuple)) and any(hasattr(item, "shape") for item in value):
        return f"a {type(value).__name__} of {len(value)} values such as {shown(value[0])}"
    return _short(repr(value))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
