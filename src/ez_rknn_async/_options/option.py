"""One option: what it takes, its default, its other names and its documentation, said once.

A frozen dataclass declares each of its fields with :func:`declare`; what parses a user's dictionary, the keywords of
:func:`make_provider_options`, the command line's help and the tables of the reference are made from that.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_KEY = "option"  # in the metadata of a field


@dataclass(frozen=True)
class Check(Generic[T_co]):
    """The values that an option takes. Calling it with the option's name and what the user gave checks that.

    Attributes:
        parse: does so; it raises RknnValueError or RknnTypeError.
        annotation: the type of what the user may give, as Python source.
        values: the same for readers, in Markdown.
        choices: what there is to choose from, each under its first name; empty where the option takes more than names.
    """

    parse: Callable[[str, Any], T_co]
    annotation: str
    values: str
    choices: tuple[str, ...] = ()

    def __call__(self, name: str, given: Any) -> T_co:
        return self.parse(name, given)


@dataclass(frozen=True)
class Option:
    """What is known of an option besides its name.

    Attributes:
        default: what is in force where the user gives nothing.
        check: what it takes.
        meaning: what it does, in sentences of Markdown.
        see: a link to the page that says more, for a page in ``docs/reference``; otherwise "".
        aliases: its other names.
        unset: what a default of None means, in Markdown.
    """

    default: Any
    check: Check[Any]
    meaning: str
    see: str = ""
    aliases: tuple[str, ...] = ()
    unset: str = "none"

    @property
    def shown_default(self) -> str:
        """The default as the reference writes it."""
        if self.default is None or self.default == ():
            return self.unset
        if isinstance(self.default, str):
            return f'`"{self.default}"`'
        return f"`{self.default}`"


def declare(
    default: T, check: Check[T], meaning: str, *, see: str = "", aliases: tuple[str, ...] = (), unset: str = "none"
) -> T:
    """A field of a dataclass that is an :class:`Option`; to type checkers, its default."""
    option = Option(default, check, meaning, see, aliases, unset)
    declaration: T = field(default=default, metadata={_KEY: option})
    return declaration


def declared(options: type) -> dict[str, Option]:
    """The options that a dataclass declares, by name."""
    return {each.name: each.metadata[_KEY] for each in fields(options)}
