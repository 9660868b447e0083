#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "recorder/session/sid_template.h"

namespace sidrec {
namespace {

ConnOpen client(int family, const char* client_ip, const char* server_ip) {
  ConnOpen open{};
  open.family = static_cast<uint8_t>(family);
  open.client_port = 50122;
  open.server_port = 22;
  EXPECT_EQ(::inet_pton(family, client_ip, open.client_addr), 1);
  EXPECT_EQ(::inet_pton(family, server_ip, open.server_addr), 1);
  return open;
}

std::string resolved(const std::string& text, const ConnOpen& open = client(AF_INET, "203.0.113.7", "10.0.0.9")) {
  return SidTemplate(text, "socat", std::string("TEAM=blue\0EMPTY=\0", 17)).resolve(open);
}

TEST(session_sid_template, every_word_has_its_value) {
  EXPECT_EQ(resolved("{client_ip}:{client_port} {server_ip}:{server_port} {program}"),
            "203.0.113.7:50122 10.0.0.9:22 socat");
  EXPECT_EQ(resolved("team-{env:TEAM}"), "team-blue");
}

TEST(session_sid_template, literal_text_stays_as_it_is) {
  EXPECT_EQ(resolved("demo"), "demo");
  EXPECT_EQ(resolved(""), "");
  EXPECT_EQ(resolved("a } b { c"), "a } b { c");
}

TEST(session_sid_template, what_is_unknown_is_a_dash) {
  EXPECT_EQ(resolved("{user}/{nonsense}/{}/{env:NONE}/{env:TEA}"), "-/-/-/-/-");
  EXPECT_EQ(resolved("{env:EMPTY}"), "");
  EXPECT_EQ(resolved("{client_ip}:{client_port}", ConnOpen{}), "-:-");
}

TEST(session_sid_template, a_value_is_not_a_template) {
  EXPECT_EQ(SidTemplate("{env:X}", "p", std::string("X={client_ip}\0", 14)).resolve(ConnOpen{}), "{client_ip}");
}

TEST(session_sid_template, ipv4_inside_ipv6_is_shown_as_ipv4) {
  EXPECT_EQ(resolved("{client_ip}", client(AF_INET6, "::ffff:203.0.113.7", "::1")), "203.0.113.7");
  EXPECT_EQ(resolved("{client_ip}@{server_ip}", client(AF_INET6, "2001:db8::7", "::1")), "2001:db8::7@::1");
}

TEST(session_sid_template, a_long_sid_is_cut) {
  EXPECT_EQ(resolved(std::string(kMaxSidBytes, 'x')).size(), kMaxSidBytes);
  EXPECT_EQ(resolved(std::string(kMaxSidBytes + 1, 'x')).size(), kMaxSidBytes);
  EXPECT_EQ(resolved(std::string(kMaxSidBytes - 1, 'x') + "{client_ip}").size(), kMaxSidBytes);
}

}  // namespace
}  // namespace sidrec
