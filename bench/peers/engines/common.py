"""What all engines share: the set's files, the clock, and the commands of protocol.ts."""
import os
import time

import numpy as np


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def matrix(folder, name):
    path = os.path.join(folder, name)
    rows, dims = np.fromfile(path, dtype="<u4", count=2)
    return np.fromfile(path, dtype="<f4", offset=8).reshape(int(rows), int(dims))


def timed(work):
    cpu, started = time.process_time(), time.perf_counter()
    result = work()
    return result, {"wallSeconds": time.perf_counter() - started, "cpuSeconds": time.process_time() - cpu}


class Engine:
    """An engine has `about()`, `make(set, rows, folder)`, `load(folder)` and `searcher(...)`; what it is asked is answered here."""

    def __init__(self):
        self.index = None
        self.columns = {}

    def build(self, set, folder):
        rows = matrix(set["folder"], "items.fbin")
        times = timed(lambda: self.make(set, rows, folder))[1]
        return {**times, "about": self.about()}

    def prepare(self, set, folder):
        self.set = set
        self.columns = {}
        self.queries = matrix(set["folder"], "queries.fbin")

        def work():
            self.index = self.load(folder)
            self.searcher("", {}, 10, 1)(self.queries[:1])

        return timed(work)[1]

    def column(self, filter):
        if filter not in self.columns:
            path = os.path.join(self.set["folder"], f"{filter}.u8")
            self.columns[filter] = np.fromfile(path, dtype=np.uint8).astype(bool)
        return self.columns[filter]

    def run(self, mode, batch, threads, filter, effort, k, queries, idsFile=None):
        if self.index is None:
            raise Refused("NOT_PREPARED", "run before prepare")
        search = self.searcher(filter, effort, k, threads)
        known, rows, clock = self.set["queries"], self.queries, time.perf_counter
        calls, lists = [], []
        search(rows[:1])

        def work():
            for first in range(0, queries, batch):
                begin = first % known
                count = min(batch, queries - first)
                started = clock()
                ids = search(rows[begin : begin + count])
                calls.append((clock() - started) * 1000)
                if idsFile is not None:
                    lists.append(ids)

        _, times = timed(work)
        if idsFile is not None:
            np.concatenate(lists).astype("<i4").tofile(idsFile)
        return {**times, "calls": calls}

    def open(self, set, folder, how, k):
        query = matrix(set["folder"], "queries.fbin")[:1]
        return timed(lambda: self.first_answer(folder, how, query, k))[1]
