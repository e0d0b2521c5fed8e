// Int8 dot products. Products lie in [-127*127, 127*127], so an int32 sum is exact up to dim 133 144; ops limit dim to
// 65 536. `dim` is a multiple of 32; rows and queries are `dim` apart and need no alignment.
#pragma once

#include <cstdint>

namespace silverlode::cpu {

struct Int8Kernels {
  // dots[r] = query · rows[r] for n consecutive rows.
  void (*dot_rows)(const int8_t* query, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots);
  // dots[i] = query · rows[base + index[i]]: only the listed rows are read.
  void (*dot_listed)(const int8_t* query, const int8_t* rows, const int32_t* index, int64_t n, int64_t dim, int32_t* dots);
  // dots[q * n + r] for a few queries (1 to 8) over n consecutive rows: each row is loaded once.
  void (*dot_tile)(const int8_t* queries, int64_t n_queries, const int8_t* rows, int64_t n, int64_t dim, int32_t* dots);
};

const Int8Kernels& int8_kernels_serial();
const Int8Kernels& int8_kernels_avx2();
const Int8Kernels& int8_kernels_avx512vnni();
const Int8Kernels& int8_kernels_neon();

}  // namespace silverlode::cpu
