#include <gtest/gtest.h>

#include <random>

#include "link_events.h"
#include "recorder/link/messages.h"

namespace sidrec::link {
namespace {

Hello full_hello() { return {"r4100", "alice@203.0.113.7", "socat", 4100, 2, SessionIdentity{"0193-ab", -5, 3}, 9}; }

std::vector<Message> one_of_each() {
  static const std::string frame = frame_of({1, 2});
  return {full_hello(), Welcome{{"0193-ab", 77, 1}, 10'000},
          Refuse{"no"}, Request{1, 144, 2, 9},
          Pass{1, 144}, Wait{1, 10'000},
          Data{frame},  Commit{{{0, 64}, {kNoLane, 9}}},
          Bye{},        ByeAck{}};
}

template <typename T>
T decoded(const Message& message) {
  const std::string datagram = encode(message);
  auto back = decode(datagram);
  EXPECT_TRUE(back) << back.error().message;
  return std::get<T>(*back);
}

bool is_accepted(const std::string& datagram) { return static_cast<bool>(decode(datagram)); }
bool is_accepted(const Message& message) { return is_accepted(encode(message)); }

TEST(LinkMessages, every_message_survives_its_encoding) {
  for (const Message& message : one_of_each()) {
    const std::string datagram = encode(message);
    auto back = decode(datagram);
    ASSERT_TRUE(back) << name_of(type_of(message)) << ": " << back.error().message;
    EXPECT_EQ(type_of(*back), type_of(message));
    EXPECT_EQ(encode(*back), datagram) << name_of(type_of(message));
  }
}

TEST(LinkMessages, hello_carries_who_and_which_session) {
  const auto hello = decoded<Hello>(full_hello());
  EXPECT_EQ(hello.rec, "r4100");
  EXPECT_EQ(hello.sid, "alice@203.0.113.7");
  EXPECT_EQ(hello.program, "socat");
  EXPECT_EQ(hello.host_pid, 4100u);
  EXPECT_EQ(hello.connections, 2u);
  ASSERT_TRUE(hello.known);
  EXPECT_EQ(hello.known->session, "0193-ab");
  EXPECT_EQ(hello.known->clock_offset_ns, -5);
  EXPECT_EQ(hello.known->epoch, 3u);
  EXPECT_EQ(hello.oldest_ns, 9u);
  Hello first = full_hello();
  first.known.reset();
  EXPECT_FALSE(decoded<Hello>(first).known);
}

TEST(LinkMessages, body_of_data_begins_eight_aligned) {
  const std::string frame = frame_of({5, 6});
  const std::string datagram = encode(Data{frame});
  auto back = decode(datagram);
  ASSERT_TRUE(back);
  const auto body = std::get<Data>(*back).events;
  EXPECT_EQ(reinterpret_cast<uintptr_t>(body.data()) % 8, 0u);
  EXPECT_EQ(positions_in(body), (std::vector<uint64_t>{1, 2}));
  const MessageHeader header = data_header();
  EXPECT_EQ(datagram.substr(0, 8), std::string(reinterpret_cast<const char*>(&header), sizeof header));
}

TEST(LinkMessages, limits_hold_at_the_limit_and_not_one_past_it) {
  const auto hello_with = [](auto change) {
    Hello hello = full_hello();
    change(hello);
    return hello;
  };
  EXPECT_TRUE(is_accepted(hello_with([](Hello& h) { h.sid = std::string(kMaxSid, '\xff'); })));
  EXPECT_FALSE(is_accepted(hello_with([](Hello& h) { h.sid = std::string(kMaxSid + 1, 's'); })));
  EXPECT_TRUE(is_accepted(hello_with([](Hello& h) { h.sid.clear(); })));
  EXPECT_TRUE(is_accepted(hello_with([](Hello& h) { h.rec = std::string(kMaxRec, 'r'); })));
  EXPECT_FALSE(is_accepted(hello_with([](Hello& h) { h.rec = std::string(kMaxRec + 1, 'r'); })));
  EXPECT_FALSE(is_accepted(hello_with([](Hello& h) { h.rec.clear(); })));
  EXPECT_TRUE(is_accepted(hello_with([](Hello& h) { h.program = std::string(kMaxProgram, 'p'); })));
  EXPECT_FALSE(is_accepted(hello_with([](Hello& h) { h.program = std::string(kMaxProgram + 1, 'p'); })));
  EXPECT_TRUE(is_accepted(hello_with([](Hello& h) { h.known->session = std::string(kMaxSession, 'a'); })));
  EXPECT_FALSE(is_accepted(hello_with([](Hello& h) { h.known->session = std::string(kMaxSession + 1, 'a'); })));
  EXPECT_TRUE(is_accepted(Wait{1, kMaxRetryMs}));
  EXPECT_FALSE(is_accepted(Wait{1, kMaxRetryMs + 1}));
  EXPECT_FALSE(is_accepted(Wait{1, 0}));
  EXPECT_TRUE(is_accepted(Welcome{{"a", 0, 1}, kMaxRetryMs}));
  EXPECT_FALSE(is_accepted(Welcome{{"a", 0, 1}, kMaxRetryMs + 1}));
  EXPECT_TRUE(is_accepted(Pass{1, kMaxPending}));
  EXPECT_FALSE(is_accepted(Pass{1, kMaxPending + 1}));
  EXPECT_FALSE(is_accepted(Pass{1, 0}));
  EXPECT_TRUE(is_accepted(Request{1, kMaxPending, 1, 0}));
  EXPECT_FALSE(is_accepted(Request{1, kMaxPending + 8, 1, 0}));
  EXPECT_TRUE(is_accepted(Commit{std::vector<CommitMark>(kMaxCommits)}));
  EXPECT_FALSE(is_accepted(Commit{std::vector<CommitMark>(kMaxCommits + 1)}));
  EXPECT_FALSE(is_accepted(Commit{}));
  EXPECT_TRUE(is_accepted(Data{std::string(kMaxFrameBytes, 'x')}));
  EXPECT_FALSE(is_accepted(Data{std::string(kMaxFrameBytes + 8, 'x')}));
  EXPECT_FALSE(is_accepted(Data{std::string(12, 'x')}));
  EXPECT_FALSE(is_accepted(Data{}));
}

TEST(LinkMessages, largest_event_fits_a_frame) {
  std::string frame;
  add_event(frame, 1, 1, kMaxEventPayload);
  EXPECT_LE(frame.size(), kMaxFrameBytes);
  EXPECT_TRUE(is_accepted(Data{frame}));
}

TEST(LinkMessages, a_request_says_possible_amounts) {
  EXPECT_TRUE(is_accepted(Request{1, 0, 0, 0}));
  EXPECT_TRUE(is_accepted(Request{1, 144, 2, 0}));
  EXPECT_FALSE(is_accepted(Request{1, 144, 3, 0}));
  EXPECT_FALSE(is_accepted(Request{1, 144, 0, 0}));
  EXPECT_FALSE(is_accepted(Request{0, 144, 2, 0}));
}

TEST(LinkMessages, names_that_reach_files_hold_no_path) {
  for (const std::string bad : {"../x", "a/b", ".x", "a b", "a\nb", "a\"b"}) {
    Hello hello = full_hello();
    hello.rec = bad;
    EXPECT_FALSE(is_accepted(hello)) << bad;
    hello = full_hello();
    hello.known->session = bad;
    EXPECT_FALSE(is_accepted(hello)) << bad;
    EXPECT_FALSE(is_accepted(Welcome{{bad, 0, 1}, 1})) << bad;
  }
}

TEST(LinkMessages, unknown_version_is_refused_and_a_refusal_understood_in_any) {
  for (const Message& message : one_of_each()) {
    std::string datagram = encode(message);
    datagram[4] = kVersion + 1;
    EXPECT_EQ(is_accepted(datagram), std::holds_alternative<Refuse>(message)) << name_of(type_of(message));
  }
  std::string datagram = encode(full_hello());
  datagram[4] = 9;
  EXPECT_EQ(decode(datagram).error().message, "unknown protocol version 9");
}

TEST(LinkMessages, a_refusals_reason_is_one_line_and_cut_to_the_limit) {
  EXPECT_EQ(decoded<Refuse>(Refuse{"a\nb\x1b[2J"}).reason, "a?b?[2J");
  EXPECT_EQ(decoded<Refuse>(Refuse{std::string(kMaxReason + 1, 'r')}).reason.size(), kMaxReason);
}

TEST(LinkMessages, truncated_and_extended_messages_are_refused) {
  for (const Message& message : one_of_each()) {
    const auto type = type_of(message);
    // Shorter text is still text; whole marks fewer are still marks; what DATA holds is checked where it is used.
    if (type == MessageType::kRefuse) continue;
    const std::string whole = encode(message);
    const size_t unit = type == MessageType::kCommit ? 16 : type == MessageType::kData ? 8 : whole.size() + 1;
    for (size_t size = 0; size < whole.size(); ++size) {
      const bool still_whole = size > sizeof(MessageHeader) && (size - sizeof(MessageHeader)) % unit == 0;
      EXPECT_EQ(is_accepted(whole.substr(0, size)), still_whole) << name_of(type) << " cut to " << size;
    }
    EXPECT_FALSE(is_accepted(whole + '\0')) << name_of(type);
  }
  EXPECT_FALSE(is_accepted(std::string(kMaxDatagramBytes + 1, 'x')));
}

TEST(LinkMessages, a_damaged_message_is_refused_or_means_exactly_what_it_says) {
  std::mt19937 random(20230501);
  const auto messages = one_of_each();
  size_t accepted = 0, refused = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string datagram = encode(messages[random() % messages.size()]);
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
      datagram[random() % datagram.size()] ^= static_cast<char>(1u << (random() % 8));
    }
    if (random() % 4 == 0) datagram.resize(random() % (datagram.size() + 16));
    auto back = decode(datagram);
    if (!back) {
      ++refused;
      EXPECT_FALSE(back.error().message.empty());
      continue;
    }
    ++accepted;
    if (!std::holds_alternative<Refuse>(*back)) {
      ASSERT_EQ(encode(*back), datagram);
    }
  }
  EXPECT_GT(accepted, 1000u);
  EXPECT_GT(refused, 1000u);
}

TEST(LinkMessages, rights_are_exactly_the_documented_table) {
  using T = MessageType;
  const auto rights = [](Side side, LinkState state) {
    std::vector<T> allowed;
    for (int type = 1; type <= 10; ++type) {
      if (check_right(side, state, static_cast<T>(type))) allowed.push_back(static_cast<T>(type));
    }
    return allowed;
  };
  using V = std::vector<T>;
  EXPECT_EQ(rights(Side::kSlave, LinkState::kNew), V{T::kHello});
  EXPECT_EQ(rights(Side::kSlave, LinkState::kGreeted), V{});
  EXPECT_EQ(rights(Side::kSlave, LinkState::kMember), (V{T::kRequest, T::kData, T::kBye}));
  EXPECT_EQ(rights(Side::kSlave, LinkState::kLeaving), V{});
  EXPECT_EQ(rights(Side::kMaster, LinkState::kNew), V{T::kRefuse});
  EXPECT_EQ(rights(Side::kMaster, LinkState::kGreeted), (V{T::kWelcome, T::kRefuse}));
  EXPECT_EQ(rights(Side::kMaster, LinkState::kMember), (V{T::kRefuse, T::kPass, T::kWait, T::kCommit}));
  EXPECT_EQ(rights(Side::kMaster, LinkState::kLeaving), (V{T::kRefuse, T::kPass, T::kWait, T::kCommit, T::kByeAck}));
  EXPECT_EQ(check_right(Side::kSlave, LinkState::kNew, T::kData).error().message, "DATA from a slave in state new");
}

}  // namespace
}  // namespace sidrec::link
