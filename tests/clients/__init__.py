# SPDX-License-Identifier: Apache-2.0
"""Programs of other people, from PyPI, unchanged, on the simulated NPU: ``make test-clients TOOLKIT_PYTHON=…``.

Each is installed into an environment of its own under ``build/clients``, with this package beside it, and runs there
three times: in ONNX Runtime, with every inference recorded (``examples/ocr/record.py``); nowhere, while Rockchip's
compiler compiles its networks for the shapes that it used (``examples/ocr/compile.py``); and through the stand-in. What
it prints has to be the same. Environments and compiled networks are kept until what they were made from changes.
"""
