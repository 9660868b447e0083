#include "recorder/base/sid_path.h"

#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "recorder/base/sha256.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {
namespace {

TEST(Sha256, gives_the_digests_of_the_standard) {
  EXPECT_EQ(sha256_hex("", 64), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc", 64), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 64),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a'), 64),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(EncodeSid, leaves_an_ordinary_sid_readable) {
  EXPECT_EQ(encode_sid("alice@203.0.113.7"), "alice@203.0.113.7");
  EXPECT_EQ(encode_sid("2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(encode_sid("Ticket_4711-b"), "Ticket_4711-b");
}

TEST(EncodeSid, encodes_what_a_file_name_must_not_hold) {
  EXPECT_EQ(encode_sid("a/b"), "a%2Fb");
  EXPECT_EQ(encode_sid(std::string_view("a\0b", 3)), "a%00b");
  EXPECT_EQ(encode_sid("100%"), "100%25");
  EXPECT_EQ(encode_sid("a b\n"), "a%20b%0A");
  EXPECT_EQ(encode_sid("\xff\xc3\xa4"), "%FF%C3%A4");
}

TEST(EncodeSid, never_names_a_hidden_file_nor_the_directory_above) {
  EXPECT_EQ(encode_sid("."), "%2E");
  EXPECT_EQ(encode_sid(".."), "%2E.");
  EXPECT_EQ(encode_sid("../../etc/passwd"), "%2E.%2F..%2Fetc%2Fpasswd");
  EXPECT_EQ(encode_sid(".live"), "%2Elive");
}

TEST(EncodeSid, gives_the_empty_sid_a_name_of_its_own) {
  EXPECT_EQ(encode_sid(""), "%");
  EXPECT_NE(encode_sid("%"), "%");
}

TEST(EncodeSid, keeps_200_bytes_and_cuts_and_hashes_201) {
  const std::string longest(200, 'a');
  EXPECT_EQ(encode_sid(longest), longest);
  const std::string cut = encode_sid(longest + "a");
  EXPECT_EQ(cut.size(), 200u);
  EXPECT_EQ(cut, std::string(166, 'a') + "%-" + sha256_hex(longest + "a", 32));
}

TEST(EncodeSid, never_cuts_inside_an_escape) {
  for (size_t plain = 0; plain < 4; ++plain) {
    const std::string cut = encode_sid(std::string(plain, 'a') + std::string(300, '/'));
    EXPECT_LE(cut.size(), kMaxEncodedSid);
    const size_t mark = cut.rfind("%-");
    ASSERT_NE(mark, std::string::npos);
    EXPECT_EQ((mark - plain) % 3, 0u) << cut;
  }
}

TEST(EncodeSid, tells_long_sids_with_the_same_beginning_apart) {
  const std::string long_sid(5000, 'x');
  EXPECT_NE(encode_sid(long_sid + "1"), encode_sid(long_sid + "2"));
}

TEST(EncodeSid, gives_every_byte_and_pair_of_bytes_a_different_safe_name) {
  std::set<std::string> names;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string name = encode_sid(std::string{static_cast<char>(a), static_cast<char>(b)});
      EXPECT_EQ(name.find('/'), std::string::npos);
      EXPECT_NE(name[0], '.');
      names.insert(name);
    }
  }
  EXPECT_EQ(names.size(), 65536u);
}

TEST(SocketName, is_the_start_of_the_sids_sha256) {
  EXPECT_EQ(socket_name("abc"), "ba7816bf8f01cfea414140de5dae2223.sock");
  EXPECT_EQ(socket_path("/run/sidrec", "abc"), "/run/sidrec/ba7816bf8f01cfea414140de5dae2223.sock");
  EXPECT_EQ(socket_name(std::string(100'000, '/')).size(), 37u);
}

TEST(SessionId, is_a_uuid_of_version_7_that_begins_with_its_time) {
  const std::string id = new_session_id(0x0193'8a5e'7c00);
  EXPECT_TRUE(is_session_id(id)) << id;
  EXPECT_EQ(id.substr(0, 15), "01938a5e-7c00-7");
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos) << id;
}

TEST(SessionId, is_never_the_same_twice) {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(new_session_id(42));
  EXPECT_EQ(ids.size(), 10'000u);
}

TEST(SessionId, from_a_peer_is_checked_before_it_becomes_a_name) {
  EXPECT_FALSE(is_session_id(""));
  EXPECT_FALSE(is_session_id("../../../../../../../../etc/password"));
  EXPECT_FALSE(is_session_id("01938A5E-7c00-7f3a-8b21-5d0c44e1a6f2"));
  EXPECT_FALSE(is_session_id(kSession + "0"));
  EXPECT_TRUE(is_session_id(kSession));
}

TEST(TrailName, is_start_time_and_session) {
  const uint64_t half_past_ten = seconds_of_utc({2026, 11, 23, 22, 30, 0}) * 1'000'000'000;
  EXPECT_EQ(trail_name(half_past_ten + 999'999'999, kSession), "20261123T223000Z-" + kSession + ".jsonl");
  EXPECT_EQ(trail_name(seconds_of_utc({2028, 2, 29, 23, 59, 59}) * 1'000'000'000, kSession).substr(0, 16),
            "20280229T235959Z");
}

TEST(TrailName, gives_its_session_back_and_no_other_name_does) {
  EXPECT_EQ(parse_segment_name(trail_name(0, kSession))->session(), kSession);
  for (const std::string& name :
       {std::string(), std::string(".live"), kSession + ".jsonl", "../61123T223000Z-" + kSession + ".jsonl",
        "20261123T223000Z-" + kSession + ".json", "20261123T223000Z-" + kSession + ".jsonl~"}) {
    EXPECT_FALSE(parse_segment_name(name)) << name;
  }
}

TEST(MakeSidDir, makes_the_whole_chain_closed_to_the_world) {
  const TempDir store;
  ASSERT_OK(make_sid_dir(store / "var/log/sidrec", "a/b"));
  struct stat made {};
  ASSERT_EQ(stat((store / "var/log/sidrec/a%2Fb").c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & S_IRWXO, 0u);
  ASSERT_OK(make_sid_dir(store / "var/log/sidrec", "a/b"));
}

TEST(MakeSidDir, refuses_a_store_that_everybody_can_write) {
  const TempDir store;
  chmod(store.path().c_str(), 01777);
  const auto made = make_sid_dir(store.path(), "a");
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find(store.path()), std::string::npos) << made.error().message;
}

TEST(MakeSidDir, names_the_directory_it_could_not_make) {
  const TempDir store;
  write_file(store / "file", "");
  const auto made = make_sid_dir(store / "file", "a");
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find(store / "file"), std::string::npos) << made.error().message;
}

TEST(UtcTime, agrees_with_the_c_library_over_the_centuries) {
  for (uint64_t seconds = 0; seconds < kMaxUtcSeconds; seconds += 86'399 * 997) {
    const UtcTime t = utc_of_seconds(seconds);
    tm expected{};
    const auto as_time = static_cast<time_t>(seconds);
    gmtime_r(&as_time, &expected);
    ASSERT_EQ(static_cast<int>(t.year), expected.tm_year + 1900);
    ASSERT_EQ(static_cast<int>(t.month), expected.tm_mon + 1);
    ASSERT_EQ(static_cast<int>(t.day), expected.tm_mday);
    ASSERT_EQ(static_cast<int>(t.hour), expected.tm_hour);
    ASSERT_EQ(static_cast<int>(t.second), expected.tm_sec);
    ASSERT_EQ(seconds_of_utc(t), seconds);
  }
}

}  // namespace
}  // namespace sidrec::trail_test
