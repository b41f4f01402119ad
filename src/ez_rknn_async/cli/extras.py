# SPDX-License-Identifier: Apache-2.0
"""A clear message where a command lacks packages of an optional extra."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ..errors import RknnError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A board has none of them: it needs only numpy and cffi. By extra, the modules and what one installs for them.
_EXTRAS = {
    "simulator": {"onnx": "onnx", "onnxruntime": "onnxruntime"},
    "convert": {"onnx": "onnx", "onnxruntime": "onnxruntime", "tomli": "tomli"},
    "image": {"PIL": "pillow"},
    "completion": {"shtab": "shtab"},
}


@contextlib.contextmanager
def extra(name: str, who: str) -> Iterator[None]:
    """Explain a failed import of what belongs to an extra; ``who`` needs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = _EXTRAS[name].get((error.name or "").partition(".")[0])
        if package is None:
            raise
        raise RknnError(
            f"{who} needs the package {package}, which is not installed",
            hint=f"install it with: pip install 'ez-rknn-async[{name}]'",
        ) from error
