// Whether a file is a whole shared library for this machine. The dynamic loader does not ask: it maps a file that was cut off,
// and the process dies when the missing part is touched.
#pragma once

#include <string>

namespace silverlode {

// Empty when it is; else what is wrong with it.
std::string library_fault(const std::string& path);

}  // namespace silverlode
