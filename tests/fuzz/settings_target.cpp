// The configuration, as the recorder reads it with a parser and the shim without one.

#include "recorder/base/settings.h"
#include "shim/flat_json.h"
#include "tests/fuzz/json.h"
#include "tests/fuzz/target.h"

using namespace sidrec;
using fuzz::expect;

namespace {

// What the shim must find where it finds something.
void check_as_the_shim(const std::string& text, const nlohmann::json& json, const char* key) {
  char value[256];
  if (!flat_json_find(text.c_str(), key, value, sizeof value)) return;
  expect(std::memchr(value, '\0', sizeof value) != nullptr, "what the shim reads has an end");
  if (!json.is_object() || !json.contains(key)) return;  // not JSON: each may make of it what it likes
  const auto& said = json.at(key);
  if (said.is_string()) {
    expect(said.get_ref<const std::string&>().c_str() == std::string_view(value), "shim and recorder read one text");
  } else if (said.is_number_unsigned()) {
    expect(std::to_string(said.get<uint64_t>()) == value, "shim and recorder read one number");
  }
}

}  // namespace

FUZZ_TARGET(settings, input) {
  const std::string text(input.rest());
  const auto [settings, complaints] = settings_from_json(text, "file");
  expect(settings.retry_ms >= 1 && settings.retry_ms <= 600'000, "retry_ms keeps its limits");
  expect(settings.queue_bytes >= 128 * 1024 && settings.queue_bytes <= 1u << 30, "queue_bytes keeps its limits");
  expect(settings.linger_ms <= 600'000 && settings.spare_ms <= 600'000 && settings.order_window_ms <= 500, "times keep their limits");
  expect(settings.spool_bytes <= uint64_t{64} << 30, "spool_bytes keeps its limits");
  for (const std::string& dir : {settings.audit_dir, settings.run_dir}) {
    expect(dir.starts_with('/') && dir.size() <= 1000 && dir.find('\0') == std::string::npos, "a directory is a path");
  }
  const auto [json, twice] = fuzz::json_of(text);  // of a key that is there twice, one takes the first, one the last
  if (json.is_object())
    expect(settings_from_json(json.dump(), "file").settings == settings || twice, "a setting is its value");
  if (twice) return;
  for (const char* key : {"sid", "patience_ms", "audit_dir", "input"}) check_as_the_shim(text, json, key);
}
