// Checks that the clustering ops share.
#pragma once

#include <cstdint>
#include <limits>

#include "ops/check.h"

namespace silverlode {

// Rows and clusters are numbered with int32. A symbolic count passes; it is checked when it is known.
inline Status check_ids_fit(const char* op, const char* input, int64_t count) {
  if (count <= std::numeric_limits<int32_t>::max()) return ok_status();
  return make_error(Code::kLimitExceeded, "%s: '%s' has %lld rows, more than int32 can number", op, input,
                    static_cast<long long>(count));
}

// The attribute `clusters`: a number of clusters that int32 can number.
inline Status parse_clusters(const char* op, const Attributes& attributes, int64_t& clusters) {
  SILVERLODE_RETURN_IF_ERROR(attributes.get("clusters", clusters));
  if (clusters >= 1 && clusters <= std::numeric_limits<int32_t>::max()) return ok_status();
  return make_error(Code::kInvalidArgument, "%s: 'clusters' must be a positive int32, got %lld", op,
                    static_cast<long long>(clusters));
}

}  // namespace silverlode
