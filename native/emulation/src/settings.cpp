#include "emulation/settings.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "emulation/src/device.h"

namespace silverlode::emulation {

namespace {

bool parse_number(std::string_view text, uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_bytes(std::string_view text, size_t* bytes) {
  int shift = 0;
  if (!text.empty()) {
    if (text.back() == 'K') shift = 10;
    if (text.back() == 'M') shift = 20;
    if (text.back() == 'G') shift = 30;
  }
  if (shift != 0) text.remove_suffix(1);
  uint64_t count = 0;
  if (!parse_number(text, &count)) return false;
  *bytes = static_cast<size_t>(count) << shift;
  return true;
}

// "name" or "name:number".
bool parse_seeded(std::string_view text, std::string_view name, uint64_t* seed) {
  if (text == name) return true;
  if (!text.starts_with(name) || text[name.size()] != ':') return false;
  return parse_number(text.substr(name.size() + 1), seed);
}

bool parse_order(std::string_view text, Settings* into) {
  if (text == "forward") return into->order = Order::kForward, true;
  if (text == "reverse") return into->order = Order::kReverse, true;
  into->order = Order::kRandom;
  return parse_seeded(text, "rand", &into->order_seed);
}

bool parse_streams(std::string_view text, Settings* into) {
  if (text == "eager") return into->streams = StreamMode::kEager, true;
  if (text == "lazy") return into->streams = StreamMode::kLazy, true;
  into->streams = StreamMode::kRandom;
  return parse_seeded(text, "rand", &into->streams_seed);
}

bool parse_failure(std::string_view text, Settings* into) {
  static const std::set<std::string_view> kinds = {"malloc", "host", "copy", "launch", "create", "kernel"};
  if (text == "device") return into->no_device = true;
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || !kinds.contains(text.substr(0, colon))) return false;
  uint64_t call = 0;
  if (!parse_number(text.substr(colon + 1), &call) || call == 0) return false;
  into->failures[std::string(text.substr(0, colon))] = static_cast<int64_t>(call);
  return true;
}

bool parse_one_of(std::string_view text, std::string_view no, std::string_view yes, bool* value) {
  *value = text == yes;
  return text == yes || text == no;
}

bool parse_setting(std::string_view key, std::string_view value, Settings* into) {
  if (key == "order") return parse_order(value, into);
  if (key == "streams") return parse_streams(value, into);
  if (key == "copies") return parse_one_of(value, "lazy", "eager", &into->copies_at_issue);
  if (key == "memory") return parse_bytes(value, &into->memory_bytes);
  if (key == "fail") return parse_failure(value, into);
  if (key == "on_fault") return parse_one_of(value, "report", "abort", &into->abort_on_fault);
  return false;
}

struct State {
  Settings settings;
  std::map<std::string, int64_t> calls;
};

State& state() {
  static State* const kState = [] {
    auto* made = new State;  // never freed: host threads may outlive static destructors
    const char* text = std::getenv("SILVERLODE_EMULATION");
    if (text != nullptr) made->settings = parse_settings(text);
    if (!made->settings.error.empty()) std::fprintf(stderr, "SILVERLODE_EMULATION: %s\n", made->settings.error.c_str());
    return made;
  }();
  return *kState;
}

}  // namespace

Settings parse_settings(std::string_view text) {
  Settings parsed;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(part.size() == text.size() ? part.size() : part.size() + 1);
    const size_t equals = part.find('=');
    const bool known =
        equals != std::string_view::npos && parse_setting(part.substr(0, equals), part.substr(equals + 1), &parsed);
    if (!known && parsed.error.empty()) parsed.error = "cannot understand \"" + std::string(part) + "\"";
  }
  return parsed;
}

const Settings& settings() { return state().settings; }

void reset(const Settings& next) {
  reset_device();
  state().settings = next;
  state().calls.clear();
}

bool fails_now(const char* kind) {
  const auto wanted = state().settings.failures.find(kind);
  if (wanted == state().settings.failures.end()) return false;
  return ++state().calls[kind] == wanted->second;
}

}  // namespace silverlode::emulation
