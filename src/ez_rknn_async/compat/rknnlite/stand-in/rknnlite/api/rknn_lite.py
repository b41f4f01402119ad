# SPDX-License-Identifier: Apache-2.0
"""``from rknnlite.api.rknn_lite import RKNNLite``."""

from ez_rknn_async.compat.rknnlite import RKNNLite

__all__ = ["RKNNLite"]
