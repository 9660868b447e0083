#include "recorder/trail/last_line.h"

#include "recorder/trail/seal.h"

namespace sidrec {
namespace {

// Session.end and a seal are far shorter, both together.
constexpr size_t kLook = 64 * 1024;

// Takes the last line off, without its '\n'.
std::string_view take_last_line(std::string_view& lines) {
  if (lines.empty()) return {};
  lines.remove_suffix(1);
  const size_t begin = lines.rfind('\n') + 1;
  const std::string_view line = lines.substr(begin);
  lines = lines.substr(0, begin);
  return line;
}

}  // namespace

std::optional<TrailEnd> trail_end_of(TrailBytes& bytes) {
  const auto end = bytes.tail(kLook);
  if (!end) return std::nullopt;
  std::string_view lines = *end;
  lines = lines.substr(0, lines.rfind('\n') + 1);  // npos + 1 is 0
  std::string_view last = take_last_line(lines);
  const auto seal = read_seal(last);
  if (is_seal(last)) last = take_last_line(lines);
  if (!is_session_end(last)) return std::nullopt;
  return TrailEnd{std::string(last), seal ? std::string(seal->hash) : std::string()};
}

bool is_session_end(std::string_view line) { return line.starts_with(R"({"ev":"session.end",)"); }

}  // namespace sidrec
