# SPDX-License-Identifier: Apache-2.0
"""kserve's inference client, unmodified. Run by ``make test-serve``: MODEL HTTP GRPC INPUT.npy OUTPUT.npy."""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

MODEL, HTTP, _ = sys.argv[1:4]
IMAGE, EXPECTED = np.load(sys.argv[4]), np.load(sys.argv[5])


async def main() -> None:
    client = InferenceRESTClient(config=RESTConfig(protocol="v2"))
    url = f"http://{HTTP}"
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, MODEL)
    for binary in (True, False):
        tensor = InferInput("x", list(IMAGE.shape), "FP32")
        tensor.set_data_from_numpy(IMAGE, binary_data=binary)
        answer = await client.infer(url, InferRequest(model_name=MODEL, infer_inputs=[tensor]), model_name=MODEL)
        assert answer.outputs[0].as_numpy().astype(np.float32).tobytes() == EXPECTED.tobytes()


asyncio.run(main())
print("kserve: all equal")
