// One datagram, as either end of the link reads it.
#include "recorder/link/messages.h"
#include "tests/fuzz/target.h"

using namespace sidrec::link;
using sidrec::fuzz::expect;

FUZZ_TARGET(link_message, input) {
  const std::string datagram(input.rest());  // of the heap, so that a body is aligned
  const auto message = decode(datagram);
  if (!message) {
    expect(!message.error().message.empty(), "what cannot be read is told why");
    return;
  }
  const MessageType type = type_of(*message);
  expect(name_of(type) != "unknown message", "every message has a name");
  if (type == MessageType::kRefuse) {  // of any version, and cleaned for the log
    const auto again = decode(encode(*message));
    expect(again && std::get<Refuse>(*again).reason == std::get<Refuse>(*message).reason, "a reason stays what it is");
    return;
  }
  expect(encode(*message) == datagram, "decode() accepts exactly what encode() makes");
  for (const Side side : {Side::kSlave, Side::kMaster}) {
    int states = 0;
    for (const LinkState state : {LinkState::kNew, LinkState::kGreeted, LinkState::kMember, LinkState::kLeaving}) {
      states += static_cast<bool>(check_right(side, state, type));
    }
    expect(states < 4, "no message but REFUSE may be said in every state");
  }
}
