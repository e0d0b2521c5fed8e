#include "backends/cuda/long_run.h"

#include "ops/check.h"

namespace silverlode::cuda {

Status step_done(const Context& context, const char* op, double done) {
  const Runtime& device = runtime(context);
  if (context.cancel != nullptr || context.progress != nullptr) {
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    SILVERLODE_RETURN_IF_ERROR(status_of(cudaStreamIsCapturing(device.stream, &capture), op));
    if (capture == cudaStreamCaptureStatusNone) {
      SILVERLODE_RETURN_IF_ERROR(status_of(cudaStreamSynchronize(device.stream), op));
    }
  }
  if (context.cancelled()) return make_error(Code::kAborted, "%s was cancelled", op);
  if (context.progress != nullptr) context.progress(context.progress_user, done);
  return ok_status();
}

}  // namespace silverlode::cuda
