"""Search with a filter as a service: FAISS IVF with 8-bit codes behind FastAPI. `ann.py FOLDER THREADS` prints its port.

`POST /search?filter=3&count=1000&probes=32` with an embedding, float32 [dims]; the answer is int64 [count], best first. What
arrives while a search runs is gathered and searched together, by filter; bitmaps of filters are made once.
"""

import asyncio
import json
import os
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response

MAX_BATCH = 64

folder, threads = Path(sys.argv[1]), int(sys.argv[2])
facts = json.loads((folder / "networks.json").read_text())
dims, items = facts["dims"], facts["items"]


def build():
    rows = np.fromfile(folder / "items.f32", dtype="<f4").reshape(items, dims)
    faiss.omp_set_num_threads(threads)
    index = faiss.index_factory(dims, f"IVF{facts['clusters']},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    return index


def selector(number):
    mask = np.fromfile(folder / f"filter{number}.u8", dtype=np.uint8)
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))


index = build()
selectors = [selector(number) for number in range(facts["filters"])]


def search(key, embeddings):
    number, count, probes = key
    parameters = faiss.SearchParametersIVF(sel=selectors[number], nprobe=probes)
    return index.search(embeddings, count, params=parameters)[1]


class Gathering:
    """Searches one batch at a time beside the event loop."""

    def __init__(self):
        self.waiting = {}
        self.pool = ThreadPoolExecutor(max_workers=1)
        self.running = None

    def ask(self, key, embedding):
        answer = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(key, []).append((embedding, answer))
        if self.running is None:
            self.running = asyncio.create_task(self.run())
        return answer

    async def run(self):
        while self.waiting:
            # The key that has waited longest; what is left over goes to the end.
            key = next(iter(self.waiting))
            asked = self.waiting.pop(key)
            batch, rest = asked[:MAX_BATCH], asked[MAX_BATCH:]
            if rest:
                self.waiting[key] = rest
            embeddings = np.stack([embedding for embedding, _ in batch])
            found = await asyncio.get_running_loop().run_in_executor(self.pool, search, key, embeddings)
            for (_, answer), ids in zip(batch, found):
                if not answer.done():
                    answer.set_result(ids)
        self.running = None


app = FastAPI(openapi_url=None)
gathering = Gathering()


@app.post("/search")
async def respond(request: Request):
    query = request.query_params
    key = (int(query["filter"]), int(query["count"]), int(query["probes"]))
    embedding = np.frombuffer(await request.body(), dtype="<f4")
    ids = await gathering.ask(key, embedding)
    return Response(ids[ids >= 0].tobytes(), media_type="application/octet-stream")


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


def main():
    threading.Thread(target=end_with_parent, daemon=True).start()
    listening = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": listening.getsockname()[1]}), flush=True)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


main()
