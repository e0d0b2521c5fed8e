// What is remembered of each kernel.
#pragma once

#include <cstddef>
#include <map>

namespace silverlode::emulation {

// Most dynamic shared memory a kernel may be launched with, where it is not the 48 KB that every kernel may have.
std::map<const void*, size_t>& dynamic_shared_limits();
size_t dynamic_shared_limit(const void* kernel);

}  // namespace silverlode::emulation
