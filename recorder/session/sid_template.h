// SidTemplate: names the session of a connection (DESIGN section 4). Pure.
//
// Literal text and {client_ip} {client_port} {server_ip} {server_port} {program} {env:NAME} {user}. What is unknown, as
// a word, as a variable, or of this connection, becomes "-". An IPv4 address inside an IPv6 one is shown as IPv4, so
// that a client has one name whatever the listener's family.
#pragma once

#include <string>
#include <string_view>

#include "recorder/event/event.h"

namespace sidrec {

inline constexpr size_t kMaxSidBytes = 4096;  // as the link allows; the rest is cut off

class SidTemplate {
 public:
  // `env`: NAME=value, each ended by NUL.
  SidTemplate(std::string text, std::string program, std::string env)
      : text_(std::move(text)), program_(std::move(program)), env_(std::move(env)) {}

  // `user`: who has logged in, empty where nobody has.
  std::string resolve(const ConnOpen& open, std::string_view user = {}) const;
  bool needs_user() const { return text_.find("{user}") != std::string::npos; }

 private:
  std::string value_of(std::string_view word, const ConnOpen& open, std::string_view user) const;
  std::string env_value(std::string_view name) const;

  std::string text_;
  std::string program_;
  std::string env_;
};

}  // namespace sidrec
