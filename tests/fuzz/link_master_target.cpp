// A master with two hostile slaves and an honest one: whatever the hostile say, in whatever state, ends at most them.
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "recorder/link/master_peer.h"
#include "recorder/link/slave_link.h"
#include "tests/fuzz/events.h"

using namespace sidrec;
using namespace sidrec::link;
using fuzz::expect;
using fuzz::Input;

namespace {

constexpr size_t kQueueBytes = 2 * kMaxFrameBytes;
constexpr char kHonest[] = "honest";
const SessionIdentity kSession{"0193-ab", 5, 1};

struct Master {
  WaitingQueue queue{kQueueBytes};
  Ordering ordering;
  Ledger ledger;
  std::map<PeerId, std::unique_ptr<MasterPeer>> peers;
  std::vector<uint64_t> of_honest;  // positions, as written
  PeerId last_id = 0;
  uint64_t now_ns = kSecond;

  PeerId accept() {
    const PeerId id = ++last_id;
    peers[id] = std::make_unique<MasterPeer>(id, "sid", MasterParts{queue, ordering, ledger});
    return id;
  }
  // As Master::hear and Master::drop.
  bool hear(PeerId id, const std::string& datagram) {
    MasterPeer& peer = *peers.at(id);
    const auto heard = peer.receive(datagram, now_ns);
    if (!heard) {
      expect(decode(MasterPeer::refusal(heard.error())).operator bool(), "a refusal can be read");
      hang_up(id);
      return false;
    }
    if (*heard == MasterPeer::Heard::kHello) peer.welcome(kSession, 1000, now_ns);
    return true;
  }
  void hang_up(PeerId id) {
    peers.at(id)->leave();
    peers.erase(id);
  }
  void turn() {
    ordering.set_slaves(peers.size());
    ordering.set_expected(queue.oldest_expected_ns());
    const auto& drained = ordering.release(now_ns, [&](const Ordering::Released& released) {
      if (!ledger.of(std::string(released.rec)).admit(*released.event.header)) return;
      if (released.rec == kHonest) of_honest.push_back(released.event->pos);
    });
    for (const auto& [source, bytes] : drained) queue.released(source, bytes);
    for (const auto& grant : queue.grant(now_ns)) {
      expect(peers.contains(grant.peer), "nobody is passed who has left");
      peers.at(grant.peer)->pass(grant);
    }
    for (const PeerId id : queue.overdue(now_ns)) hang_up(id);
    for (auto& [id, peer] : peers) peer->acknowledge();
    check();
  }
  void check() const {
    expect(queue.occupied() <= kQueueBytes + kMaxFrameBytes, "the waiting queue has a bound");
    expect(ordering.held_bytes() <= queue.occupied(), "what is held is counted");
  }
};

struct Honest {
  SlaveFlow flow;
  SlaveLink link{flow};
  PeerId id = 0;
  uint64_t last_pos = 0;
  bool dismissed = false;

