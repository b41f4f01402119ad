# SPDX-License-Identifier: Apache-2.0
"""The writer of files that repeat the options' declarations: ``make options``.

* ``src/ez_rknn_async/_options/keywords.py``: each provider option as a keyword and as a dictionary's key, for
  editors and type checkers, which read source;
* the tables in ``docs/reference``, between the comments ``<!-- table -->`` and ``<!-- /table -->``.

A test checks that the files are up to date.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from ez_rknn_async._options.provider_options import OPTIONS
from ez_rknn_async._options.run_options import OPTIONS as RUN_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ez_rknn_async._options.option import Option

ROOT = Path(__file__).resolve().parents[1]
KEYWORDS = ROOT / "src" / "ez_rknn_async" / "_options" / "keywords.py"
PAGES = {
    ROOT / "docs" / "reference" / "provider-options.md": ("option", OPTIONS),
    ROOT / "docs" / "reference" / "inputs-and-outputs.md": ("key", RUN_OPTIONS),
}

_WIDTH = 120
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- /table -->)", re.DOTALL)
_MODULE = '''\
# SPDX-License-Identifier: Apache-2.0
"""Each provider option as a keyword, and as the key of a dictionary.

Written by ``make options`` from :class:`.provider_options.ProviderOptions`; change that, not this file. Editors and
type checkers read source, so each name must be in it.
"""

# Annotations are evaluated here, unlike elsewhere: tools read those of a TypedDict at run time.
from collections.abc import Mapping, Sequence
from typing import Any, Optional, TypedDict, Union

from .checks import PathLike
from .provider_options import refuse_both


class Rknpu2ProviderOptions(TypedDict, total=False):
    """The options of a session; see :func:`make_provider_options` for their meaning."""

{keys}


def make_provider_options(
    *,
{keywords}
) -> dict[str, Any]:
    """Return the dictionary for ``InferenceSession(..., provider_options=...)``, without options that are None.

    Args:
{meanings}

    Raises:
        ValueError: both ``schedule`` and ``tp_mode`` are given.
    """
    refuse_both(schedule, tp_mode)
    return {{key: value for key, value in locals().items() if value is not None}}
'''


def keywords() -> str:
    """Return the text of ``keywords.py``."""
    annotations = {
        name: option.check.annotation for name, option in OPTIONS.items() for name in (name, *option.aliases)
    }
    return _MODULE.format(
        keys="\n".join(f"    {name}: {annotation}" for name, annotation in annotations.items()),
        keywords="\n".join(f"    {name}: Optional[{annotation}] = None," for name, annotation in annotations.items()),
        meanings="\n".join(line for name, option in OPTIONS.items() for line in _arguments(name, option)),
    )


def _arguments(name: str, option: Option) -> Iterator[str]:
    """Yield the lines of a docstring on an option and on its other names."""
    values = option.check.values[0].upper() + option.check.values[1:]
    text = f"{name}: {option.meaning} {values} (default: {option.shown_default})."
    yield from _wrapped(text.replace("`", "``"))
    for alias in option.aliases:
        yield from _wrapped(f"{alias}: The same as ``{name}``.")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 12, break_on_hyphens=False, break_long_words=False
    )


def table(heading: str, options: Mapping[str, Option]) -> str:
    """Return the table of these options in Markdown."""
    rows = [
        (heading, "values", "default", "meaning"),
        *(
            (_names(name, option), option.check.values, option.shown_default, _meaning(option))
            for name, option in options.items()
        ),
    ]
    return "\n".join((_row(rows[0]), "|---|---|---|---|", *map(_row, rows[1:]), ""))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _names(name: str, option: Option) -> str:
    return f"`{name}`" + "".join(f" (= `{alias}`)" for alias in option.aliases)


def _meaning(option: Option) -> str:
    return f"{option.meaning} See {option.see}." if option.see else option.meaning


def page(path: Path) -> str:
    """Return the text of a page of the reference with an up-to-date table."""
    written = table(*PAGES[path])
    text, found = _TABLE.subn(lambda _: written, path.read_text())
    assert found == 1, f"{path} has {found} places for a table"
    return text


def main() -> None:
    """Write the files that differ."""
    for path, text in {KEYWORDS: keywords(), **{path: page(path) for path in PAGES}}.items():
        if path.read_text() != text:
            path.write_text(text)
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
