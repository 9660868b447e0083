#include "recorder/session/sid_template.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <array>

namespace sidrec {
namespace {

constexpr std::string_view kUnknown = "-";
constexpr std::string_view kEnvPrefix = "env:";

std::string address_text(uint8_t family, const uint8_t (&address)[16]) {
  constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* from = address;
  int as = family;
  if (family == AF_INET6 && std::memcmp(address, kMapped, sizeof kMapped) == 0) {
    from = address + sizeof kMapped;
    as = AF_INET;
  }
  if (as != AF_INET && as != AF_INET6) return std::string(kUnknown);
  if (::inet_ntop(as, from, text.data(), text.size()) == nullptr) return std::string(kUnknown);
  return text.data();
}

std::string port_text(uint8_t family, uint16_t port) {
  return family == 0 ? std::string(kUnknown) : std::to_string(port);
}

}  // namespace

std::string SidTemplate::env_value(std::string_view name) const {
  for (std::string_view rest = env_; !rest.empty();) {
    const std::string_view variable = rest.substr(0, rest.find('\0'));
    const size_t equals = variable.find('=');
    if (equals != std::string_view::npos && variable.substr(0, equals) == name) {
      return std::string(variable.substr(equals + 1));
    }
    rest.remove_prefix(std::min(rest.size(), variable.size() + 1));
  }
  return std::string(kUnknown);
}

std::string SidTemplate::value_of(std::string_view word, const ConnOpen& open, std::string_view user) const {
  if (word == "client_ip") return address_text(open.family, open.client_addr);
  if (word == "server_ip") return address_text(open.family, open.server_addr);
  if (word == "client_port") return port_text(open.family, open.client_port);
  if (word == "server_port") return port_text(open.family, open.server_port);
  if (word == "program") return program_.empty() ? std::string(kUnknown) : program_;
  if (word == "user" && !user.empty()) return std::string(user);
  if (word.starts_with(kEnvPrefix)) return env_value(word.substr(kEnvPrefix.size()));
  return std::string(kUnknown);
}

std::string SidTemplate::resolve(const ConnOpen& open, std::string_view user) const {
  std::string sid;
  for (std::string_view rest = text_; !rest.empty() && sid.size() < kMaxSidBytes;) {
    const size_t brace = rest.find('{');
    const size_t end = brace == std::string_view::npos ? brace : rest.find('}', brace);
    if (end == std::string_view::npos) {
      sid += rest;  // an unclosed brace is text
      break;
    }
    sid += rest.substr(0, brace);
    sid += value_of(rest.substr(brace + 1, end - brace - 1), open, user);
    rest.remove_prefix(end + 1);
  }
  if (sid.size() > kMaxSidBytes) sid.resize(kMaxSidBytes);
  return sid;
}

}  // namespace sidrec
