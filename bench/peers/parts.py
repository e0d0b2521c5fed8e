"""Other libraries for single parts of the work: the commands prepare and run, one JSON text a line on stdin and stdout.

python parts.py '{"part": "topk", "side": "numpy", "native": "parts.so", "threads": 1}'

run answers {"wallSeconds", "cpuSeconds", "result"} for `repeat` times the work; `result` is compared with what others found.
"""
import ctypes
import json
import os
import sys
import time

config = json.loads(sys.argv[1])
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(config["threads"])  # read when the libraries load

import numpy as np  # noqa: E402

replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what a library prints is no reply

NO_TAG = 255
PRICE_BUCKETS = 256


def timed(work, repeat):
    cpu, started = time.process_time(), time.perf_counter()
    for _ in range(repeat):
        result = work()
    return result, {"wallSeconds": time.perf_counter() - started, "cpuSeconds": time.process_time() - cpu}


def pointer(array, kind):
    return array.ctypes.data_as(ctypes.POINTER(kind))


def load_native(path):
    library = ctypes.CDLL(path)
    library.forward_scan.restype = ctypes.c_int64
    return library


class TopK:
    """Sides: numpy (argpartition), pairs and keys (std::nth_element and std::sort)."""

    def __init__(self, side, native):
        self.side = side
        self.native = load_native(native)

    def prepare(self, folder, inputs):
        self.inputs = {name: np.fromfile(os.path.join(folder, f"{name}.f32"), dtype="<f4") for name in inputs}
        return {"about": f"numpy {np.__version__}" if self.side == "numpy" else "std::nth_element, std::sort"}

    def by_numpy(self, scores, k):
        place = len(scores) - k
        chosen = np.argpartition(scores, place)[place:]
        chosen = chosen[np.argsort(-scores[chosen])]
        return scores[chosen], chosen

    def by_native(self, scores, k):
        best, ids = np.empty(k, dtype=np.float32), np.empty(k, dtype=np.int32)
        function = self.native.top_k_pairs if self.side == "pairs" else self.native.top_k_keys
        function(
            pointer(scores, ctypes.c_float),
            ctypes.c_int64(len(scores)),
            ctypes.c_int64(k),
            pointer(best, ctypes.c_float),
            pointer(ids, ctypes.c_int32),
        )
        return best, ids

    def run(self, input, k, repeat):
        scores = self.inputs[input]
        select = self.by_numpy if self.side == "numpy" else self.by_native
        (best, _), times = timed(lambda: select(scores, k), repeat)
        return {**times, "result": [float(best.astype(np.float64).sum()), float(best[-1])]}


