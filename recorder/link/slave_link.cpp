#include "recorder/link/slave_link.h"

#include <utility>

namespace sidrec::link {

std::string SlaveLink::hello(const Hello& hello) {
  state_ = LinkState::kGreeted;
  if (hello.oldest_ns != 0) flow_.greeted();
  return encode(hello);
}

std::string SlaveLink::bye() {
  state_ = LinkState::kLeaving;
  return encode(Bye{});
}

Result<SlaveLink::Heard> SlaveLink::receive(std::string_view datagram, uint64_t now_ns) {
  auto message = decode(datagram);
  if (!message) return message.error();
  if (auto right = check_right(Side::kMaster, state_, type_of(*message)); !right) return right.error();
  const auto heard = [](const Result<void>& done) -> Result<Heard> {
    if (!done) return done.error();
    return Heard::kNothing;
  };
  if (auto* welcome = std::get_if<Welcome>(&*message)) {
    state_ = LinkState::kMember;
    identity_ = std::move(welcome->identity);
    return Heard::kWelcome;
  }
  if (auto* refuse = std::get_if<Refuse>(&*message)) {
    reason_ = std::move(refuse->reason);
    return Heard::kRefused;
  }
  if (const auto* pass = std::get_if<Pass>(&*message)) return heard(flow_.on_pass(*pass));
  if (const auto* wait = std::get_if<Wait>(&*message)) return heard(flow_.on_wait(*wait, now_ns));
  if (const auto* commit = std::get_if<Commit>(&*message)) return heard(flow_.on_commit(*commit));
  return Heard::kByeAck;  // the table leaves nothing else
}

}  // namespace sidrec::link
