# What Triton's own client makes of the service. Usage: tritonclient_http.py HOST:PORT MODEL BIGINT_MODEL; prints JSON.
import json
import sys

import gevent  # noqa: F401, before numpy: the client runs on it
import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

address, model, bigint_model = sys.argv[1:]
client = triton.InferenceServerClient(address)
embedding = np.linspace(-1, 1, 16, dtype=np.float32).reshape(2, 8)


def tensor(name, values, datatype, binary):
    made = triton.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def infer(name=model, binary=True, outputs=None, binary_outputs=True, more=(), **options):
    inputs = [tensor("embedding", embedding, "FP32", binary)] + [tensor(*each, binary) for each in more]
    wanted = outputs and [triton.InferRequestedOutput(each, binary_data=binary_outputs) for each in outputs]
    answer = client.infer(name, inputs, outputs=wanted, **options)
    names = [each["name"] for each in answer.get_response()["outputs"]]
    arrays = {each: answer.as_numpy(each) for each in names}
    return {each: [str(a.dtype), list(a.shape), [x.decode() if isinstance(x, bytes) else x for x in a.ravel().tolist()]]
            for each, a in arrays.items()}


def refusal(**options):
    try:
        infer(**options)
        return "taken"
    except InferenceServerException as error:
        return error.status()


k = ("k", np.array([2, 3], np.int32), "INT32")
filters = ("filter", np.array(["language:en", "*"], dtype=object), "BYTES")
three = {"parameters": {"k": 3}}
print(json.dumps({
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "models": [client.is_model_ready(model), client.is_model_ready("none"), client.is_model_ready(model, "9")],
    "server": client.get_server_metadata(),
    "model": client.get_model_metadata(model),
    "answers": {
        "binary": infer(**three),
        "json": infer(binary=False, outputs=["ids", "scores", "counts"], binary_outputs=False, **three),
        "mixed": infer(binary=False, outputs=["scores", "ids"], **three),
        "gzip": infer(request_compression_algorithm="gzip", response_compression_algorithm="gzip", **three),
        "deflate": infer(binary=False, request_compression_algorithm="deflate", **three),
        "version": infer(model_version="1", **three),
        "timeout": infer(timeout=60_000_000, **three),
    },
    "fields": infer(more=[k, filters, ("exact", np.array([True, False]), "BOOL")]),
    "excluded": infer(more=[("exclude", np.array([[0, 1], [2, 3]], np.int64), "INT64")], parameters={"k": 300}),
    "bigint": infer(name=bigint_model, **three),
    "refused": {
        "output": refusal(outputs=["none"]),
        "parameter": refusal(parameters={"kk": 1}),
        "sequence": refusal(sequence_id=5, sequence_start=True),
        "datatype": refusal(more=[("k", np.array([2, 3], np.float32), "FP32")]),
        "version": refusal(model_version="9"),
        "model": refusal(name="none"),
    },
}))
