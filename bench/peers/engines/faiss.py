"""FAISS by a factory text: {"factory": "IVF1024,SQ8"}."""
import os

import faiss
import numpy as np

from .common import Engine, matrix, timed


def assignments_of(index, items):
    """The list of each item."""
    lists = index.invlists
    result = np.full(items, -1, dtype="<i4")
    for number in range(index.nlist):
        size = lists.list_size(number)
        if size > 0:
            result[faiss.rev_swig_ptr(lists.get_ids(number), size)] = number
    return result


class Faiss(Engine):
    def __init__(self, factory):
        super().__init__()
        self.factory = factory
        self.selectors = {}

    def file(self, folder):
        return os.path.join(folder, "index.faiss")

    def about(self):
        level = faiss.SIMDConfig.get_level_name()
        return f"FAISS {faiss.__version__} ({level}) called from Python, {self.factory}"

    def new_index(self, dims, factory):
        return faiss.index_factory(dims, factory, faiss.METRIC_INNER_PRODUCT)

    def make(self, set, rows, folder):
        index = self.new_index(set["dims"], self.factory)
        index.train(rows)
        index.add(rows)
        faiss.write_index(index, self.file(folder))

    def load(self, folder):
        self.selectors = {}
        return faiss.read_index(self.file(folder))

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

    def parameters(self, filter, effort):
        sel = self.selector(filter, effort.get("list", 0) > 0)
        if "efSearch" in effort:
            return faiss.SearchParametersHNSW(efSearch=effort["efSearch"], sel=sel)
        if "k_factor" in effort:
            base = faiss.SearchParametersIVF(nprobe=effort["nprobe"], sel=sel)
            return faiss.IndexRefineSearchParameters(k_factor=effort["k_factor"], base_index_params=base)
        if "nprobe" in effort:
            return faiss.SearchParametersIVF(nprobe=effort["nprobe"], sel=sel)
        return faiss.SearchParameters(sel=sel) if sel is not None else None

    def searcher(self, filter, effort, k, threads):
        faiss.omp_set_num_threads(threads)
        search = self.index.search
        # "list": 0 a bitmap made beforehand, 1 a list of ids that each call makes from the column, 2 such a list made beforehand
        if effort.get("list") == 1:
            column = self.column(filter)
            listed = lambda: faiss.SearchParameters(sel=faiss.IDSelectorArray(np.flatnonzero(column)))  # noqa: E731
            return lambda rows: search(rows, k, params=listed())[1]
        params = self.parameters(filter, effort)
        return lambda rows: search(rows, k, params=params)[1]

    def first_answer(self, folder, how, query, k):
        index = faiss.read_index(self.file(folder), faiss.IO_FLAG_MMAP_IFC if how == "mmap" else 0)
        if hasattr(index, "nprobe"):
            index.nprobe = 32
        index.search(query, k)

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


ENGINE = Faiss
