# SPDX-License-Identifier: Apache-2.0
"""Models behind the Open Inference Protocol, for clients of KServe and Triton: ``ezrknn serve``.

A request goes through ``codec`` (bytes of a REST body, or ``grpc_service`` for gRPC) to one ``request.InferRequest``;
``server`` finds the model in the ``repository`` and turns tensors into arrays; ``admission`` lets it wait for its turn;
``served_model`` submits it to the session. What carries the bytes is a library's: starlette under uvicorn, and grpcio.
"""
