// JSON for comparison with our own readers, which differ where a key is there twice.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

namespace sidrec::fuzz {

struct Json {
  nlohmann::json value;  // discarded: not JSON
  bool twice = false;    // the object has a key twice
};

inline Json json_of(std::string_view text) {
  Json json;
  std::set<std::string> keys;
  json.value = nlohmann::json::parse(
      text,
      [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
        const bool is_key = event == nlohmann::json::parse_event_t::key && depth == 1;
        if (is_key) json.twice = json.twice || !keys.insert(parsed.get<std::string>()).second;
        return true;
      },
      /*allow_exceptions=*/false);
  return json;
}

}  // namespace sidrec::fuzz
