// What a ring says of an ssh connection: counted bytes, channels, who has logged in, and whose session it is.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "recorder/session/connection_tracker.h"
#include "tests/unit/ring_producer.h"

namespace sidrec::test {
namespace {

constexpr uint64_t kConn = 5, kChan = 9, kChannel = ring::kChannelBit | kChan;

struct Seen {
  OwnerId owner;
  EventHeader header;
  std::string payload;
};

class SessionChannels : public testing::Test, public ConnectionTracker::Sink {
 protected:
  OwnerId owner_of(const std::string& sid) override {
    sids.push_back(sid);
    return sids.size();
  }
  OwnerId owner_unknown() override { return kUnknown + unknowns++; }
  void settle(OwnerId unknown, const std::string& sid) override { settled[unknown] = sid; }
  void event(OwnerId owner, const EventHeader& header, std::string_view payload) override {
    seen.push_back({owner, header, std::string(payload)});
  }

  OwnerId take(ring::RecordHeader header, std::string_view payload = {}) {
    header.payload = static_cast<uint32_t>(payload.size());
    pos += 64;
    return tracker.take({3, pos, header, payload});
  }
  template <typename T>
  OwnerId say(ring::Kind kind, uint64_t subject, const T& payload, ring::Direction dir = ring::kIn) {
    auto header = record(kind, ++time, subject);
    header.dir = dir;
    return take(header, bytes_of(payload));
  }
  void open(uint64_t conn = kConn) {
    ring::Open client = some_client();
    client.counted = 1;
    say(ring::kOpen, conn, client);
  }
  void open_channel() {
    ring::ChanOpen chan{};
    chan.conn = kConn;
    chan.kind = ring::kPty;
    chan.tty = 4;
    say(ring::kChanOpen, kChannel, chan);
  }
  void data(std::string_view bytes, ring::Direction dir = ring::kIn, uint64_t subject = kChannel) {
    auto header = record(ring::kData, ++time, subject);
    header.dir = dir;
    take(header, bytes);
  }
  void identify(const char* user, bool with_uid = true, uint64_t conn = kConn) {
    ring::Identity identity{};
    std::strcpy(identity.user, user);
    identity.uid_known = with_uid;
    identity.how = ring::kSetresuid;
    say(ring::kIdentity, conn, identity);
  }
  void release(uint64_t conn = kConn) { say(ring::kRelease, conn, ring::Release{}); }
  std::vector<EventKind> kinds() const {
    std::vector<EventKind> all;
    for (const Seen& each : seen) all.push_back(each.header.kind);
    return all;
  }
  using Kinds = std::vector<EventKind>;
  static constexpr OwnerId kUnknown = 1000;

  uint64_t pos = 0, time = 1000;
  OwnerId unknowns = 0;
  std::vector<std::string> sids;
  std::map<OwnerId, std::string> settled;
  std::vector<Seen> seen;
  ConnectionTracker tracker = make("{client_ip}");
  ConnectionTracker make(const char* text) {
    return ConnectionTracker{
        {text, "sshd", ""}, {7, "sshd", "env"}, *this, [](uint64_t, const ConnOpen&) { return false; }};
  }
};

class SessionUser : public SessionChannels {
 protected:
  SessionUser() { std::destroy_at(&tracker), std::construct_at(&tracker, make("{user}@{client_ip}")); }
};

constexpr auto kOpen = EventKind::kConnOpen;
constexpr auto kClose = EventKind::kConnClose;
constexpr auto kData = EventKind::kData;
constexpr auto kChanOpen = EventKind::kChanOpen;
constexpr auto kChanClose = EventKind::kChanClose;
constexpr auto kIdentity = EventKind::kIdentity;

TEST_F(SessionChannels, ciphertext_is_counted_and_makes_no_line) {
  open();
  EXPECT_EQ(say(ring::kSeen, kConn, ring::Seen{100}), kNobody);
  say(ring::kSeen, kConn, ring::Seen{7}, ring::kOut);
  identify("alice");
  release();
  ASSERT_EQ(kinds(), (Kinds{kOpen, kIdentity, kClose}));
  ConnClose close{};
  std::memcpy(&close, seen.back().payload.data(), sizeof close);
  EXPECT_EQ(close.bytes_in, 100u);
  EXPECT_EQ(close.bytes_out, 7u);
}

TEST_F(SessionChannels, a_channel_has_offsets_of_its_own_for_each_of_three_directions) {
  open(), open_channel();
  data("abc"), data("12345", ring::kOut), data("!", ring::kErr), data("de");
  say(ring::kMasked, kChannel, ring::Seen{4});
  data("f");
  take(record(ring::kChanClose, ++time, kChannel));
  ASSERT_EQ(kinds(), (Kinds{kOpen, kChanOpen, kData, kData, kData, kData, EventKind::kMasked, kData, kChanClose}));
  EXPECT_EQ(seen[5].header.off, 3u);
  EXPECT_EQ(seen[6].header.off, 5u);
  EXPECT_EQ(seen[6].header.len, 4u);
  EXPECT_EQ(seen[7].header.off, 9u);
  ChanClose close{};
  std::memcpy(&close, seen.back().payload.data(), sizeof close);
  EXPECT_EQ(close.bytes[0], 10u);
  EXPECT_EQ(close.bytes[1], 5u);
  EXPECT_EQ(close.bytes[2], 1u);
  for (size_t i = 1; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].header.conn, kConn);
    EXPECT_EQ(seen[i].header.chan, kChan);
  }
}

