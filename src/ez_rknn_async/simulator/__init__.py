# SPDX-License-Identifier: Apache-2.0
"""The simulated NPU's computation.

* :mod:`.lowering` turns a parsed ``.rknn`` graph into an ONNX model (:func:`.lowering.lower`);
* :mod:`.optimized` has ONNX Runtime optimise the model, once for all sessions, and :mod:`.executable` runs it;
* :mod:`.device` is the device process, ``python -m ez_rknn_async.simulator``, which serves both to the simulated
  runtime library over the wire of ``docs/explanation/device-process.md`` (:mod:`.wire`).

Importing this package imports none of them: a program that only runs models on a board pays nothing for it.
"""
