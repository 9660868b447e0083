// Slave: one connection to a SID's master: its socket, the protocol's state, and what the master has said. The events
// are in the role's SlaveFlow, which outlives it. Made by a role for each election that finds a master (S3, S6, S7).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "recorder/base/unique_fd.h"
#include "recorder/link/slave_flow.h"
#include "recorder/link/slave_link.h"
#include "recorder/link/socket.h"
#include "recorder/main/surroundings.h"

namespace sidrec {

class Slave {
 public:
  // `wake`: to be called when the master has said something.
  Slave(Surroundings& around, link::SlaveFlow& flow, UniqueFd socket, std::function<void()> wake);
  Slave(const Slave&) = delete;
  Slave& operator=(const Slave&) = delete;

  // False when the master is gone already.
  bool say_hello(const link::Hello& hello);

  enum class News : uint8_t { kNone, kWelcome, kRefused, kEnded, kByeAck };
  // Hears what has come. After kRefused, kEnded or kByeAck the object is of no further use; why() says more.
  News hear(uint64_t now_ns);
  // Says what may be said. `spooled`: as for SlaveFlow::request.
  void speak(uint64_t now_ns, uint64_t spooled);
  // S9, with everything sent. Does nothing while the master's queue is full: to be called again until is_leaving().
  void say_bye();

  // There is nothing to hear, and nothing that could not be said.
  bool is_quiet() const { return is_member() && !readable_ && !blocked_; }
  bool is_member() const { return link_.is_member(); }
  bool is_leaving() const { return link_.state() == link::LinkState::kLeaving; }
  const SessionIdentity& identity() const { return link_.identity(); }
  const std::string& why() const { return why_; }

 private:
  bool send(std::string_view head, std::string_view body = {}, int shown = -1);
  News hear_one(uint64_t now_ns, bool& more);

  Surroundings& around_;
  link::SlaveFlow& flow_;
  link::SlaveLink link_;
  UniqueFd socket_;
  link::ReceiveBuffer buffer_;
  std::string why_;
  bool readable_ = true;
  bool blocked_ = false;  // the master's queue is full: EPOLLOUT tells
  Poller::Watch watch_;   // before socket_ goes
};

}  // namespace sidrec
