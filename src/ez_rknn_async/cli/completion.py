# SPDX-License-Identifier: Apache-2.0
"""``ezrknn completion``: what a shell needs to complete this command, made of the very parsers that read it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .extras import extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHELLS = ("bash", "zsh", "fish")
# By the placeholder of an option's value: what to complete.
_FILES = ("FILE", "[NAME=]FILE", "PATH")
_FOLDERS = ("DIR",)


def register(
    subcommands: argparse._SubParsersAction[argparse.ArgumentParser], root: Callable[[], argparse.ArgumentParser]
) -> None:
    """Add the parser of this command; ``root`` makes the one of the whole command line."""
    parser = subcommands.add_parser(
        "completion",
        help="let a shell complete this command",
        description="Print what lets a shell complete commands, options, choices and files. bash: put it into "
        "~/.local/share/bash-completion/completions/ezrknn; zsh: into _ezrknn, in a folder of $fpath; fish: into "
        "~/.config/fish/completions/ezrknn.fish. Made by shtab, of the extra 'completion', which is needed only now.",
    )
    parser.add_argument("shell", choices=_SHELLS, help="the shell")
    parser.set_defaults(handler=lambda arguments: run(arguments, root()))


def run(arguments: argparse.Namespace, root: argparse.ArgumentParser) -> int:
    """Print the completions of a shell."""
    with extra("completion", "ezrknn completion"):
        import shtab
    for action in _actions(root):
        if isinstance(action, argparse._SubParsersAction):
            for command in action._choices_actions:
                action.choices[command.dest].description = command.help  # a line of a menu has room for few words
        if isinstance(action.choices, dict) and not isinstance(action, argparse._SubParsersAction):
            action.choices = list(action.choices)  # shtab takes a dictionary for one of subcommands
        if action.metavar in _FOLDERS:
            _complete(action, shtab.DIRECTORY)
        elif action.dest == "model" or action.metavar in _FILES:
            _complete(action, shtab.FILE)
    print(shtab.complete(root, shell=arguments.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _complete(action: argparse.Action, how: Any) -> None:
    action.complete = how  # type: ignore[attr-defined]  # where shtab looks for it
