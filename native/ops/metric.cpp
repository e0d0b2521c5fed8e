#include "ops/metric.h"

#include <cstring>

namespace silverlode {

Status parse_metric(const char* name, Metric& metric) {
  if (std::strcmp(name, "ip") == 0) {
    metric = Metric::kInnerProduct;
  } else if (std::strcmp(name, "cosine") == 0) {
    metric = Metric::kCosine;
  } else if (std::strcmp(name, "l2") == 0) {
    metric = Metric::kL2;
  } else {
    return make_error(Code::kInvalidArgument, "unknown metric '%s': expected ip, cosine or l2", name);
  }
  return ok_status();
}

}  // namespace silverlode
