# SPDX-License-Identifier: Apache-2.0
"""The names of ONNX Runtime's native module that programs use: its exceptions, and what needs no ONNX Runtime.

The exceptions are ONNX Runtime's own where it is installed, so that ``except`` clauses catch both its and ours.
"""

from __future__ import annotations

from ...._options.log_severity import set_default_logger_severity as set_default_logger_severity
from ...._options.providers import get_device as get_device
from ...._options.run_options import RunOptions as RunOptions
from ...._options.session_options import ExecutionMode as ExecutionMode
from ...._options.session_options import ExecutionOrder as ExecutionOrder
from ...._options.session_options import GraphOptimizationLevel as GraphOptimizationLevel
from ...._options.session_options import SessionOptions as SessionOptions
from ...._tensors.metadata import ModelMetadata as ModelMetadata
from ...._tensors.node_arg import NodeArg as NodeArg
from ...._values.ort_value import OrtValue as OrtValue
from ..exceptions import DeviceReset as DeviceReset
from ..exceptions import EngineError as EngineError
from ..exceptions import EPFail as EPFail
from ..exceptions import Fail as Fail
from ..exceptions import InvalidArgument as InvalidArgument
from ..exceptions import InvalidGraph as InvalidGraph
from ..exceptions import InvalidProtobuf as InvalidProtobuf
from ..exceptions import ModelLoadCanceled as ModelLoadCanceled
from ..exceptions import ModelLoaded as ModelLoaded
from ..exceptions import ModelRequiresCompilation as ModelRequiresCompilation
from ..exceptions import NoModel as NoModel
from ..exceptions import NoSuchFile as NoSuchFile
from ..exceptions import NotFound as NotFound
from ..exceptions import NotImplemented as NotImplemented
from ..exceptions import RuntimeException as RuntimeException
from ..process_settings import OrtDevice as OrtDevice
from ..process_settings import disable_telemetry_events as disable_telemetry_events
from ..process_settings import enable_telemetry_events as enable_telemetry_events
from ..process_settings import get_build_info as get_build_info
from ..process_settings import get_ep_devices as get_ep_devices
from ..process_settings import get_version_string as get_version_string
from ..process_settings import has_collective_ops as has_collective_ops
from ..process_settings import set_default_logger_verbosity as set_default_logger_verbosity
from ..process_settings import set_seed as set_seed
