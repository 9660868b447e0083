// The lines of an asciicast v2 file (docs.asciinema.org/manual/asciicast/v2): a header, then one event a line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sidrec::cli {

struct AsciicastHeader {
  uint64_t cols = 0;
  uint64_t rows = 0;
  uint64_t timestamp_s = 0;  // when it began, since 1970
  std::string title;
};

// As the format names them.
enum class AsciicastCode : char { kOutput = 'o', kInput = 'i', kResize = 'r', kMarker = 'm' };

// Whole lines, with their '\n'.
std::string asciicast_header(const AsciicastHeader& header);

// `time_ns`: since the beginning. `text`: valid UTF-8.
std::string asciicast_event(uint64_t time_ns, AsciicastCode code, std::string_view text);

}  // namespace sidrec::cli
