# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's log severities, on the one logger of this package.

======== ========= ====================
severity its name  level of ``logging``
======== ========= ====================
0        verbose   DEBUG
1        info      INFO
2        warning   WARNING
3        error     ERROR
4        fatal     CRITICAL
======== ========= ====================
"""

from __future__ import annotations

import logging

from ..errors import RknnValueError

LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
# The severity that leaves the logger unchanged.
DEFAULT = -1


def set_default_logger_severity(severity: int) -> None:
    """Let the logger ``ez_rknn_async`` pass on messages of at least this severity: 0 (everything) to 4 (fatal only).

    The program chooses where the messages go, with the handlers of :mod:`logging`.

    Raises:
        RknnValueError: there is no such severity.
    """
    if severity not in range(len(LEVELS)):
        raise RknnValueError(
            f"severity {severity!r} is not one of 0 (verbose), 1 (info), 2 (warning), 3 (error), 4 (fatal)"
        )
    logging.getLogger("ez_rknn_async").setLevel(LEVELS[severity])
