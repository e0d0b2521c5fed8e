#include "backends/cpu/gemm.h"

#include <algorithm>

namespace silverlode::cpu {

namespace {

constexpr int64_t kColumnBlock = 256;  // inputs widened at once while packing
constexpr int64_t kRowBlock = 128;     // rows that share one pass over the panels: x stays in the second-level cache
constexpr int64_t kPanelGroup = 4;     // panels that one row of the widest level takes at once
constexpr double kTaskWork = 1 << 18;  // multiply-adds below which a task is not worth another thread

// Up to kColumnBlock elements of a weight row as float32; `widened` is used unless they are that already.
const float* widen(const FloatKernels& kernels, const void* weight, DType dtype, int64_t at, int64_t n,
                   float* widened) {
  switch (dtype) {
    case DType::kF16: kernels.widen_f16(static_cast<const uint16_t*>(weight) + at, widened, n); return widened;
    case DType::kBF16: kernels.widen_bf16(static_cast<const uint16_t*>(weight) + at, widened, n); return widened;
    default: return static_cast<const float*>(weight) + at;
  }
}

}  // namespace

void pack_weights(const Context& context, const void* weight, DType dtype, int64_t out_dim, int64_t in_dim, int64_t ld,
                  float* packed, int64_t panel_stride) {
  const FloatKernels& kernels = runtime(context).simd.floats;
  runtime(context).pool.parallel_for(panel_count(out_dim), [&](int64_t panel, int32_t) {
    float* to = packed + panel * panel_stride;
    const int64_t columns = std::min(kPanel, out_dim - panel * kPanel);
    if (columns < kPanel) std::fill(to, to + in_dim * kPanel, 0.0f);
    float widened[kColumnBlock];
    for (int64_t first = 0; first < in_dim; first += kColumnBlock) {
      const int64_t n = std::min(kColumnBlock, in_dim - first);
      for (int64_t column = 0; column < columns; ++column) {
        const int64_t at = (panel * kPanel + column) * ld + first;
        const float* row = widen(kernels, weight, dtype, at, n, widened);
        for (int64_t k = 0; k < n; ++k) to[(first + k) * kPanel + column] = row[k];
      }
    }
  });
}

void gemm(const Context& context, const Gemm& task) {
  if (task.rows == 0) return;
  Runtime& cpu = runtime(context);
  const int64_t panels = panel_count(task.out_dim);
  const int64_t row_blocks = (task.rows + kRowBlock - 1) / kRowBlock;
  // Few rows: the panels are split too, as far as there is work for it.
  const double work = static_cast<double>(task.rows) * static_cast<double>(task.in_dim * task.out_dim);
  const int64_t wanted = std::min(4 * static_cast<int64_t>(cpu.pool.threads()), static_cast<int64_t>(work / kTaskWork));
  const int64_t groups = std::max<int64_t>((panels + kPanelGroup - 1) / kPanelGroup, 1);
  const int64_t splits = std::clamp<int64_t>((wanted + row_blocks - 1) / row_blocks, 1, groups);
  const int64_t step = (groups + splits - 1) / splits * kPanelGroup * kPanel;
  const int64_t column_blocks = (task.out_dim + step - 1) / step;
  cpu.pool.parallel_for(row_blocks * column_blocks, [&](int64_t index, int32_t) {
    const int64_t m = index / column_blocks * kRowBlock;
    const int64_t n = index % column_blocks * step;
    cpu.simd.floats.gemm_packed(task.x + m * task.ldx, task.ldx, std::min(kRowBlock, task.rows - m),
                                task.packed + n * task.in_dim, task.bias == nullptr ? nullptr : task.bias + n,
                                task.in_dim, std::min(step, task.out_dim - n), task.y + m * task.ldy + n, task.ldy,
                                task.activation);
  });
}

}  // namespace silverlode::cpu
