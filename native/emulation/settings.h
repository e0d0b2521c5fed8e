// Knobs of the emulation. The variable SILVERLODE_EMULATION holds them as "key=value,key=value"; native tests set them here.
//
//   order=forward | reverse | rand[:seed]    which thread, warp and block goes first
//   streams=eager | lazy | rand[:seed]       when the work of a stream is done: at the call, when somebody waits, now and then
//   copies=lazy | eager                      asynchronous copies to shared memory land at the wait, or at their issue
//   memory=<bytes>[K|M|G]                    device memory
//   fail=<what>:<n>                          the n-th call of a kind fails (may be given more than once); what is one of
//                                            malloc, host, copy, launch, create (streams, events, graphs), kernel (a fault
//                                            during the n-th kernel); fail=device: there is no device
//   on_fault=report | abort                  a fault in a kernel is an error of the launch, or ends the process
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace silverlode::emulation {

enum class Order { kForward, kReverse, kRandom };
enum class StreamMode { kEager, kLazy, kRandom };

struct Settings {
  Order order = Order::kForward;
  uint64_t order_seed = 1;
  StreamMode streams = StreamMode::kEager;
  uint64_t streams_seed = 1;
  bool copies_at_issue = false;
  size_t memory_bytes = size_t{1} << 30;
  std::map<std::string, int64_t> failures;  // kind -> which call of it fails, from 1
  bool no_device = false;
  bool abort_on_fault = false;
  std::string error;  // why the text was not understood
};

Settings parse_settings(std::string_view text);

// The settings in force: at first those of the environment.
const Settings& settings();

// Puts other settings in force and the device back to its first state: no errors, counters at zero. Nothing may be running.
void reset(const Settings& next);

// Counts a call of a kind; true if this is the one that is to fail.
bool fails_now(const char* kind);

}  // namespace silverlode::emulation
