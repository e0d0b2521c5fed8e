#include "backends/cuda/backend.h"
#include "backends/cuda/launch.h"
#include "ops/gather_rows.h"

namespace silverlode::cuda {

namespace {

constexpr unsigned kThreads = 256;

__global__ void sl_gather_check(RunError* error, const char* op, const int32_t* index, int64_t n, int64_t table_rows) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    if (index[i] >= table_rows) raise(error, op, Fault::kIndex, index[i], table_rows);
  }
}

// A piece is the widest load that divides a row: 1, 2, 4, 8 or 16 bytes. Neighbouring threads copy neighbouring pieces. A tail
// comes only without batches, where `first` is 0.
template <class Piece>
__global__ void sl_gather_rows(const RunError* error, const Piece* table, const Piece* tail, const int32_t* index,
                               Piece* rows, int64_t n, int64_t index_rows, int64_t table_rows, int64_t row_pieces,
                               Piece missing) {
  if (stopped(error)) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n * row_pieces; i += stride) {
    const int64_t row = i / row_pieces;
    const int32_t from = index[row];
    const int64_t first = row / index_rows * table_rows;
    const int64_t piece = i % row_pieces;
    if (from < 0) {
      rows[i] = missing;
    } else if (from < table_rows) {
      rows[i] = table[(first + from) * row_pieces + piece];
    } else {
      rows[i] = tail[(from - table_rows) * row_pieces + piece];
    }
  }
}

// Four bytes of `missing`, repeated or, where a piece is smaller, zero: only int32 tables have another value.
template <class Piece>
Piece missing_piece(int32_t missing) {
  Piece piece = {};
  auto* bytes = reinterpret_cast<unsigned char*>(&piece);
  for (size_t i = 0; i < sizeof(Piece); ++i) {
    bytes[i] = static_cast<unsigned char>(static_cast<uint32_t>(missing) >> (8 * (i % 4)));
  }
  return piece;
}

template <class Piece>
Status gather(const Runtime& device, const GatherRows::Args& args) {
  const int64_t n = args.batch * args.index_rows;
  const int64_t pieces = args.row_bytes / static_cast<int64_t>(sizeof(Piece));
  return launch(device, sl_gather_rows<Piece>, grid_for(device, n * pieces, 4 * kThreads, 16), kThreads, 0,
                device.error, reinterpret_cast<const Piece*>(args.table), reinterpret_cast<const Piece*>(args.tail),
                args.index, reinterpret_cast<Piece*>(args.rows), n, args.index_rows, args.table_rows, pieces,
                missing_piece<Piece>(args.missing));
}

Status run(Context& context, const GatherRows::Args& args, Workspace) {
  const Runtime& device = runtime(context);
  const int64_t n = args.batch * args.index_rows;
  if (n == 0) return ok_status();
  const Status status = launch(device, sl_gather_check, grid_for(device, n, 4 * kThreads, 16), kThreads, 0,
                               device.error, GatherRows::kName, args.index, n, args.table_rows + args.tail_rows);
  if (!status.ok() || args.row_bytes == 0) return status;
  // Tensors start where a program's arena or a user's view puts them, so alignment is asked of the addresses too.
  const auto aligned = [&](uintptr_t bytes) {
    return (reinterpret_cast<uintptr_t>(args.table) | reinterpret_cast<uintptr_t>(args.tail) |
            reinterpret_cast<uintptr_t>(args.rows) | static_cast<uintptr_t>(args.row_bytes)) %
               bytes ==
           0;
  };
  if (aligned(16)) return gather<uint4>(device, args);
  if (aligned(8)) return gather<uint2>(device, args);
  if (aligned(4)) return gather<uint32_t>(device, args);
  if (aligned(2)) return gather<uint16_t>(device, args);
  return gather<uint8_t>(device, args);
}

}  // namespace

template <>
OpEntry<GatherRows::Args> entry<GatherRows>() {
  return {nullptr, run, nullptr, nullptr};
}

}  // namespace silverlode::cuda
