#include "recorder/link/master_peer.h"

#include <utility>

namespace sidrec::link {

Result<MasterPeer::Heard> MasterPeer::receive(std::string_view datagram, uint64_t now_ns) {
  auto message = decode(datagram);
  if (!message) return message.error();
  if (auto right = check_right(Side::kSlave, state_, type_of(*message)); !right) return right.error();
  if (auto* hello = std::get_if<Hello>(&*message)) return on_hello(std::move(*hello));
  if (const auto* request = std::get_if<Request>(&*message)) return on_request(*request, now_ns);
  if (const auto* data = std::get_if<Data>(&*message)) return on_data(*data, now_ns);
  leave();
  state_ = LinkState::kLeaving;
  if (std::holds_alternative<Status>(*message)) return Heard::kStatus;
  // BYE: the table leaves nothing else.
  owes_bye_ack_ = true;
  if (!is_held() && !marks_->owes_commit()) answer_bye();
  return Heard::kBye;
}

Result<MasterPeer::Heard> MasterPeer::on_hello(Hello hello) {
  if (hello.sid != sid_) return Error{"HELLO of recorder " + hello.rec + " for another SID"};
  hello_ = std::move(hello);
  marks_ = &parts_.ledger.of(hello_.rec);
  state_ = LinkState::kGreeted;
  return Heard::kHello;
}

void MasterPeer::welcome(const SessionIdentity& identity, uint32_t retry_ms, uint64_t now_ns) {
  state_ = LinkState::kMember;
  retry_ms_ = retry_ms;
  parts_.queue.add_peer(id_);
  parts_.ordering.add_source(id_, hello_.rec, now_ns);
  marks_->set_reader(id_);
  outgoing_.push_back(encode(Welcome{identity, retry_ms}));
  if (hello_.oldest_ns == 0) return;
  answer({.request = 0, .bytes = kFirstBytes, .records = 1, .oldest_ns = hello_.oldest_ns}, now_ns);
}

void MasterPeer::answer(const Request& request, uint64_t now_ns) {
  const auto answer = parts_.queue.request(id_, request, now_ns);
  if (!answer) return;
  if (answer->credit > 0) {
    outgoing_.push_back(encode(Pass{answer->request, answer->credit}));
  } else {
    outgoing_.push_back(encode(Wait{answer->request, retry_ms_}));
  }
}

Result<MasterPeer::Heard> MasterPeer::on_request(const Request& request, uint64_t now_ns) {
  if (request.request <= last_request_) return Error{"REQUEST of recorder " + hello_.rec + " with an old number"};
  if (outgoing_.size() >= kMaxOutgoing) return Error{"recorder " + hello_.rec + " asks and does not read the answers"};
  last_request_ = request.request;
  answer(request, now_ns);
  return Heard::kNothing;
}

Result<MasterPeer::Heard> MasterPeer::on_data(const Data& data, uint64_t now_ns) {
  if (auto accepted = parts_.queue.accept(id_, data.events.size()); !accepted) return accepted.error();
  const auto last_ns = parts_.ordering.add_frame(id_, std::string(data.events), now_ns);
  if (!last_ns) {
    parts_.queue.released(id_, data.events.size());
    return last_ns.error();
  }
  parts_.queue.reached(id_, *last_ns);
  return Heard::kNothing;
}

void MasterPeer::pass(const WaitingQueue::Grant& grant) {
  outgoing_.push_back(encode(Pass{grant.request, grant.credit}));
}

void MasterPeer::acknowledge() {
  const bool tells = state_ == LinkState::kMember || (owes_bye_ack_ && !is_held());
  if (!tells || !outgoing_.empty()) return;
  if (marks_->reader() == id_) {
    for (const Commit& commit : marks_->take_commits()) outgoing_.push_back(encode(commit));
  }
  if (owes_bye_ack_) answer_bye();
}

void MasterPeer::answer_bye() {
  outgoing_.push_back(encode(ByeAck{}));
  owes_bye_ack_ = false;
}

void MasterPeer::leave() {
  if (std::exchange(left_, true)) return;
  parts_.queue.remove_peer(id_);
  parts_.ordering.remove_source(id_);
}

}  // namespace sidrec::link
