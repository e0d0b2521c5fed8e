// Recorded runs of a plan, kept by what a recording depends on: the symbol values and the addresses that are not the plan's own.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace silverlode {

// A few recordings, the least recently used one making room. Sizes vary from request to request, so a key is recorded only
// when it comes back; its first run, launched step by step, also loads what the kernels need.
class Recordings {
 public:
  struct Entry {
    std::vector<int64_t> key;
    std::shared_ptr<void> recording;  // of this key once `ready`; before that of an earlier one, to be updated
    bool ready = false;
    uint64_t used = 0;
  };

  // The entry of a key; `known` tells whether it was seen before.
  Entry& find(const std::vector<int64_t>& key, bool& known);

 private:
  static constexpr size_t kMost = 8;

  std::vector<Entry> entries_;
  uint64_t clock_ = 0;
};

}  // namespace silverlode
