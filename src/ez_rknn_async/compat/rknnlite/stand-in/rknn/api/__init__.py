# SPDX-License-Identifier: Apache-2.0
"""``from rknn.api import RKNN``."""

from ez_rknn_async.compat.rknnlite import RKNN

__all__ = ["RKNN"]