TEST_F(SessionChannels, an_open_channel_ends_with_its_connection) {
  open(), open_channel(), data("abc"), identify("alice");
  tracker.host_died(5000);
  ASSERT_EQ(kinds(), (Kinds{kOpen, kChanOpen, kData, kIdentity, kChanClose, kClose}));
  EXPECT_EQ(seen[4].header.lane, kNoLane);
  EXPECT_EQ(seen[4].header.pos, kChan);
  EXPECT_EQ(static_cast<CloseWhy>(seen[4].header.why), CloseWhy::kHostDied);
}

TEST_F(SessionChannels, what_no_open_has_named_is_nobodys) {
  open();
  data("lost");
  take(record(ring::kChanClose, ++time, kChannel));
  say(ring::kResize, kChannel, ring::Resize{});
  ring::ChanOpen of_another{};
  of_another.conn = 77;
  say(ring::kChanOpen, kChannel, of_another);
  EXPECT_EQ(kinds(), Kinds{kOpen});
  EXPECT_EQ(tracker.open_connections(), 1u);
}

TEST_F(SessionChannels, an_identity_comes_again_only_with_more_known) {
  open();
  identify("alice", false), identify("alice", false), identify("alice"), identify("alice");
  EXPECT_EQ(kinds(), (Kinds{kOpen, kIdentity, kIdentity}));
}

TEST_F(SessionChannels, a_connection_without_a_login_says_so) {
  open(), release();
  EXPECT_EQ(static_cast<CloseWhy>(seen.back().header.why), CloseWhy::kNotAuthenticated);
}

TEST_F(SessionUser, events_wait_for_the_login_and_come_in_order) {
  open();
  say(ring::kSeen, kConn, ring::Seen{5});
  EXPECT_TRUE(seen.empty());
  identify("alice");
  EXPECT_EQ(settled, (std::map<OwnerId, std::string>{{kUnknown, "alice@198.51.100.9"}}));
  open_channel(), data("x");
  EXPECT_EQ(kinds(), (Kinds{kOpen, kIdentity, kChanOpen, kData}));
  for (const Seen& each : seen) EXPECT_EQ(each.owner, kUnknown);
}

TEST_F(SessionUser, what_comes_behind_one_that_waits_keeps_its_place) {
  open(1), open(2);
  identify("bob", true, 2);
  release(2);
  EXPECT_TRUE(seen.empty()) << "positions of a lane must not overtake each other";
  identify("alice", true, 1);
  ASSERT_EQ(kinds(), (Kinds{kOpen, kOpen, kIdentity, kClose, kIdentity}));
  EXPECT_EQ(settled[kUnknown], "alice@198.51.100.9");
  EXPECT_EQ(settled[kUnknown + 1], "bob@198.51.100.9");
}

TEST_F(SessionUser, nobody_waits_longer_than_the_patience_or_the_close) {
  open(1);
  ASSERT_TRUE(tracker.deadline_ns());
  EXPECT_EQ(*tracker.deadline_ns(), time + ConnectionTracker::kUserPatienceNs);
  tracker.on_timer(*tracker.deadline_ns() - 1);
  EXPECT_TRUE(seen.empty());
  tracker.on_timer(*tracker.deadline_ns());
  EXPECT_EQ(settled[kUnknown], "-@198.51.100.9");
  EXPECT_FALSE(tracker.deadline_ns());
  open(2), release(2);
  EXPECT_EQ(settled[kUnknown + 1], "-@198.51.100.9");
  EXPECT_EQ(kinds(), (Kinds{kOpen, kOpen, kClose}));
}

TEST_F(SessionUser, events_wait_only_up_to_a_bound) {
  open(), open_channel();
  const std::string much(ConnectionTracker::kMaxWaitingBytes, 'x');
  data(std::string_view(much).substr(0, 60'000)), data(std::string_view(much).substr(0, 60'000));
  tracker.on_timer(time);
  EXPECT_EQ(kinds(), (Kinds{kOpen, kChanOpen, kData, kData}));
}

TEST_F(SessionUser, plain_connections_have_no_user_to_wait_for) {
  say(ring::kOpen, kConn, some_client());
  EXPECT_EQ(sids, std::vector<std::string>{"-@198.51.100.9"});
  EXPECT_EQ(kinds(), Kinds{kOpen});
}

}  // namespace
}  // namespace sidrec::test