class Filter:
    """Sides: roaring-encoded, roaring-unions (CRoaring), numpy and native (forward scans)."""

    def __init__(self, side, native):
        self.side = side
        self.native = load_native(native)

    def prepare(self, folder, rows):
        def column(name, dtype):
            return np.fromfile(os.path.join(folder, f"{name}.bin"), dtype=dtype)

        self.rows = rows
        self.language, self.genre = column("language", np.uint8), column("genre", np.uint8)
        self.tags, self.in_stock = column("tags", np.uint8), column("in_stock", np.uint8)
        self.year, self.price = column("year", np.int16), column("price", "<i4")
        self.mask = np.empty((rows + 7) // 8, dtype=np.uint8)
        if self.side.startswith("roaring"):
            return self.build_bitmaps()
        return {"about": f"numpy {np.__version__}" if self.side == "numpy" else "C++ loops", "bytes": 10 * rows + 6 * rows}

    def build_bitmaps(self):
        import pyroaring
        from pyroaring import BitMap

        self.BitMap = BitMap

        def of(condition):
            bitmap = BitMap(np.flatnonzero(condition).astype(np.uint32))
            bitmap.run_optimize()
            return bitmap

        self.language_is = [of(self.language == value) for value in range(int(self.language.max()) + 1)]
        self.genre_is = [of(self.genre == value) for value in range(int(self.genre.max()) + 1)]
        columns = self.tags.reshape(3, self.rows)
        highest = int(columns[columns != NO_TAG].max())
        self.tag_is = [of((columns == value).any(axis=0)) for value in range(highest + 1)]
        self.stocked = of(self.in_stock == 1)
        # Items by price: "price <= x" is all of some buckets and, of the next, those whose price says so.
        by_price = np.argsort(self.price, kind="stable").astype(np.uint32)
        ends = np.linspace(0, self.rows, PRICE_BUCKETS + 1).astype(np.int64)[1:]
        self.bucket_tops = self.price[by_price[ends - 1]]
        years = range(int(self.year.min()), int(self.year.max()) + 1)
        pieces = np.split(by_price, ends[:-1])
        if self.side == "roaring-encoded":
            self.year_up_to = {year: of(self.year <= year) for year in [years[0] - 1, *years]}
            self.price_up_to = [BitMap()]
            for piece in pieces:
                self.price_up_to.append(self.price_up_to[-1] | BitMap(np.sort(piece)))
            kept = [*self.year_up_to.values(), *self.price_up_to]
        else:
            self.year_is = {year: of(self.year == year) for year in years}
            self.price_in = [BitMap(np.sort(piece)) for piece in pieces]
            kept = [*self.year_is.values(), *self.price_in]
        kept += [*self.language_is, *self.genre_is, *self.tag_is, self.stocked]
        size = sum(len(bitmap.serialize()) for bitmap in kept) + self.price.nbytes
        return {"about": f"CRoaring (pyroaring {pyroaring.__version__})", "bytes": size}

    def year_range(self, low, high):
        if self.side == "roaring-encoded":
            return self.year_up_to[high] - self.year_up_to[low - 1]
        return self.BitMap.union(*(self.year_is[year] for year in range(low, high + 1)))

    def keep_cheap(self, result, most):
        """Of a small set those at most so dear: whole buckets, and the few in the last one by their prices."""
        bucket = min(int(np.searchsorted(self.bucket_tops, most, side="right")), PRICE_BUCKETS - 1)
        if self.side == "roaring-encoded":
            result &= self.price_up_to[bucket + 1]
            edge = result - self.price_up_to[bucket]
        else:
            result &= self.BitMap.union(*self.price_in[: bucket + 1])
            edge = result & self.price_in[bucket]
        ids = np.frombuffer(edge.to_array(), dtype=np.uint32) if edge else np.empty(0, dtype=np.uint32)
        result -= self.BitMap(ids[self.price[ids] > most])
        return result

    def by_roaring(self, language, genres, tag, years, most):
        """The smallest set first, so that whatever follows only touches what is left."""
        result = self.language_is[language] & (self.genre_is[genres[0]] | self.genre_is[genres[1]])
        result &= self.stocked
        result -= self.tag_is[tag]
        result &= self.year_range(*years)
        return self.keep_cheap(result, most)

    def by_numpy(self, language, genres, tag, years, most):
        rows, block = self.rows, 65536
        total = 0
        for begin in range(0, rows, block):
            part = slice(begin, min(rows, begin + block))
            genre, year = self.genre[part], self.year[part]
            passes = self.language[part] == language
            passes &= (genre == genres[0]) | (genre == genres[1])
            passes &= self.in_stock[part] == 1
            passes &= (year >= years[0]) & (year <= years[1])
            passes &= self.price[part] <= most
            for first in (0, rows, 2 * rows):
                passes &= self.tags[first + part.start : first + part.stop] != tag
            total += int(np.count_nonzero(passes))
            self.mask[part.start // 8 : (part.stop + 7) // 8] = np.packbits(passes, bitorder="little")
        return total

    def by_native(self, language, genres, tag, years, most):
        query = np.array([language, *genres, tag, *years, most], dtype=np.int32)
        byte = ctypes.c_uint8
        return self.native.forward_scan(
            pointer(self.language, byte),
            pointer(self.genre, byte),
            pointer(self.tags, byte),
            pointer(self.in_stock, byte),
            pointer(self.year, ctypes.c_int16),
            pointer(self.price, ctypes.c_int32),
            ctypes.c_int64(self.rows),
            pointer(query, ctypes.c_int32),
            pointer(self.mask, byte),
        )

    def run(self, queries, repeat):
        roaring = self.side.startswith("roaring")
        evaluate = self.by_roaring if roaring else self.by_numpy if self.side == "numpy" else self.by_native
        found, times = timed(lambda: [evaluate(**query) for query in queries], repeat)
        return {**times, "result": [len(each) if roaring else each for each in found]}


class Rerank:
    """Sides: torch (MKL or oneDNN, as PyTorch chooses), numpy (OpenBLAS)."""

    def __init__(self, side, native):
        self.side = side

    def prepare(self, folder, sizes, candidates):
        def floats(name, *shape):
            return np.fromfile(os.path.join(folder, f"{name}.f32"), dtype="<f4").reshape(shape)

        dim = sizes[0] // 3
        self.items, self.user = floats("items", -1, dim), floats("user", dim)
        self.index = np.fromfile(os.path.join(folder, "index.i32"), dtype="<i4").astype(np.int64)
        self.pairs = self.concatenated(np, self.items[self.index])
        self.layers = [
            (floats(f"weight{n}", sizes[n + 1], sizes[n]), floats(f"bias{n}", sizes[n + 1])) for n in range(len(sizes) - 1)
        ]
        self.square = floats("square", 1, -1)
        side = int(np.sqrt(self.square.size))
        self.square = self.square.reshape(side, side)
        if self.side == "torch":
            import torch

            self.torch = torch
            torch.set_num_threads(config["threads"])
            torch.set_grad_enabled(False)
            for name in ("items", "user", "index", "pairs", "square"):
                setattr(self, name, torch.from_numpy(np.ascontiguousarray(getattr(self, name))))
            self.layers = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in self.layers]
            self.bfloat16 = [(w.bfloat16(), b.bfloat16()) for w, b in self.layers]
            return {"about": f"PyTorch {torch.__version__}, oneDNN {torch.backends.mkldnn.is_available()}"}
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return {"about": f"numpy {np.__version__}, {blas['name']} {blas['version']}"}

    def concatenated(self, library, items):
        """`[user, item, user * item]` of every pair, as written down in the textbook."""
        if library is np:
            user = np.broadcast_to(self.user, items.shape)
            return np.concatenate([user, items, user * items], axis=1)
        user = self.user.expand(items.shape)
        return library.cat([user, items, user * items], dim=1)

    def network(self, x, layers):
        last = len(layers) - 1
        for n, (weight, bias) in enumerate(layers):
            if self.side == "torch":
                x = self.torch.nn.functional.linear(x, weight, bias)
                x = x if n == last else x.relu_()
            else:
                x = x @ weight.T
                x += bias
                x = x if n == last else np.maximum(x, 0, out=x)
        return x

    def run(self, what, chunk, repeat):
        torch = self.side == "torch"
        library = self.torch if torch else np

        def one(x):
            return self.network(x.bfloat16(), self.bfloat16).float() if what == "bfloat16" else self.network(x, self.layers)

        def work():
            if what == "square":
                return self.square @ self.square.T
            pieces = []
            for begin in range(0, len(self.index), chunk):
                part = slice(begin, begin + chunk)
                pairs = self.pairs[part] if what != "concat" else self.concatenated(library, self.items[self.index[part]])
                pieces.append(one(pairs))
            return pieces[0] if len(pieces) == 1 else library.cat(pieces) if torch else np.concatenate(pieces)

        result, times = timed(work, repeat)
        return {**times, "result": [float(value) for value in result[:64].flatten()[:256]]}


PARTS = {"topk": TopK, "filter": Filter, "rerank": Rerank}


def follow(part, line):
    [(name, arguments)] = json.loads(line).items()
    if name not in ("prepare", "run"):
        return {"error": {"code": "BAD_COMMAND", "message": f"no command '{name}'"}}
    return {"ok": getattr(part, name)(**arguments)}


def main():
    part = PARTS[config["part"]](config["side"], config["native"])
    for line in sys.stdin:
        try:
            reply = follow(part, line)
        except Exception as error:  # a library's failure is an answer, and the part goes on
            reply = {"error": {"code": "FAILED", "message": f"{type(error).__name__}: {error}"}}
        replies.write(json.dumps(reply) + "\n")


main()
