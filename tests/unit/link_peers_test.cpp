// A master's peers and their slaves, joined by queues of datagrams instead of sockets.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "link_events.h"
#include "recorder/link/master_peer.h"
#include "recorder/link/slave_link.h"

namespace sidrec::link {
namespace {

const SessionIdentity kSession{"0193-ab", 5, 1};

// What a master wrote, over the lives of several masters: (rec, lane, pos) in order.
struct Store {
  std::vector<std::pair<std::string, uint64_t>> written;
  std::vector<uint64_t> times;
  Watermarks marks() const {
    Watermarks marks;
    for (const auto& [rec, pos] : written) marks[{rec, 0}] = std::max(marks[{rec, 0}], pos);
    return marks;
  }
};

struct Master {
  WaitingQueue queue;
  Ordering ordering;
  Ledger ledger;
  std::map<PeerId, std::unique_ptr<MasterPeer>> peers;
  PeerId next_id = 1;

  explicit Master(size_t capacity = kDefaultQueueBytes, const Watermarks& marks = {})
      : queue(capacity), ledger(marks) {}

  MasterPeer& accept() {
    const PeerId id = next_id++;
    peers[id] = std::make_unique<MasterPeer>(id, "sid", MasterParts{queue, ordering, ledger});
    return *peers[id];
  }
  // One round of the owner's loop, after the datagrams were received.
  void work(uint64_t now, Store& store) {
    size_t at_work = 0;
    for (const auto& [id, peer] : peers) at_work += peer->is_at_work();
    ordering.set_slaves(at_work);
    for (const auto& grant : queue.grant(now)) peers.at(grant.peer)->pass(grant);
    ordering.set_expected(queue.oldest_expected_ns());
    const auto& drained = ordering.release(now, [&](const Ordering::Released& released) {
      if (!ledger.of(std::string(released.rec)).admit(*released.event.header)) return;
      store.written.emplace_back(released.rec, released.event->pos);
      store.times.push_back(released.event->time_ns);
    });
    for (const auto& run : drained) queue.released(run.source, run.bytes);
    for (const auto& [id, peer] : peers) peer->acknowledge();
  }
};

struct Slave {
  std::string rec;
  SlaveFlow flow;
  std::unique_ptr<SlaveLink> link;
  MasterPeer* peer = nullptr;
  uint64_t next_pos = 1;

  explicit Slave(std::string name) : rec(std::move(name)) {}

