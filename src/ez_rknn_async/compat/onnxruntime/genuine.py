# SPDX-License-Identifier: Apache-2.0
"""The real ONNX Runtime, if it is installed."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

logger = logging.getLogger("ez_rknn_async.compat")

ABSENT = "which is not installed; install it: pip install onnxruntime"


def _imported() -> ModuleType | None:
    try:
        module = importlib.import_module("onnxruntime")
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            logger.warning("onnxruntime is installed but cannot be imported: %s", error)
        return None
    except ImportError as error:
        logger.warning("onnxruntime is installed but cannot be imported: %s", error)
        return None
    # A folder of that name in the working directory is a module, too.
    return module if hasattr(module, "InferenceSession") else None


# Imported before the stand-in takes its name, for its own modules import one another by it.
genuine = _imported()
