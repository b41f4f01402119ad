# SPDX-License-Identifier: Apache-2.0
"""Pages of the site that are made of what is there: the README, the public names, the parsers of the command.

mkdocs calls the functions that begin with ``on_`` (``hooks`` in mkdocs.yml).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import ez_rknn_async
from ez_rknn_async import model, planning
from ez_rknn_async.cli import parser

ROOT = Path(__file__).resolve().parent.parent.parent
ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):<code>[~.]*([^<]*)</code>")
LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")
API = "reference/api"
EVERY_NAME = f"{API}/*"  # in the navigation: stands for all pages of that folder


def on_config(config: Any) -> Any:
    """Let the navigation name every page of the API."""
    config.nav = _expanded(config.nav)
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for name, content in _pages():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Name files of the repository that are not on the site, where a page links to them."""
    folder = (ROOT / "docs" / page.file.src_uri).parent

    def replaced(link: re.Match[str]) -> str:
        text, target, _ = link.groups()
        path = (folder / target).resolve()
        if "://" in target or path.is_relative_to(ROOT / "docs") or not path.is_relative_to(ROOT):
            return link[0]
        return f"{text} (`{path.relative_to(ROOT)}`)"

    return LINK.sub(replaced, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Show names in docstrings as code, without the role that says what they are."""
    return ROLE.sub(r"<code>\1</code>", html)


def _pages() -> Iterator[tuple[str, str]]:
    yield "index.md", _front_page()
    yield "reference/command.md", _command()
    for page, name in _names().items():
        yield page, f"---\ntitle: {name.rpartition('.')[2]}\n---\n\n::: {name}\n"


def _names() -> dict[str, str]:
    """Return the full name that each page of the API is about."""
    folders = {API: ez_rknn_async, f"{API}/model": model, f"{API}/planning": planning}
    return {
        f"{folder}/{name}.md": f"{module.__name__}.{name}"
        for folder, module in folders.items()
        for name in module.__all__
    }


def _front_page() -> str:
    readme = (ROOT / "README.md").read_text()
    return LINK.sub(_from_docs, readme)


def _from_docs(link: re.Match[str]) -> str:
    text, target, anchor = link.groups()
    if "://" in target:
        return link[0]
    path = target[len("docs/") :] if target.startswith("docs/") else f"../{target}"
    return f"[{text}]({path}{anchor or ''})"


def _command() -> str:
    root = parser()
    parts = ["# The command `ezrknn`", "", *_help(root)]
    for name, subcommand in _subcommands(root):
        parts += [f"## `{name}`", "", *_help(subcommand)]
    return "\n".join(parts)


def _help(one: argparse.ArgumentParser) -> list[str]:
    return ["```text", one.format_help().rstrip(), "```", ""]


def _subcommands(one: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subcommand in action.choices.values():
                yield subcommand.prog, subcommand
                yield from _subcommands(subcommand)


def _expanded(nav: Any) -> Any:
    if nav == EVERY_NAME:
        return list(_names())
    if isinstance(nav, list):
        return [_expanded(each) for each in nav]
    if isinstance(nav, dict):
        return {title: _expanded(each) for title, each in nav.items()}
    return nav
