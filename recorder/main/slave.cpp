#include "recorder/main/slave.h"

#include <utility>

namespace sidrec {

using link::SendResult;

// Messages heard in one turn, so that a talkative master cannot keep the ring waiting.
static constexpr int kMaxHeardOfMaster = 64;

Slave::Slave(Surroundings& around, link::SlaveFlow& flow, UniqueFd socket, std::function<void()> wake)
    : around_(around), flow_(flow), link_(flow), socket_(std::move(socket)) {
  watch_ = around_.poller.watch(socket_.get(), EPOLLIN, [this, wake = std::move(wake)](uint32_t events) {
    wake();
    readable_ = readable_ || (events & ~uint32_t{EPOLLOUT}) != 0;
    if (!(events & EPOLLOUT)) return;
    blocked_ = false;
    watch_.want(EPOLLIN);
  });
}

bool Slave::send(std::string_view head, std::string_view body, int shown) {
  const auto sent = link::send_message(socket_.get(), head, body, shown);
  if (!sent) around_.log.warn("to the master: " + sent.error().message);
  // Gone: what it had said is still to be heard, and then its end.
  blocked_ = !sent || *sent != SendResult::kSent;
  const bool full = sent && *sent == SendResult::kAgain;
  watch_.want(full ? uint32_t{EPOLLIN} | uint32_t{EPOLLOUT} : uint32_t{EPOLLIN});
  return !blocked_;
}

bool Slave::say_hello(const link::Hello& hello) { return send(link_.hello(hello), {}, around_.ring_fd); }

Slave::News Slave::hear_one(uint64_t now_ns, bool& more) {
  const auto received = link::receive_message(socket_.get(), buffer_);
  if (!received) {
    why_ = received.error().message;
    return News::kRefused;
  }
  more = received->kind == link::Received::Kind::kMessage;
  if (received->kind == link::Received::Kind::kEnd) return News::kEnded;
  if (!more) return News::kNone;
  const auto heard = link_.receive(received->datagram, now_ns);
  if (!heard) {
    why_ = heard.error().message;
    return News::kRefused;
  }
  switch (*heard) {
    case link::SlaveLink::Heard::kNothing: return News::kNone;
    case link::SlaveLink::Heard::kWelcome: return News::kWelcome;
    case link::SlaveLink::Heard::kRefused: why_ = link_.reason(); return News::kRefused;
    case link::SlaveLink::Heard::kByeAck: return News::kByeAck;
  }
  return News::kNone;
}

Slave::News Slave::hear(uint64_t now_ns) {
  if (!readable_) return News::kNone;
  for (int heard = 0; heard < kMaxHeardOfMaster; ++heard) {
    bool more = false;
    const News news = hear_one(now_ns, more);
    if (news != News::kNone) return news;
    if (!more) break;
  }
  readable_ = false;  // level-triggered: what is left comes up again
  return News::kNone;
}

void Slave::speak(uint64_t now_ns, uint64_t spooled) {
  if (!link_.is_member()) return;
  const link::MessageHeader header = link::data_header();
  const std::string_view head(reinterpret_cast<const char*>(&header), sizeof header);
  while (!blocked_) {
    if (const std::string_view data = flow_.data(); !data.empty()) {
      if (send(head, data)) flow_.sent();
      continue;
    }
    const auto request = flow_.request(now_ns, spooled);
    if (!request) return;
    if (send(link::encode(*request))) flow_.requested(*request);
  }
}

void Slave::say_bye() {
  if (blocked_ || !link_.is_member()) return;
  if (send(link::encode(link::Bye{}))) (void)link_.bye();
}

}  // namespace sidrec
