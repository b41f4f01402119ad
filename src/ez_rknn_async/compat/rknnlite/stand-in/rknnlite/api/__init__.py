# SPDX-License-Identifier: Apache-2.0
"""``from rknnlite.api import RKNNLite``."""

from ez_rknn_async.compat.rknnlite import RKNNLite

__all__ = ["RKNNLite"]
