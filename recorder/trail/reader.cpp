#include "recorder/trail/reader.h"

#include <algorithm>

namespace sidrec {
namespace {

// 0 to 63; -1 for a byte that is no base64 digit.
int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  text.remove_suffix(padding);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  uint32_t bits = 0;
  uint32_t have = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6 | static_cast<uint32_t>(digit)) & 0xffffff;
    have += 6;
    if (have >= 8) {
      have -= 8;
      bytes += static_cast<char>(bits >> have & 0xff);
    }
  }
  return bytes;
}

}  // namespace

TrailReader::TrailReader(TrailBytes bytes)
    : bytes_(std::make_unique<TrailBytes>(std::move(bytes))), source_(std::make_unique<LineSource>(*bytes_)) {}

Result<TrailReader> TrailReader::open(const std::string& path) {
  auto bytes = TrailBytes::open(path);
  if (!bytes) return bytes.error();
  return TrailReader(std::move(*bytes));
}

Error TrailReader::error_here(std::string_view what) const {
  return Error{source_->line_file() + ":" + std::to_string(source_->line_number()) + ": " + std::string(what)};
}

Result<nlohmann::json> TrailReader::parsed() const {
  auto object = nlohmann::json::parse(line_, nullptr, false);
  if (!object.is_object() || string_at(object, "ev").empty() || number_at(object, "seq") == 0) {
    return error_here("not a line of a trail");
  }
  return object;
}

uint64_t TrailReader::bytes_behind() const {
  const auto size = bytes_->size();
  return size ? *size - std::min(*size, source_->next_offset()) : 0;
}

bool TrailReader::was_shortened() const {
  const auto size = bytes_->size();
  return size && *size < source_->next_offset();
}

std::string string_at(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

uint64_t number_at(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

std::optional<std::string> payload_of(const nlohmann::json& line) {
  if (const auto text = line.find("text"); text != line.end() && text->is_string()) return text->get<std::string>();
  if (const auto b64 = line.find("b64"); b64 != line.end() && b64->is_string()) {
    return decode_base64(b64->get_ref<const std::string&>());
  }
  return std::nullopt;
}

}  // namespace sidrec
