#include "recorder/base/sid_path.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "recorder/base/sha256.h"
#include "recorder/base/utc_time.h"

namespace sidrec {
namespace {

constexpr size_t kHashDigits = 32;  // 128 bits
constexpr size_t kSessionIdLength = 36;
constexpr size_t kStartLength = 16;  // YYYYMMDDTHHMMSSZ

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_plain(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         std::string_view("._@:-").find(c) != std::string_view::npos;
}

void append_percent(std::string& out, char c) {
  constexpr char kHex[] = "0123456789ABCDEF";
  const auto byte = static_cast<uint8_t>(c);
  out += '%';
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

std::string joined(std::string_view dir, std::string_view name) {
  std::string path(dir);
  if (path.empty() || path.back() != '/') path += '/';
  return path += name;
}

Result<void> make_directory_chain(const std::string& path) {
  for (size_t slash = path.find('/', 1); true; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0750) != 0 && errno != EEXIST) {
      // A parent on a read-only file system answers EROFS or EACCES although it is there: only its absence counts.
      const int code = errno;
      struct stat found {};
      if (stat(part.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) {
        return errno_error("cannot make the directory " + part, code);
      }
    }
    if (slash == std::string::npos) return {};
  }
}

Result<void> check_not_world_writable(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return errno_error("cannot look at the directory " + path);
  if (!S_ISDIR(found.st_mode)) return Error{path + " is not a directory", ENOTDIR};
  if ((found.st_mode & S_IWOTH) != 0) {
    return Error{path + " can be written by everybody: chmod o-w it, or choose another audit directory", EPERM};
  }
  return {};
}

}  // namespace

std::string encode_sid(std::string_view sid) {
  if (sid.empty()) return "%";
  std::string encoded;
  size_t cut = 0;  // the longest whole prefix that leaves room for the hash
  for (const char c : sid) {
    if (is_plain(c) && !(c == '.' && encoded.empty())) {
      encoded += c;
    } else {
      append_percent(encoded, c);
    }
    if (encoded.size() + 2 + kHashDigits <= kMaxEncodedSid) cut = encoded.size();
  }
  if (encoded.size() <= kMaxEncodedSid) return encoded;
  return encoded.substr(0, cut) + "%-" + sha256_hex(sid, kHashDigits);
}

std::string socket_name(std::string_view sid) { return sha256_hex(sid, kHashDigits) + ".sock"; }
std::string socket_path(std::string_view run_dir, std::string_view sid) { return joined(run_dir, socket_name(sid)); }

std::string sid_dir(std::string_view audit_dir, std::string_view sid) { return joined(audit_dir, encode_sid(sid)); }

Result<void> make_sid_dir(std::string_view audit_dir, std::string_view sid) {
  const std::string path = sid_dir(audit_dir, sid);
  if (auto made = make_directory_chain(path); !made) return made;
  if (auto safe = check_not_world_writable(std::string(audit_dir)); !safe) return safe;
  return check_not_world_writable(path);
}

std::string new_session_id(uint64_t wall_ms) {
  std::array<uint8_t, 16> id{};
  size_t filled = 0;
  while (filled < id.size()) {  // getrandom(2): 16 bytes come whole once the pool is ready; EINTR only before that
    const ssize_t got = getrandom(id.data() + filled, id.size() - filled, 0);
    if (got > 0) filled += static_cast<size_t>(got);
  }
  for (size_t i = 0; i < 6; ++i) id[i] = static_cast<uint8_t>(wall_ms >> (8 * (5 - i)));
  id[6] = static_cast<uint8_t>((id[6] & 0x0f) | 0x70);
  id[8] = static_cast<uint8_t>((id[8] & 0x3f) | 0x80);

  std::string text;
  for (size_t i = 0; i < id.size(); ++i) {
    constexpr char kHex[] = "0123456789abcdef";
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[id[i] >> 4];
    text += kHex[id[i] & 15];
  }
  return text;
}

bool is_session_id(std::string_view text) {
  if (text.size() != kSessionIdLength) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool fits = dash ? text[i] == '-' : is_digit(text[i]) || (text[i] >= 'a' && text[i] <= 'f');
    if (!fits) return false;
  }
  return true;
}

std::string trail_name(uint64_t start_wall_ns, std::string_view session) {
  const UtcTime t = utc_of_seconds(start_wall_ns / 1'000'000'000u);
  std::array<char, 80> start{};  // far more than kStartLength: the compiler counts ten digits a field
  std::snprintf(start.data(), start.size(), "%04u%02u%02uT%02u%02u%02uZ", t.year, t.month, t.day, t.hour, t.minute,
                t.second);
  std::string name(start.data());
  return name.append(1, '-').append(session).append(kTrailSuffix);
}

std::string SegmentName::text() const {
  std::string name = stem;
  if (number > 1) name.append(".").append(std::to_string(number));
  return name.append(kTrailSuffix).append(compressed ? kCompressedSuffix : "");
}

std::string SegmentName::session() const { return stem.substr(kStartLength + 1); }

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  constexpr size_t kStemLength = kStartLength + 1 + kSessionIdLength;
  if (name.size() < kStemLength || name[kStartLength] != '-') return std::nullopt;
  for (size_t i = 0; i < kStartLength; ++i) {
    const bool fits = i == 8 ? name[i] == 'T' : i == 15 ? name[i] == 'Z' : is_digit(name[i]);
    if (!fits) return std::nullopt;
  }
  if (!is_session_id(name.substr(kStartLength + 1, kSessionIdLength))) return std::nullopt;
  SegmentName parsed;
  parsed.stem = name.substr(0, kStemLength);
  parsed.compressed = name.ends_with(kCompressedSuffix);
  const std::string_view rest = name.substr(kStemLength);
  if (rest.starts_with('.')) std::from_chars(rest.data() + 1, rest.data() + rest.size(), parsed.number);
  // Only as it is written: no leading zeros, nothing in between.
  if (parsed.number == 0 || parsed.text() != name) return std::nullopt;
  return parsed;
}

}  // namespace sidrec
