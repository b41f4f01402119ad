# SPDX-License-Identifier: Apache-2.0
"""What is collected: programs from PyPI only by ``make test-clients``, since they are fetched and compiled for long."""

import os

HEAVY = ["test_ocr.py", "test_onnxruntime_programs.py", "test_rk_transformers.py", "test_ultralytics.py"]

collect_ignore = [] if os.environ.get("EZ_RKNN_TEST_CLIENTS") else HEAVY
