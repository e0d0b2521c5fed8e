#include "ops/ivf_scan.h"

#include "backends/cpu/scan.h"
#include "ops/check.h"

namespace silverlode::cpu {

namespace {

size_t workspace(const Context& context, const IvfScan::Args& args) {
  Carve carve;
  Scan(context, args, carve);
  return carve.bytes();
}

Status check_requests(const IvfScan::Args& args) {
  if (args.words * kWordRows < args.n_rows) {
    return make_error(Code::kShapeMismatch, "%s: %lld mask words are too few for %lld rows", IvfScan::kName,
                      static_cast<long long>(args.words), static_cast<long long>(args.n_rows));
  }
  for (int64_t request = 0; request < args.batch; ++request) {
    if (args.mask_of[request] < -1 || args.mask_of[request] >= args.batch) {
      return make_error(Code::kInvalidArgument, "%s: mask_of[%lld] is %d, outside [-1, %lld)", IvfScan::kName,
                        static_cast<long long>(request), args.mask_of[request], static_cast<long long>(args.batch));
    }
  }
  for (int64_t query = 0; query < args.batch * args.heads; ++query) {
    if (args.counts[query] < 0 || args.counts[query] > args.n_clusters) {
      return make_error(Code::kInvalidArgument, "%s: query %lld has %d clusters of %lld", IvfScan::kName,
                        static_cast<long long>(query), args.counts[query], static_cast<long long>(args.n_clusters));
    }
  }
  return ok_status();
}

Status run(Context& context, const IvfScan::Args& args, Workspace workspace) {
  SILVERLODE_RETURN_IF_ERROR(check_requests(args));
  Carve carve(workspace.data);
  Scan scan(context, args, carve);
  scan.begin();
  const ScanLists lists = {
      .clusters = args.clusters, .begin = nullptr, .end = args.counts, .n_clusters = args.n_clusters};
  SILVERLODE_RETURN_IF_ERROR(scan.scan(context, lists));
  if (context.cancelled()) return make_error(Code::kAborted, "%s: aborted", IvfScan::kName);
  scan.write(context);
  return ok_status();
}

}  // namespace

template <>
OpEntry<IvfScan::Args> entry<IvfScan>() {
  return {.workspace = workspace, .run = run};
}

}  // namespace silverlode::cpu
