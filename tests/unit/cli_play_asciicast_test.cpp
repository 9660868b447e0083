// UTF-8 that comes in pieces, and the lines of an asciicast.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "recorder/base/clock.h"
#include "recorder/cli/asciicast.h"
#include "recorder/cli/utf8_joiner.h"
#include "recorder/trail/utf8.h"

namespace sidrec::cli {
namespace {

constexpr const char* kReplaced = "\xef\xbf\xbd";

TEST(PlayUtf8, joins_a_character_split_anywhere) {
  const std::string text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xf4\x8f\xbf\xbfz";
  for (size_t first = 0; first <= text.size(); ++first) {
    for (size_t second = first; second <= text.size(); ++second) {
      Utf8Joiner joiner;
      std::string joined;
      for (const auto& piece : {text.substr(0, first), text.substr(first, second - first), text.substr(second)}) {
        const std::string part = joiner.join(piece);
        EXPECT_TRUE(is_utf8(part));
        joined += part;
      }
      EXPECT_EQ(joined + joiner.finish(), text) << first << " " << second;
    }
  }
}

TEST(PlayUtf8, keeps_a_beginning_until_the_rest_comes) {
  Utf8Joiner joiner;
  EXPECT_EQ(joiner.join("x\xe2\x82"), "x");
  EXPECT_EQ(joiner.join("\xac"), "\xe2\x82\xac");
  EXPECT_EQ(joiner.finish(), "");
}

TEST(PlayUtf8, replaces_what_can_never_be_a_character_and_nothing_else) {
  const std::string r = kReplaced;
  const std::pair<std::string, std::string> cases[] = {
      {"a\xff\x62", "a" + r + "b"},
      {"\x80", r},
      {"\xc0\x80", r + r},
      {"\xe2\x82x", r + "x"},
      {"\xe0\x80\x80", r + r + r},
      {"\xed\xa0\x80", r + r + r},
      {"\xf4\x90\x80\x80", r + r + r + r},
      {"\xf0\x9f\x98\xc3\xa4", r + "\xc3\xa4"},
      {"\xe2\xe2\x82\xac", r + "\xe2\x82\xac"},
  };
  for (const auto& [bytes, text] : cases) {
    Utf8Joiner whole;
    EXPECT_EQ(whole.join(bytes) + whole.finish(), text);
    Utf8Joiner byte_by_byte;
    std::string joined;
    for (const char byte : bytes) joined += byte_by_byte.join(std::string(1, byte));
    EXPECT_EQ(joined + byte_by_byte.finish(), text);
  }
}

TEST(PlayUtf8, an_end_within_a_character_is_replaced) {
  Utf8Joiner joiner;
  EXPECT_EQ(joiner.join("\xf0\x9f"), "");
  EXPECT_EQ(joiner.finish(), kReplaced);
  EXPECT_EQ(joiner.finish(), "");
}

TEST(PlayAsciicast, header_is_what_the_format_asks_for) {
  EXPECT_EQ(asciicast_header({101, 33, 1'795'472'999, "alice@203.0.113.7"}),
            "{\"version\":2,\"width\":101,\"height\":33,\"timestamp\":1795472999,\"title\":\"alice@203.0.113.7\"}\n");
  EXPECT_EQ(nlohmann::json::parse(asciicast_header({80, 24, 0, "\"\x1b\xc3\xa4"}))["title"], "\"\x1b\xc3\xa4");
}

TEST(PlayAsciicast, an_event_is_one_line_with_microseconds) {
  EXPECT_EQ(asciicast_event(0, AsciicastCode::kOutput, "# "), "[0.000000,\"o\",\"# \"]\n");
  EXPECT_EQ(asciicast_event(12 * kSecond + 34'567'899, AsciicastCode::kInput, "\r\n\x1b[m\""),
            "[12.034567,\"i\",\"\\r\\n\\u001b[m\\\"\"]\n");
  EXPECT_EQ(asciicast_event(kSecond, AsciicastCode::kResize, "101x33"), "[1.000000,\"r\",\"101x33\"]\n");
}

}  // namespace
}  // namespace sidrec::cli
