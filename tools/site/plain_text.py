# SPDX-License-Identifier: Apache-2.0
"""The site for programs that read: ``llms.txt`` lists all pages, and ``llms-full.txt`` has their text.

mkdocs calls the functions that begin with ``on_`` (``hooks`` in mkdocs.yml).
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

GENERATED = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)  # where the page of a name gets its docstrings
CODE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
FIRST_PARAGRAPH = re.compile(r"^(?![#>|!\s])\S.*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


class _Text(NamedTuple):
    title: str
    address: str
    text: str


_texts: dict[str, _Text] = {}  # by the page's file


def on_page_markdown(markdown: str, page: Any, **_: Any) -> None:
    """Keep what the page says."""
    text = GENERATED.sub(lambda name: _described(name[1]), markdown)
    _texts[page.file.src_uri] = _Text(str(page.title or page.file.name), page.file.url or "index.html", text)


def on_nav(nav: Any, **_: Any) -> None:
    """Keep the order of the pages."""
    global _sections
    _sections = [(section.title, [page.file.src_uri for page in _pages_of(section)]) for section in nav.items]


_sections: list[tuple[str, list[str]]] = []


def on_post_build(config: Any) -> None:
    """Write both files."""
    title = f"# {config.site_name}\n\n> {config.site_description}\n"
    index, full = [title], [title]
    for name, pages in _sections:
        index.append(f"## {name}\n")
        for each in (_texts[page] for page in pages):
            index.append(f"- [{each.title}]({each.address}): {_first_sentence(each.text)}".rstrip(": "))
            full.append(f"{each.text.strip()}\n")
        index.append("")
    folder = Path(config.site_dir)
    (folder / "llms.txt").write_text("\n".join(index))
    (folder / "llms-full.txt").write_text("\n".join(full))


def _pages_of(item: Any) -> Iterator[Any]:
    if item.is_page:
        yield item
    for child in item.children or ():
        yield from _pages_of(child)


def _first_sentence(markdown: str) -> str:
    paragraph = FIRST_PARAGRAPH.search(CODE.sub("", markdown))
    return re.split(r"(?<=[.:])\s", " ".join(paragraph[0].split()), maxsplit=1)[0] if paragraph else ""


def _described(name: str) -> str:
    module, _, attribute = name.rpartition(".")
    exported = getattr(importlib.import_module(module), attribute)
    parts = [f"# {attribute}{_signature(exported)}", inspect.getdoc(exported) or ""]
    if inspect.isclass(exported):
        for member in (member for member in vars(exported) if not member.startswith("_")):
            value = getattr(exported, member)
            parts += [f"## {member}{_signature(value)}", inspect.getdoc(value) or ""]
    return "\n\n".join(parts)


def _signature(exported: Any) -> str:
    try:
        return str(inspect.signature(exported)) if callable(exported) else ""
    except ValueError:
        return ""
