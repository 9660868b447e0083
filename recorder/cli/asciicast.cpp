#include "recorder/cli/asciicast.h"

#include <cstdio>

#include "recorder/base/clock.h"
#include "recorder/trail/json_text.h"

namespace sidrec::cli {

std::string asciicast_header(const AsciicastHeader& header) {
  std::string line = "{\"version\":2,\"width\":" + std::to_string(header.cols) +
                     ",\"height\":" + std::to_string(header.rows) +
                     ",\"timestamp\":" + std::to_string(header.timestamp_s) + ",\"title\":";
  append_json_name(line, header.title);
  return line + "}\n";
}

std::string asciicast_event(uint64_t time_ns, AsciicastCode code, std::string_view text) {
  char time[32];
  std::snprintf(time, sizeof time, "%llu.%06llu", static_cast<unsigned long long>(time_ns / kSecond),
                static_cast<unsigned long long>(time_ns % kSecond / 1000));
  std::string line = "[" + std::string(time) + ",\"" + static_cast<char>(code) + "\",";
  append_json_name(line, text);
  return line + "]\n";
}

}  // namespace sidrec::cli
