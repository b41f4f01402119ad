# SPDX-License-Identifier: Apache-2.0
"""The errors that a client gets, with the status of each protocol."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import RknnClosedError, RknnError, RknnTypeError, RknnValueError


@dataclass(frozen=True)
class Kind:
    """A kind of error: its status in HTTP, and its code in gRPC by name."""

    http: int
    grpc: str


INVALID = Kind(400, "INVALID_ARGUMENT")
UNAUTHENTICATED = Kind(401, "UNAUTHENTICATED")
NOT_FOUND = Kind(404, "NOT_FOUND")
TOO_LARGE = Kind(413, "RESOURCE_EXHAUSTED")
INTERNAL = Kind(500, "INTERNAL")
UNSUPPORTED = Kind(501, "UNIMPLEMENTED")
UNAVAILABLE = Kind(503, "UNAVAILABLE")


class RefusedError(RknnError):
    """A request that is answered with an error.

    Attributes:
        kind: the status that the client gets.
    """

    def __init__(self, kind: Kind, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


def invalid(message: str, *, hint: str | None = None) -> RefusedError:
    """Return the error for a malformed request."""
    return RefusedError(INVALID, message, hint=hint)


def refusal_of(error: BaseException) -> RefusedError:
    """Return what a client is told of an error: messages of this package in full, of others only the type.

    A stranger's message may hold paths or data that are no client's business.
    """
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, (RknnValueError, RknnTypeError)):
        return invalid(str(error))
    if isinstance(error, RknnClosedError):
        return RefusedError(UNAVAILABLE, "the model was unloaded before the request got its turn; send it again")
    if isinstance(error, RknnError):
        return RefusedError(INTERNAL, str(error))
    return RefusedError(INTERNAL, f"the server failed: {type(error).__name__}; its log has the details")