  void join(Master& master) {
    id = master.accept();
    expect(master.hear(id, link.hello({kHonest, "sid", "socat", 1, 1, {}, flow.oldest_unsent_ns().value_or(0)})), "an honest HELLO is heard");
  }
  void record(uint64_t now_ns) {
    EventHeader header{};
    header.kind = EventKind::kData;
    header.time_ns = now_ns;
    header.pos = ++last_pos;
    header.len = 8;
    flow.append(header, "8 bytes.");
  }
  void turn(Master& master) {
    const auto found = master.peers.find(id);
    expect(found != master.peers.end(), "who is honest is never hung up on");
    MasterPeer& peer = *found->second;
    for (; peer.outgoing() != nullptr; peer.sent()) {
      const auto heard = link.receive(*peer.outgoing(), master.now_ns);
      expect(static_cast<bool>(heard), "a master is understood");
      if (*heard != SlaveLink::Heard::kByeAck) continue;
      expect(flow.all_committed(), "who is dismissed has had everything acknowledged");
      dismissed = true;
    }
    if (!link.is_member()) return;
    for (;;) {
      if (const auto body = flow.data(); !body.empty()) {
        expect(master.hear(id, encode(Data{body})), "honest DATA is taken");
        flow.sent();
      } else if (const auto request = flow.request(master.now_ns)) {
        expect(master.hear(id, encode(*request)), "an honest REQUEST is taken");
        flow.requested(*request);
      } else {
        return;
      }
    }
  }
};

std::string hostile_datagram(Input& input) {
  switch (input.below(6)) {
    case 0: return std::string(input.some(400));  // anything
    case 1: {
      Hello hello;
      hello.rec = input.below(4) == 0 ? std::string(input.some(64)) : "h" + std::to_string(input.below(3));
      hello.sid = input.below(8) == 0 ? std::string(input.some(64)) : "sid";
      hello.oldest_ns = input.byte();
      if (input.below(2) == 1) hello.known = SessionIdentity{"0193-cd", input.number<int64_t>(), input.byte()};
      return hello.rec == kHonest ? std::string() : encode(hello);
    }
    case 2: {
      Request request{input.number<uint32_t>() % 8, input.number<uint32_t>(), input.byte(), input.number<uint32_t>()};
      if (input.below(2) == 1) request.bytes = kMaxFrameBytes * (input.byte() + size_t{1});
      return encode(request);
    }
    case 3: {
      std::string events;
      for (int count = input.below(6); count >= 0; --count) {
        auto made = fuzz::made_event(input);
        made.header.lane = input.below(4) == 0 ? input.number<uint32_t>() : input.below(2);
        made.header.pos = input.number<uint16_t>();
        append_event(events, made.header, made.payload);
      }
      return encode(Data{events});
    }
    case 4: return encode(Bye{});
    default: {  // a message with something changed in it
      std::string datagram = encode(Request{1, 8, 0, 0});
      datagram[input.byte() % datagram.size()] = static_cast<char>(input.byte());
      return datagram;
    }
  }
}

}  // namespace

FUZZ_TARGET(link_master, input) {
  Master master;
  Honest honest;
  honest.join(master);
  PeerId hostile[2] = {master.accept(), master.accept()};
  for (int steps = 0; !input.is_empty() && steps < 200; ++steps) {
    PeerId& peer = hostile[input.below(2)];
    switch (input.below(8)) {
      case 0: honest.record(master.now_ns); break;
      case 1: honest.turn(master); break;
      case 2:
        honest.turn(master);  // it does not sit on its credit
        master.now_ns += input.number<uint16_t>() * kMillisecond / 8;
        break;
      case 3: master.turn(); break;
      case 4:  // it reads what it is told
        while (master.peers.contains(peer) && master.peers.at(peer)->outgoing()) master.peers.at(peer)->sent();
        break;
      default:
        if (!master.peers.contains(peer)) peer = master.accept();
        master.hear(peer, hostile_datagram(input));
        master.check();
    }
  }
  // Whatever they have left behind: the honest one comes through while they are there, and all is free when they go.
  honest.record(master.now_ns);
  for (int turns = 0; turns < 60 && !honest.dismissed; ++turns) {
    honest.turn(master);
    if (honest.link.is_member() && honest.flow.unsent_bytes() == 0) master.hear(honest.id, honest.link.bye());
    master.turn();
    master.now_ns += kSecond;
    honest.turn(master);
  }
  expect(honest.dismissed, "an honest slave comes through");
  expect(master.of_honest.size() == honest.last_pos, "every record of it is written once");
  for (size_t i = 0; i < master.of_honest.size(); ++i) expect(master.of_honest[i] == i + 1, "in the order of its lane");
  while (!master.peers.empty()) master.hang_up(master.peers.begin()->first);
  master.turn();
  expect(master.queue.occupied() == 0 && master.ordering.empty(), "nothing is left when all have left");
}
