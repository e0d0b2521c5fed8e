"""ScaNN as its guide has it, tree, anisotropic 4-bit codes, reordering: {"leaves": 1024, "reorder": "float32" or "int8"}."""
import importlib.metadata

import numpy as np
import scann

from .common import Engine


class Scann(Engine):
    def __init__(self, leaves, reorder):
        super().__init__()
        self.leaves = leaves
        self.reorder = reorder

    def about(self):
        version = importlib.metadata.version("scann-core")
        return f"ScaNN {version} called from Python, {self.leaves} leaves, 4-bit codes, reordered by {self.reorder}"

    def make(self, set, rows, folder):
        kind = scann.ReorderType.INT8 if self.reorder == "int8" else scann.ReorderType.FLOAT32
        builder = scann.scann_ops_pybind.builder(rows, 100, "dot_product")
        builder = builder.tree(self.leaves, self.leaves // 10, training_sample_size=min(len(rows), 256 * self.leaves))
        builder = builder.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(300, quantize=kind)
        builder.build().serialize(folder, relative_path=True)  # the folder is renamed

    def load(self, folder):
        return scann.scann_ops_pybind.load_searcher(folder)

    def searcher(self, filter, effort, k, threads):
        leaves = effort.get("leaves", self.leaves // 10)
        among = max(k, round(effort.get("reordered", 3) * k))
        index = self.index
        index.set_num_threads(threads)

        def search(rows):
            if len(rows) == 1:
                return np.expand_dims(index.search(rows[0], k, among, leaves)[0].astype("<i4"), 0)
            batched = index.search_batched_parallel if threads > 1 else index.search_batched
            return batched(rows, k, among, leaves)[0].astype("<i4")

        return search

    def first_answer(self, folder, how, query, k):
        self.load(folder).search(query[0], k)


ENGINE = Scann