  void record(uint64_t now, size_t bytes = 8) {
    flow.append(data_event(now, next_pos++, bytes), std::string(bytes, 'x'));
  }
  void join(Master& master, uint64_t now, const SessionIdentity& identity = kSession) {
    link = std::make_unique<SlaveLink>(flow);
    peer = &master.accept();
    const auto heard =
        peer->receive(link->hello({rec, "sid", "socat", 1, 1, {}, flow.oldest_unsent_ns().value_or(0)}), now);
    ASSERT_TRUE(heard) << heard.error().message;
    ASSERT_EQ(*heard, MasterPeer::Heard::kHello);
    peer->welcome(identity, 100, now);
    listen(now);
    ASSERT_TRUE(link->is_member());
  }
  void lose() {
    if (peer) peer->leave();
    peer = nullptr;
    link.reset();
    flow.on_master_lost();
  }
  void listen(uint64_t now) {
    while (const std::string* datagram = peer->outgoing()) {
      const auto heard = link->receive(*datagram, now);
      ASSERT_TRUE(heard) << heard.error().message;
      peer->sent();
    }
  }
  // Whether it is answered at once.
  bool bye(uint64_t now) {
    const auto heard = peer->receive(link->bye(), now);
    EXPECT_TRUE(heard && *heard == MasterPeer::Heard::kBye);
    return hears_bye_ack(now);
  }
  bool hears_bye_ack(uint64_t now) {
    std::optional<SlaveLink::Heard> last;
    for (; peer->outgoing() != nullptr; peer->sent()) {
      const auto heard = link->receive(*peer->outgoing(), now);
      EXPECT_TRUE(heard) << heard.error().message;
      if (heard) last = *heard;
    }
    return last == SlaveLink::Heard::kByeAck;
  }
  // Says what it has to say, at most `datagrams` of it.
  void talk(uint64_t now, int datagrams = 1000) {
    for (; datagrams > 0; --datagrams) {
      if (const auto body = flow.data(); !body.empty()) {
        const auto heard = peer->receive(encode(Data{body}), now);
        ASSERT_TRUE(heard) << heard.error().message;
        flow.sent();
      } else if (const auto request = flow.request(now)) {
        const auto heard = peer->receive(encode(*request), now);
        ASSERT_TRUE(heard) << heard.error().message;
        flow.requested(*request);
      } else {
        return;
      }
    }
  }
};

TEST(LinkPeers, a_hand_over_goes_from_hello_over_request_to_commit) {
  Master master;
  Slave slave("r1");
  Store store;
  slave.record(ms(1));
  slave.join(master, ms(1));
  EXPECT_EQ(slave.link->identity().session, kSession.session);
  EXPECT_EQ(master.queue.oldest_expected_ns(), ms(1)) << "as HELLO has said";
  slave.talk(ms(2));  // DATA: HELLO has asked for it
  EXPECT_EQ(master.queue.occupied(), 80u) << "what was passed beyond it is free again";
  slave.record(ms(2));
  slave.talk(ms(3));    // REQUEST
  slave.listen(ms(3));  // PASS
  slave.talk(ms(3));    // DATA
  master.work(ms(4), store);
  EXPECT_TRUE(store.written.empty()) << "younger than the window";
  master.work(ms(22), store);
  ASSERT_EQ(store.written.size(), 2u);
  EXPECT_FALSE(slave.flow.all_committed());
  slave.listen(ms(22));  // COMMIT
  EXPECT_TRUE(slave.flow.all_committed());
  EXPECT_EQ(master.queue.occupied(), 0u);
  EXPECT_TRUE(slave.bye(ms(23)));
  EXPECT_FALSE(slave.peer->is_at_work());
}

TEST(LinkPeers, a_bye_behind_the_last_events_is_answered_when_they_are_committed) {
  Master master;
  Slave slave("r1"), other("r2");
  Store store;
  slave.record(ms(1));
  slave.join(master, ms(1));
  other.join(master, ms(1));
  slave.record(ms(4));
  slave.talk(ms(5));
  EXPECT_FALSE(slave.bye(ms(5)));
  EXPECT_TRUE(slave.peer->is_at_work()) << "a master that ended now would end its session without them";
  master.work(ms(22), store);
  EXPECT_EQ(store.written.size(), 1u);
  EXPECT_EQ(slave.peer->outgoing(), nullptr) << "told once";
  master.work(ms(25), store);
  EXPECT_FALSE(slave.peer->is_at_work());
  EXPECT_TRUE(slave.hears_bye_ack(ms(25)));
  EXPECT_TRUE(slave.flow.all_committed());
}

TEST(LinkPeers, a_full_queue_answers_wait_and_pushes_pass) {
  Master master(80);
  Slave first("r1"), second("r2");
  Store store;
  first.join(master, ms(1));
  second.join(master, ms(1));
  first.record(ms(1));
  second.record(ms(2));
  first.talk(ms(3));
  second.talk(ms(3));
  first.listen(ms(3));
  second.listen(ms(3));
  EXPECT_FALSE(first.flow.is_waiting());
  EXPECT_TRUE(second.flow.is_waiting());
  EXPECT_EQ(second.flow.deadline_ns(), ms(103)) << "the retry time of its WELCOME";
  first.talk(ms(3));
  master.work(ms(30), store);
  master.work(ms(31), store);
  second.listen(ms(31));
  EXPECT_FALSE(second.flow.is_waiting());
  second.talk(ms(31));
  master.work(ms(60), store);
  EXPECT_EQ(store.times, (std::vector<uint64_t>{ms(1), ms(2)}));
}

// One peer, in the state the test wants it in, and the sentence with which a datagram ends it.
struct Ended {
  Master master;
  Slave slave{"r1"};
  std::string by(const std::string& datagram) {
    const auto heard = slave.peer->receive(datagram, ms(2));
    return heard ? "accepted" : heard.error().message;
  }
};

TEST(LinkPeers, a_peer_that_breaks_the_protocol_is_ended_with_one_sentence) {
  Ended ended;
  ended.slave.peer = &ended.master.accept();
  EXPECT_EQ(ended.by(encode(Bye{})), "BYE from a slave in state new");
  EXPECT_EQ(ended.by(encode(Hello{"r1", "another", "p", 1, 1, {}})), "HELLO of recorder r1 for another SID");
  std::string version = encode(Hello{"r1", "sid", "p", 1, 1, {}});
  version[4] = kVersion + 1;
  EXPECT_EQ(ended.by(version), "unknown protocol version 3");
  EXPECT_EQ(ended.by("garbage"), "datagram too short for a message");

  ended.slave.join(ended.master, ms(1));
  EXPECT_EQ(ended.by(encode(Hello{"r1", "sid", "p", 1, 1, {}})), "HELLO from a slave in state member");
  EXPECT_EQ(ended.by(encode(Commit{{{0, 1}}})), "COMMIT from a slave in state member");
  const std::string frame = frame_of({ms(1)});
  EXPECT_EQ(ended.by(encode(Data{frame})), "DATA of 80 bytes beyond a credit of 0");
  EXPECT_EQ(ended.by(encode(Request{1, 80, 1, 0})), "accepted");
  EXPECT_EQ(ended.by(encode(Request{1, 80, 1, 0})), "REQUEST of recorder r1 with an old number");
  EXPECT_EQ(ended.by(encode(Data{std::string(80, 'x')})), "malformed event at byte 0 of a frame");
  EXPECT_EQ(MasterPeer::refusal(Error{"why"}), encode(Refuse{"why"}));
}

TEST(LinkPeers, a_malformed_frame_leaves_no_trace_in_the_queue) {
  Ended ended;
  ended.slave.join(ended.master, ms(1));
  ended.by(encode(Request{1, 144, 2, 0}));
  ended.by(encode(Data{std::string(80, 'x')}));
  ended.slave.peer->leave();
  EXPECT_EQ(ended.master.queue.occupied(), 0u);
  EXPECT_TRUE(ended.master.ordering.empty());
}

TEST(LinkPeers, a_slave_that_asks_and_never_reads_is_ended_at_the_limit) {
  Ended ended;
  ended.slave.join(ended.master, ms(1));
  for (uint32_t request = 1; request <= kMaxOutgoing; ++request) {
    ASSERT_EQ(ended.by(encode(Request{request, 80, 1, 0})), "accepted");
  }
  EXPECT_EQ(ended.by(encode(Request{kMaxOutgoing + 1, 80, 1, 0})), "recorder r1 asks and does not read the answers");
}

TEST(LinkPeers, a_slave_ends_a_master_that_breaks_the_protocol) {
  SlaveFlow flow;
  SlaveLink link(flow);
  link.hello({"r1", "sid", "p", 1, 1, {}});
  EXPECT_FALSE(link.receive(encode(Pass{1, 80}), ms(1))) << "before WELCOME";
  ASSERT_TRUE(link.receive(encode(Welcome{kSession, 10}), ms(1)));
  EXPECT_FALSE(link.receive(encode(Welcome{kSession, 10}), ms(1)));
  EXPECT_FALSE(link.receive(encode(Pass{1, 80}), ms(1))) << "for no request";
  EXPECT_FALSE(link.receive(encode(ByeAck{}), ms(1))) << "for no BYE";
  EXPECT_FALSE(link.receive(encode(Bye{}), ms(1)));
}

TEST(LinkPeers, a_refused_slave_hears_the_reason) {
  SlaveFlow flow;
  SlaveLink link(flow);
  link.hello({"r1", "sid", "p", 1, 1, {}});
  std::string refusal = encode(Refuse{"unknown protocol version 2"});
  refusal[4] = kVersion + 1;
  const auto heard = link.receive(refusal, ms(1));
  ASSERT_TRUE(heard);
  EXPECT_EQ(*heard, SlaveLink::Heard::kRefused);
  EXPECT_EQ(link.reason(), "unknown protocol version 2");
}

TEST(LinkPeers, a_slave_that_joins_hears_what_the_store_holds_of_it_already) {
  Store store;
  store.written = {{"r1", 1}, {"r1", 2}};
  Master master(kDefaultQueueBytes, store.marks());
  Slave slave("r1");
  for (int i = 1; i <= 3; ++i) slave.record(ms(1));
  slave.join(master, ms(1));
  master.work(ms(2), store);
  slave.listen(ms(2));
  EXPECT_EQ(slave.flow.uncommitted_bytes(), 80u);
}

TEST(LinkPeers, acknowledgements_go_to_the_newest_connection_of_a_recorder) {
  Master master;
  Slave slave("r1");
  Store store;
  slave.join(master, ms(1));
  slave.record(ms(1));
  slave.talk(ms(1));
  slave.listen(ms(1));
  slave.talk(ms(1));
  // The slave lost the connection; the master has not noticed yet.
  MasterPeer* const old = slave.peer;
  slave.flow.on_master_lost();
  slave.join(master, ms(2));
  master.work(ms(100), store);
  EXPECT_EQ(old->outgoing(), nullptr);
  slave.listen(ms(100));
  EXPECT_TRUE(slave.flow.all_committed());
}

// Masters die at any moment, with whatever they hold; slaves lose connections; the queue is small. The store survives.
TEST(LinkPeers, whoever_dies_whenever_nothing_is_lost_doubled_or_reordered) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    Store store;
    const size_t capacity = seed % 4 == 0 ? 1 : seed % 4 == 1 ? 3 * kMaxFrameBytes : kDefaultQueueBytes;
    auto master = std::make_unique<Master>(capacity);
    std::vector<std::unique_ptr<Slave>> slaves;
    for (int i = 0; i < 5; ++i) slaves.push_back(std::make_unique<Slave>(rec_named(i)));
    uint64_t now = ms(1000);
    std::vector<std::string> spools(slaves.size());
    for (auto& slave : slaves) slave->join(*master, now);
    for (int round = 0; round < 3000; ++round, now += random() % ms(2)) {
      const size_t which = random() % slaves.size();
      Slave& slave = *slaves[which];
      switch (random() % 100) {
        case 0:
          for (auto& each : slaves) each->lose();
          master = std::make_unique<Master>(capacity, store.marks());
          for (auto& each : slaves) each->join(*master, now);
          break;
        case 1:
          slave.lose();
          slave.join(*master, now);
          break;
        case 2: spools[which] += joined(slave.flow.take_unsent()); break;
        case 3:
          if (slave.flow.is_spooling()) {
            ASSERT_TRUE(slave.flow.prepend(spools[which], true));
            spools[which].clear();
          }
          break;
        default: break;
      }
      if (random() % 2) slave.record(now, 1 + random() % (random() % 20 ? 200 : kMaxEventPayload));
      slave.talk(now, static_cast<int>(random() % 4));
      if (random() % 2) slave.listen(now);
      if (random() % 3 == 0) master->work(now, store);
      ASSERT_LE(master->queue.occupied(), std::max<size_t>(capacity, kMaxFrameBytes));
    }
    for (size_t i = 0; i < slaves.size(); ++i) {
      if (!slaves[i]->flow.is_spooling()) continue;
      ASSERT_TRUE(slaves[i]->flow.prepend(spools[i], true));
    }
    const auto all_committed = [&] {
      return std::all_of(slaves.begin(), slaves.end(), [](const auto& slave) { return slave->flow.all_committed(); });
    };
    for (int round = 0; round < 100'000 && !all_committed(); ++round, now += ms(5)) {
      for (auto& slave : slaves) slave->talk(now);
      master->work(now, store);
      for (auto& slave : slaves) slave->listen(now);
    }
    ASSERT_TRUE(all_committed()) << "seed " << seed;
    EXPECT_EQ(master->queue.occupied(), 0u);
    std::map<std::string, uint64_t> last;
    for (const auto& [rec, pos] : store.written) ASSERT_EQ(pos, ++last[rec]) << rec << ", seed " << seed;
    for (const auto& slave : slaves) EXPECT_EQ(last[slave->rec], slave->next_pos - 1) << "seed " << seed;
  }
}

// Many slaves at full speed through a queue that holds a frame of each: nobody's data is late.
TEST(LinkPeers, with_a_frame_of_room_for_each_slave_no_load_makes_anything_late) {
  constexpr int kSlaves = 20;
  Store store;
  Master master((kSlaves + 1) * kMaxFrameBytes);
  std::vector<std::unique_ptr<Slave>> slaves;
  uint64_t now = ms(1000);
  for (int i = 0; i < kSlaves; ++i) {
    slaves.push_back(std::make_unique<Slave>(rec_named(i)));
    slaves.back()->join(master, now);
  }
  for (int tick = 0; tick < 200; ++tick, now += ms(2)) {
    for (auto& slave : slaves) slave->record(now - ms(1), 16 * 1024);
    for (auto& slave : slaves) slave->talk(now);
    for (auto& slave : slaves) slave->listen(now);
    for (auto& slave : slaves) slave->talk(now);
    master.work(now, store);
    for (auto& slave : slaves) slave->listen(now);
  }
  EXPECT_GT(store.times.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(store.times.begin(), store.times.end()));
  EXPECT_EQ(master.ordering.late_events(), 0u);
}

}  // namespace
}  // namespace sidrec::link
