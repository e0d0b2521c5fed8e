// The CPU backend: built in, one function per op (`<op>.cpp` beside this file), SIMD chosen at run time.
#pragma once

#include "backends/cpu/simd/simd_table.h"
#include "backends/cpu/thread_pool.h"
#include "ops/op.h"

namespace silverlode {

struct BackendTable;

namespace cpu {

// What Context::backend points to.
struct Runtime {
  ThreadPool& pool;
  const SimdTable& simd;
};

inline Runtime& runtime(const Context& context) { return *static_cast<Runtime*>(context.backend); }

const BackendTable& backend_table();

// An op's entry in the table. Every op of ops/all_ops.h defines its own in <op>.cpp; one that is missing is an undefined
// reference to entry<Op>.
template <class Op>
OpEntry<typename Op::Args> entry();

}  // namespace cpu

}  // namespace silverlode
