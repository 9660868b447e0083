#include "recorder/link/election.h"

#include <algorithm>

namespace sidrec::link {

Election::Step Election::go(Step step) {
  step_ = step;
  deadline_ns_.reset();
  return step;
}

Election::Step Election::pause_for(uint64_t pause_ns, uint64_t now_ns) {
  go(Step::kPause);
  deadline_ns_ = now_ns + pause_ns;
  return Step::kPause;
}

Election::Step Election::pause(uint64_t now_ns) {
  const uint64_t this_time = pause_ns_;
  pause_ns_ = std::min(pause_ns_ * 2, settings_.max_pause_ns);
  return pause_for(this_time, now_ns);
}

Election::Step Election::start() {
  pause_ns_ = settings_.first_pause_ns;
  return go(Step::kConnect);
}

Election::Step Election::on_connect(ConnectResult result, uint64_t now_ns) {
  if (step_ != Step::kConnect) return Step::kNone;
  switch (result) {
    case ConnectResult::kConnected:
      go(Step::kSendHello);
      deadline_ns_ = now_ns + settings_.hello_timeout_ns;
      return Step::kSendHello;
    case ConnectResult::kAbsent:
    case ConnectResult::kRefused: return go(Step::kLock);
    case ConnectResult::kAgain: return pause(now_ns);
    case ConnectResult::kFailed: return pause_for(settings_.refused_pause_ns, now_ns);
  }
  return Step::kNone;
}

Election::Step Election::on_welcome() {
  if (step_ != Step::kSendHello) return Step::kNone;
  pause_ns_ = settings_.first_pause_ns;
  return go(Step::kSlave);
}

Election::Step Election::on_refused(uint64_t now_ns) {
  if (step_ != Step::kSendHello && step_ != Step::kSlave) return Step::kNone;
  return pause_for(settings_.refused_pause_ns, now_ns);
}

Election::Step Election::on_end(uint64_t now_ns) {
  if (step_ == Step::kSlave) return go(Step::kConnect);
  if (step_ == Step::kSendHello) return pause(now_ns);
  return Step::kNone;
}

Election::Step Election::on_lock(bool got, uint64_t now_ns) {
  if (step_ != Step::kLock) return Step::kNone;
  return got ? go(Step::kBind) : pause(now_ns);
}

Election::Step Election::on_bind(bool bound, uint64_t now_ns) {
  if (step_ != Step::kBind) return Step::kNone;
  // Who cannot bind gives the lock back: another recorder of this SID may have the rights.
  return bound ? go(Step::kMaster) : pause_for(settings_.refused_pause_ns, now_ns);
}

Election::Step Election::on_bye_ack() {
  if (step_ == Step::kSlave) go(Step::kNone);
  return Step::kNone;
}

Election::Step Election::on_timer(uint64_t now_ns) {
  if (!deadline_ns_ || now_ns < *deadline_ns_) return Step::kNone;
  if (step_ == Step::kSendHello) return pause(now_ns);
  return go(Step::kConnect);
}

}  // namespace sidrec::link
