// SlaveLink: a slave's end of one connection to a master, as a protocol state. Pure: datagrams in, decisions out; the
// events are SlaveFlow's, the socket the caller's. One for each connection; after the end of one, make another.
//
// Invariants
//  1. Every datagram is decoded and checked against the table of rights before anything of it is used.
//  2. An error is final: the caller logs the sentence, closes, and calls SlaveFlow::on_master_lost().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "recorder/base/result.h"
#include "recorder/link/messages.h"
#include "recorder/link/slave_flow.h"

namespace sidrec::link {

class SlaveLink {
 public:
  explicit SlaveLink(SlaveFlow& flow) : flow_(flow) {}

  // The first datagram to send.
  std::string hello(const Hello& hello);

  enum class Heard : uint8_t {
    kNothing,  // the flow may have something to send now
    kWelcome,  // identity() holds from now on
    kRefused,  // reason(); the connection ends
    kByeAck,   // the slave may close
  };
  Result<Heard> receive(std::string_view datagram, uint64_t now_ns);

  // Whether the flow may send: member, and BYE not said.
  bool is_member() const { return state_ == LinkState::kMember; }
  // S9: with no connection left and everything sent. No event may be appended before a new connection is made.
  std::string bye();

  const SessionIdentity& identity() const { return identity_; }
  const std::string& reason() const { return reason_; }
  LinkState state() const { return state_; }

 private:
  SlaveFlow& flow_;
  LinkState state_ = LinkState::kNew;
  SessionIdentity identity_;
  std::string reason_;
};

}  // namespace sidrec::link
