"""FAISS as an engine: the commands of protocol.ts, one JSON text a line on stdin and stdout.

python engine.py '{"factory": "IVF1024,SQ8"}'
"""
import json
import os
import sys
import time

import faiss
import numpy as np

replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what a library prints is no reply


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


def assignments_of(index, items):
    """The list of each item."""
    lists = index.invlists
    result = np.full(items, -1, dtype="<i4")
    for number in range(index.nlist):
        size = lists.list_size(number)
        if size > 0:
            result[faiss.rev_swig_ptr(lists.get_ids(number), size)] = number
    return result


class Engine:
    def __init__(self, factory):
        self.factory = factory
        self.index = None
        self.selectors = {}
        self.columns = {}

    def file(self, folder):
        return os.path.join(folder, "index.faiss")

    def about(self):
        level = faiss.SIMDConfig.get_level_name()
        return f"FAISS {faiss.__version__} ({level}) called from Python, {self.factory}"

    def new_index(self, dims, factory):
        return faiss.index_factory(dims, factory, faiss.METRIC_INNER_PRODUCT)

    def build(self, set, folder):
        rows = matrix(set["folder"], "items.fbin")

        def work():
            index = self.new_index(set["dims"], self.factory)
            index.train(rows)
            index.add(rows)
            faiss.write_index(index, self.file(folder))

        return {**timed(work)[1], "about": self.about()}

    def prepare(self, set, folder):
        self.set = set
        self.selectors = {}
        self.columns = {}
        self.queries = matrix(set["folder"], "queries.fbin")

        def work():
            self.index = faiss.read_index(self.file(folder))
            self.index.search(self.queries[:1], 10)

        return timed(work)[1]

    def selector(self, filter, listed):
        """Made once: a bitmap, or a list of ids, which a flat index goes through without looking at other rows."""
        if filter == "":
            return None
        key = (filter, listed)
        if key not in self.selectors:
            mask = self.column(filter)
            self.selectors[key] = (
                faiss.IDSelectorArray(np.flatnonzero(mask))
                if listed
                else faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
            )
        return self.selectors[key]

    def column(self, filter):
        if filter not in self.columns:
            path = os.path.join(self.set["folder"], f"{filter}.u8")
            self.columns[filter] = np.fromfile(path, dtype=np.uint8).astype(bool)
        return self.columns[filter]

    def parameters(self, filter, effort):
        sel = self.selector(filter, effort.get("list", 0) > 0)
        if "efSearch" in effort:
            return faiss.SearchParametersHNSW(efSearch=effort["efSearch"], sel=sel)
        if "k_factor" in effort:
            base = faiss.SearchParametersIVF(nprobe=effort["nprobe"], sel=sel)
            return faiss.IndexRefineSearchParameters(k_factor=effort["k_factor"], base_index_params=base)
        if "nprobe" in effort:
            return faiss.SearchParametersIVF(nprobe=effort["nprobe"], sel=sel)
        return faiss.SearchParameters(sel=sel)

    def run(self, mode, batch, threads, filter, effort, k, queries, idsFile=None):
        if self.index is None:
            raise Refused("NOT_PREPARED", "run before prepare")
        faiss.omp_set_num_threads(threads)
        params = self.parameters(filter, effort)
        known = self.set["queries"]
        search, rows, clock = self.index.search, self.queries, time.perf_counter
        calls, lists = [], []
        search(rows[:1], k, params=params)
        # "list": 0 a bitmap made beforehand, 1 a list of ids that each call makes from the column, 2 such a list made beforehand
        column = self.column(filter) if effort.get("list") == 1 else None

        def work():
            nonlocal params
            for first in range(0, queries, batch):
                begin = first % known
                count = min(batch, queries - first)
                started = clock()
                if column is not None:
                    params = faiss.SearchParameters(sel=faiss.IDSelectorArray(np.flatnonzero(column)))
                _, ids = search(rows[begin : begin + count], k, params=params)
                calls.append((clock() - started) * 1000)
                if idsFile is not None:
                    lists.append(ids)

        _, times = timed(work)
        if idsFile is not None:
            np.concatenate(lists).astype("<i4").tofile(idsFile)
        return {**times, "calls": calls}

    def open(self, set, folder, how, k):
        query = matrix(set["folder"], "queries.fbin")[:1]
        flags = faiss.IO_FLAG_MMAP_IFC if how == "mmap" else 0

        def work():
            index = faiss.read_index(self.file(folder), flags)
            if hasattr(index, "nprobe"):
                index.nprobe = 32
            index.search(query, k)

        return timed(work)[1]

    def cluster(self, set, clusters, iterations, threads, assignmentsFile):
        faiss.omp_set_num_threads(threads)
        rows = matrix(set["folder"], "items.fbin")
        index = self.new_index(set["dims"], f"IVF{clusters},SQ8")
        if iterations > 0:
            index.cp.niter = iterations

        def work():
            index.train(rows)
            index.add(rows)

        _, times = timed(work)
        assignments_of(index, set["items"]).tofile(assignmentsFile)
        return times


def follow(engine, line):
    try:
        command = json.loads(line)
    except ValueError as error:
        raise Refused("BAD_COMMAND", f"not JSON: {error}") from error
    if not isinstance(command, dict) or len(command) != 1:
        raise Refused("BAD_COMMAND", "a command is an object with one key, its name")
    [(name, arguments)] = command.items()
    if name not in ("build", "prepare", "run", "open", "cluster"):
        raise Refused("BAD_COMMAND", f"no command '{name}'; there are build, prepare, run, open, cluster")
    return getattr(engine, name)(**arguments)


def main():
    engine = Engine(**json.loads(sys.argv[1]))
    for line in sys.stdin:
        try:
            reply = {"ok": follow(engine, line)}
        except Refused as error:
            reply = {"error": {"code": error.code, "message": str(error)}}
        except Exception as error:  # a library's failure is an answer, and the engine goes on
            reply = {"error": {"code": "FAILED", "message": f"{type(error).__name__}: {error}"}}
        replies.write(json.dumps(reply) + "\n")


main()
