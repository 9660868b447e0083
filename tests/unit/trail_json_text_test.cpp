#include <sodium.h>

#include <random>

#include "recorder/trail/json_text.h"
#include "recorder/trail/timestamp.h"
#include "recorder/trail/utf8.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {
namespace {

std::string escaped(std::string_view bytes) {
  std::string out = "before";
  EXPECT_TRUE(append_json_text(out, bytes)) << "not taken as UTF-8";
  return out.substr(6);
}

bool is_text(std::string_view bytes) {
  std::string out = "before";
  const bool text = append_json_text(out, bytes);
  EXPECT_TRUE(text || out == "before") << "a refused payload left " << out;
  return text;
}

std::string base64(std::string_view bytes) {
  std::string out;
  append_base64(out, bytes);
  return out;
}

TEST(JsonText, uses_the_short_escapes_for_line_ends_tab_quote_and_backslash) {
  EXPECT_EQ(escaped("*1\r\n\t\"\\"), R"(*1\r\n\t\"\\)");
}

TEST(JsonText, writes_every_other_control_byte_as_four_digits) {
  EXPECT_EQ(escaped(std::string_view("\0\x01\x08\x0c\x1b\x1f", 6)), R"(\u0000\u0001\u0008\u000c\u001b\u001f)");
}

TEST(JsonText, leaves_the_rest_of_ascii_alone) {
  std::string plain;
  for (char c = ' '; c != '\x7f'; ++c) plain += c;
  plain += '\x7f';
  std::erase(plain, '"');
  std::erase(plain, '\\');
  EXPECT_EQ(escaped(plain), plain);
}

TEST(JsonText, finds_every_special_byte_at_every_place_of_a_word) {
  for (int byte = 0; byte < 128; ++byte) {
    for (size_t place = 0; place < 24; ++place) {
      std::string text(24, '\x7f');
      text[place] = static_cast<char>(byte);
      ASSERT_EQ(nlohmann::json::parse('"' + escaped(text) + '"').get<std::string>(), text) << byte << " at " << place;
    }
  }
}

TEST(JsonText, knows_valid_utf8_at_its_edges) {
  for (const char* text : {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xec\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xef\xbb\xbf"}) {
    EXPECT_EQ(escaped(text), text);
    EXPECT_EQ(escaped("1234567" + std::string(text) + "89"), "1234567" + std::string(text) + "89");
  }
}

TEST(JsonText, refuses_what_is_not_utf8_and_leaves_no_trace_of_it) {
  for (const char* bytes : {
           "\x80",
           "\xbf",  // continuation without a lead
           "\xc0\x80",
           "\xc1\xbf",  // overlong
           "\xe0\x9f\xbf",
           "\xf0\x8f\xbf\xbf",  // overlong
           "\xed\xa0\x80",
           "\xed\xbf\xbf",  // surrogates
           "\xf4\x90\x80\x80",
           "\xf5\x80\x80\x80",  // above U+10FFFF
           "\xff",
           "\xfe",
           "\xc2",
           "\xe2\x82",
           "\xf0\x9f\x98",
           "\xc3(",
           "\xe2\x28\xa1",
           "\xf0\x28\x8c\xbc",
       }) {
    EXPECT_FALSE(is_text(bytes));
    EXPECT_FALSE(is_text(std::string(10'000, 'a') + bytes));
    EXPECT_FALSE(is_text(std::string("12345678") + bytes + "12345678"));
  }
}

TEST(Utf8, is_judged_alike_by_the_automaton_and_by_the_table_of_the_standard) {
  const auto by_sequence = [](std::string_view bytes) {
    const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
    const auto* const end = at + bytes.size();
    size_t length = 1;
    for (; at < end && length != 0; at += length) length = utf8_sequence(at, end);
    return length != 0;
  };
  // Every lead (and some ASCII), every second byte, and the edges of the third and fourth; alone, and across a block's
  // border.
  const std::string edges("\x7f\x80\xbf\xc0");
  for (int lead = 0x70; lead < 256; ++lead) {
    for (int second = 0; second < 256; ++second) {
      for (const char third : edges) {
        for (const char fourth : edges) {
          const std::string bytes{static_cast<char>(lead), static_cast<char>(second), third, fourth};
          for (size_t length = 1; length <= 4; ++length) {
            const std::string_view part = std::string_view(bytes).substr(0, length);
            ASSERT_EQ(is_utf8(part), by_sequence(part)) << lead << ' ' << second;
          }
          const std::string across = std::string(30, 'a') + bytes + std::string(30, 'a');
          ASSERT_EQ(is_utf8(across), by_sequence(across)) << lead << ' ' << second;
        }
      }
    }
  }
}

TEST(JsonText, survives_every_length_around_its_scratch_space) {
  for (size_t length = 4000; length < 4200; ++length) {
    const std::string worst(length, '\x01');
    const std::string plain(length, 'a');
    ASSERT_EQ(escaped(worst).size(), 6 * length);
    ASSERT_EQ(escaped(plain), plain);
  }
}

TEST(JsonText, of_random_bytes_means_the_same_to_a_json_parser_and_agrees_with_it_on_what_is_text) {
  std::mt19937 random(7);
  const std::string_view alphabet("ab\"\\\n\x01\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\x7f", 19);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (size_t left = random() % 40; left > 0; --left) bytes += alphabet[random() % alphabet.size()];
    std::string out;
    const bool text = append_json_text(out, bytes);
    bool expected = true;
    try {
      expected = !nlohmann::json(bytes).dump().empty();
    } catch (const nlohmann::json::type_error&) {
      expected = false;
    }
    ASSERT_EQ(text, expected);
    if (text) {
      ASSERT_EQ(nlohmann::json::parse('"' + out + '"').get<std::string>(), bytes);
    }
  }
}

TEST(Base64, is_that_of_rfc_4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xfb\xff\xbf"), "+/+/");
}

TEST(JsonText, writes_the_base64_that_libsodium_writes_at_every_length_and_with_every_digit) {
  std::mt19937 dice(4648);
  for (size_t length = 0; length < 9000; length += length < 200 ? 1 : 97) {
    std::string bytes(length, '\0');
    for (char& byte : bytes) byte = static_cast<char>(dice());
    std::string expected(sodium_base64_ENCODED_LEN(length, sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(expected.data(), expected.size(), reinterpret_cast<const unsigned char*>(bytes.data()), length,
                      sodium_base64_VARIANT_ORIGINAL);
    expected.pop_back();  // its NUL
    ASSERT_EQ(base64(bytes), expected) << length << " bytes";
  }
}

TEST(JsonName, that_is_not_utf8_is_percent_encoded_and_loses_nothing) {
  std::string out;
  append_json_name(out, "caf\xe9 100%");
  EXPECT_EQ(out, R"("caf%E9 100%25")");
  out.clear();
  append_json_name(out, "say \"\xc3\xa4\" 100%");
  EXPECT_EQ(out, "\"say \\\"\xc3\xa4\\\" 100%\"");
}

std::string timestamp(uint64_t wall_ns) {
  TimestampWriter writer;
  std::string text(kTimestampLength, '?');
  writer.write(text.data(), wall_ns);
  return text;
}

TEST(Timestamp, is_rfc_3339_in_utc_with_microseconds) {
  EXPECT_EQ(timestamp(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(timestamp(seconds_of_utc({2026, 11, 23, 22, 30, 0}) * 1'000'000'000 + 98'999),
            "2026-11-23T22:30:00.000098Z");
  EXPECT_EQ(timestamp(~uint64_t{0}), "2554-07-21T23:34:33.709551Z");
}

TEST(Timestamp, follows_the_clock_over_seconds_and_back) {
  TimestampWriter writer;
  TimestampReader reader;
  std::string text(kTimestampLength, '?');
  for (const uint64_t ns : {1'999'999'000ull, 2'000'000'000ull, 86'400'000'000'000ull, 1'000ull}) {
    writer.write(text.data(), ns);
    EXPECT_EQ(text, timestamp(ns));
    EXPECT_EQ(parse_timestamp(text), ns);
    EXPECT_EQ(reader.read(text), ns);
    EXPECT_EQ(reader.read(text), ns);
    EXPECT_EQ(reader.read(text.substr(0, 26) + "z"), std::nullopt);
  }
}

TEST(Timestamp, that_is_not_one_is_not_guessed_at) {
  for (const char* text :
       {"", "2026-11-23T22:30:00Z", "2026-11-23 22:30:00.000098Z", "2026-13-23T22:30:00.000098Z",
        "2026-11-23T24:30:00.000098Z", "9999-11-23T22:30:00.000098Z", "2026-11-23T22:30:00.000098+"}) {
    EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace sidrec::trail_test
