# SPDX-License-Identifier: Apache-2.0
"""``rknn_log``: the log with the reasons for each -1 or None.

Programs written for RKNNLite look at return codes and then exit: without a log, nothing ever says why. So this log is
not below the package's own logger, which is silent by default. Its records go to the handlers that the program has set
up, and where it has set up none, warnings and errors go to standard error, as is Python's default.
"""

from __future__ import annotations

import logging
import traceback
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

_NAME = "rknnlite"
_FORMAT = "%(levelname).1s %(message)s"


class RknnLog:
    """The log of one object.

    Attributes:
        logger: a ``logging.Logger`` below ``logging.getLogger("rknnlite")``.
    """

    def __init__(self, verbose: bool = False, verbose_file: str | PathLike[str] | None = None) -> None:
        """Begin a log.

        Args:
            verbose: show information too, on standard error.
            verbose_file: a file to append everything to.
        """
        parent = logging.getLogger(_NAME)
        # Not by getLogger(), which would keep the logger, and with it the file, of each object for ever.
        self.logger = logging.Logger(f"{_NAME}.{id(self):x}", _level(verbose, verbose_file))
        self.logger.parent = parent
        if (verbose or verbose_file) and not parent.hasHandlers():
            self._add(logging.StreamHandler(), logging.INFO if verbose else logging.WARNING)
        if verbose_file:
            try:
                self._add(logging.FileHandler(verbose_file), logging.DEBUG)
            except OSError as error:
                self.w(f"verbose_file: {error}")

    def d(self, message: object, *_: object) -> None:
        """Log for debugging."""
        self.logger.debug("%s", message)

    def i(self, message: object, *_: object) -> None:
        """Log for information."""
        self.logger.info("%s", message)

    def w(self, message: object, *_: object) -> None:
        """Warn."""
        self.logger.warning("%s", message)

    def e(self, message: object, *_: object) -> None:
        """Log an error."""
        self.logger.error("%s", message)

    def p(self, message: object, *_: object) -> None:
        """Log at the highest level."""
        self.logger.log(logging.CRITICAL, "%s", message)

    def failed(self, call: str, error: Exception) -> None:
        """Log why a call failed."""
        self.e(f"{call}: {error}")
        self.d("".join(traceback.format_exception(type(error), error, error.__traceback__)))

    def _add(self, handler: logging.Handler, level: int) -> None:
        handler.setLevel(level)
        handler.setFormatter(logging.Formatter(_FORMAT))
        self.logger.addHandler(handler)
        weakref.finalize(self, handler.close)


def _level(verbose: bool, verbose_file: object) -> int:
    if verbose_file:
        return logging.DEBUG
    return logging.INFO if verbose else logging.NOTSET  # then as the parent
