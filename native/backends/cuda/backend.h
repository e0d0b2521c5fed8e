// The CUDA backend: one function per op (`<op>.cu` beside this file), filled into the table that the plugin hands over.
#pragma once

#include "ops/op.h"

namespace silverlode {

struct BackendTable;

namespace cuda {

const BackendTable& backend_table();

// An op's entry in the table. Every op of ops/all_ops.h defines its own in <op>.cu, or <op>.cpp where it is made of other
// kernels; one that is missing is an undefined reference to entry<Op>.
template <class Op>
OpEntry<typename Op::Args> entry();

}  // namespace cuda

}  // namespace silverlode
