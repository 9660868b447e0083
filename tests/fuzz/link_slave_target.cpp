// A slave with a hostile master: it sends whole events, within what it was allowed, and forgets none that is not
// acknowledged.
#include <algorithm>
#include <optional>
#include <vector>

#include "recorder/base/clock.h"
#include "recorder/link/slave_link.h"
#include "tests/fuzz/target.h"

using namespace sidrec;
using namespace sidrec::link;
using fuzz::expect;
using fuzz::Input;

namespace {

std::vector<uint64_t> positions_in(std::string_view bytes) {
  const std::string aligned(bytes);
  std::vector<uint64_t> positions;
  for (std::string_view rest = aligned; !rest.empty();) {
    const auto event = parse_event(rest);
    expect(event.has_value(), "only whole events are sent");
    positions.push_back(event->event->pos);
    rest.remove_prefix(event->bytes);
  }
  return positions;
}

struct World {
  SlaveFlow flow;
  std::optional<SlaveLink> link;
  uint64_t last_pos = 0;
  uint64_t committed = 0;  // the highest mark that was said of lane 0
  uint64_t credit = 0;     // that the slave may believe it has
  uint32_t request = 0;
  uint64_t requested = 0;
  uint64_t now_ns = kSecond;

  void connect() {
    lose();
    link.emplace(flow);
    const uint64_t oldest_ns = flow.oldest_unsent_ns().value_or(0);
    (void)link->hello({"r1", "sid", "socat", 1, 1, {}, oldest_ns});
    requested = oldest_ns == 0 ? 0 : kFirstBytes;
  }
  void lose() {
    link.reset();
    flow.on_master_lost();
    credit = request = 0;
  }
  void append(size_t bytes) {
    EventHeader header{};
    header.kind = EventKind::kData;
    header.time_ns = now_ns;
    header.pos = ++last_pos;
    header.len = bytes;
    flow.append(header, std::string(bytes, 'x'));
  }
  void hear(const std::string& datagram) {
    if (!link) return;
    const auto message = decode(datagram);
    const auto heard = link->receive(datagram, now_ns);
    if (!heard) return lose();
    if (const auto* pass = std::get_if<Pass>(&*message); pass && pass->request == request) {
      expect(pass->credit <= requested, "nobody believes in more than he has asked for");
      credit = pass->credit;
    }
    if (const auto* commit = std::get_if<Commit>(&*message)) {
      for (const CommitMark& mark : commit->marks) {
        if (mark.lane == 0) committed = std::max(committed, mark.pos);
      }
    }
    if (*heard == SlaveLink::Heard::kRefused || *heard == SlaveLink::Heard::kByeAck) lose();
  }
  void speak() {
    while (link && link->is_member()) {
      if (const auto body = flow.data(); !body.empty()) {
        expect(body.size() <= kMaxFrameBytes, "a frame has a bound");
        expect(body.size() <= credit, "nothing is sent that was not allowed");
        const auto sent = positions_in(body);
        expect(std::is_sorted(sent.begin(), sent.end()), "events leave in the order in which they came");
        credit = request == 0 ? 0 : credit - body.size();
        flow.sent();
      } else if (const auto asked = flow.request(now_ns)) {
        expect(decode(encode(*asked)).operator bool(), "a REQUEST is a sound one");
        request = asked->request;
        requested = asked->bytes;
        credit = 0;
        flow.requested(*asked);
        if (asked->bytes > 0) return;
      } else {
        return;
      }
    }
  }
};

std::string datagram(Input& input, const World& world) {
  switch (input.below(7)) {
    case 0: return std::string(input.some(200));
    case 1: return encode(Welcome{{"0193-ab", input.number<int64_t>(), input.byte()}, 1u + input.byte()});
    case 2:
      return encode(Pass{input.below(4) == 0 ? input.byte() : world.request, 1 + input.number<uint64_t>() % 4096});
    case 3: return encode(Wait{input.below(4) == 0 ? input.byte() : world.request, 1u + input.byte()});
    case 4: {
      Commit commit;
      for (int count = input.below(3); count >= 0; --count) {
        const uint32_t lane = input.below(4) == 0 ? input.number<uint32_t>() : 0;
        commit.marks.push_back({lane, input.below(8) == 0 ? input.number<uint64_t>() : input.byte() % 32});
      }
      return encode(commit);
    }
    case 5: return encode(ByeAck{});
    default: return encode(Refuse{std::string(input.some(40))});
  }
}

}  // namespace

FUZZ_TARGET(link_slave, input) {
  World world;
  for (int steps = 0; !input.is_empty() && steps < 300; ++steps) {
    switch (input.below(7)) {
      case 6:
        if (world.link && world.link->is_member() && world.flow.unsent_bytes() == 0) (void)world.link->bye();
        break;
      case 0: world.append(1 + input.number<uint16_t>() % 2000); break;
      case 1: world.connect(); break;
      case 2: world.now_ns += input.number<uint16_t>() * kMillisecond; break;
      case 3: world.speak(); break;
      default: world.hear(datagram(input, world)); break;
    }
    expect(world.flow.unsent_bytes() <= world.flow.uncommitted_bytes(), "what is not sent is not committed");
  }
  world.lose();
  const auto kept = positions_in(world.flow.take_uncommitted());
  uint64_t expected = world.last_pos - kept.size();
  expect(expected <= world.committed, "what is not acknowledged is kept");
  for (const uint64_t pos : kept) expect(pos == ++expected, "in order, without a hole");
}
