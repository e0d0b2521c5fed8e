"""Intel SVS: a Vamana graph over float16 rows. Its compressed rows (LVQ) run on Intel's processors only."""
import importlib.metadata
import os

import svs

from .common import Engine


class Svs(Engine):
    def about(self):
        return f"SVS {importlib.metadata.version('scalable-vs')} called from Python, Vamana, degree 64, float16"

    def places(self, folder):
        return [os.path.join(folder, name) for name in ("config", "graph", "rows")]

    def make(self, set, rows, folder):
        parameters = svs.VamanaBuildParameters(alpha=0.95, graph_max_degree=64, window_size=128)
        threads = len(os.sched_getaffinity(0))
        index = svs.Vamana.build(parameters, rows.astype("f2"), svs.DistanceType.MIP, num_threads=threads)
        index.save(*self.places(folder))

    def load(self, folder):
        config, graph, rows = self.places(folder)
        data = svs.VectorDataLoader(rows, svs.DataType.float16)
        return svs.Vamana(config, svs.GraphLoader(graph), data, svs.DistanceType.MIP, num_threads=1)

    def searcher(self, filter, effort, k, threads):
        index = self.index
        index.num_threads = threads
        index.search_window_size = max(k, effort.get("window", k))
        return lambda rows: index.search(rows, k)[0].astype("<i4")

    def first_answer(self, folder, how, query, k):
        self.load(folder).search(query, k)


ENGINE = Svs
