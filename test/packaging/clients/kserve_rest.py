# What KServe's client makes of the service. Usage: kserve_rest.py URL MODEL; prints JSON.
import asyncio
import json
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

url, model = sys.argv[1:]
embedding = np.linspace(-1, 1, 16, dtype=np.float32).reshape(2, 8)


async def infer(client, binary):
    given = InferInput("embedding", [2, 8], "FP32")
    given.set_data_from_numpy(embedding, binary_data=binary)
    wanted = [RequestedOutput(name, parameters={"binary_data": binary}) for name in ("ids", "scores")]
    request = InferRequest(model, [given], parameters={"k": 3}, request_outputs=wanted)
    answer = await client.infer(url, request, model_name=model)
    return {each.name: each.as_numpy().ravel().tolist() for each in answer.outputs}


async def main():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    print(json.dumps({
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model": await client.is_model_ready(url, model),
        "json": await infer(client, False),
        "binary": await infer(client, True),
    }))


asyncio.run(main())
