// CUDA graphs: what a stream was asked to do between begin and end, kept for launching again in one call.
#pragma once

#include <cuda_runtime.h>

#include "core/status.h"

namespace silverlode::cuda {

Status begin_graph(cudaStream_t stream);

// Ends the recording, also after an error in it. `executable` is updated where CUDA can (same kernels and order, other
// arguments and grids), else left alone and replaced by a new one, which the caller owns.
Status end_graph(cudaStream_t stream, cudaGraphExec_t& executable);

Status launch_graph(cudaGraphExec_t executable, cudaStream_t stream);

void destroy_graph(cudaGraphExec_t executable);

}  // namespace silverlode::cuda
