#include "program/recordings.h"

#include <algorithm>

namespace silverlode {

Recordings::Entry& Recordings::find(const std::vector<int64_t>& key, bool& known) {
  ++clock_;
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
  known = found != entries_.end();
  Entry* entry = known ? &*found : nullptr;
  if (!known && entries_.size() < kMost) {
    entry = &entries_.emplace_back();
  } else if (!known) {
    entry = &*std::min_element(entries_.begin(), entries_.end(),
                               [](const Entry& a, const Entry& b) { return a.used < b.used; });
    entry->ready = false;
  }
  if (!known) entry->key = key;
  entry->used = clock_;
  return *entry;
}

}  // namespace silverlode
