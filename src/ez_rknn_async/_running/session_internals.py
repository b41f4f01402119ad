# SPDX-License-Identifier: Apache-2.0
"""The members of ``InferenceSession`` that are not public: its text, and those that programs read all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._host.process_bound import ProcessBound, never_raising

if TYPE_CHECKING:
    from .._tensors.node_arg import NodeArg
    from .deployment import Deployment


class SessionInternals(ProcessBound):
    """Private members of ONNX Runtime's session that existing programs read, by the same names."""

    if TYPE_CHECKING:
        _deployment: Deployment

    @never_raising
    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._deployment}>"

    @property
    def _sess(self) -> Any:
        # ONNX Runtime's native session has the same methods.
        return self

    @property
    def _model_path(self) -> str | None:
        return self._deployment.model_path

    @property
    def _providers(self) -> list[str]:
        return [self._deployment.provider]

    @property
    def _provider_options(self) -> dict[str, dict[str, Any]]:
        return self._deployment.provider_options()

    @property
    def _inputs_meta(self) -> list[NodeArg]:
        return self._deployment.executor.signature.node_args()[0]

    @property
    def _outputs_meta(self) -> list[NodeArg]:
        return self._deployment.executor.signature.node_args()[1]
