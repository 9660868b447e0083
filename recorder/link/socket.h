// The link's sockets: non-blocking SOCK_SEQPACKET unix sockets (unix(7)) and the lock that makes a master (flock(2)).
// System calls and their errors, no protocol. Used by the recorder's loop, from one thread.
//
// Invariants
//  1. Every descriptor is close-on-exec, and the recorder never forks: a listener or a lock lives in one process only.
//  2. A socket appears under its name only when it listens: it is bound under a temporary name, then renamed over. Only
//     who holds the SID's lock may do that, so the temporary name needs no number.
//  3. A peer is of our own user, or the one we ask for, by the kernel's word (SO_PEERCRED), before its first byte is read.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/base/result.h"
#include "recorder/base/unique_fd.h"

namespace sidrec::link {

// Connections that may wait for a busy master before others are told "again"; the kernel cuts it to somaxconn (4096).
inline constexpr int kListenBacklog = 4096;
// Asked for each socket, granted up to net.core.wmem_max: several full frames under way.
inline constexpr int kSendBufferBytes = 1024 * 1024;

enum class ConnectResult : uint8_t {
  kConnected,
  kAbsent,   // no such path
  kRefused,  // a path nobody of ours listens at: left by a master that died, or put there by a stranger (`error`)
  kAgain,    // a listener whose backlog is full: it lives
  kFailed,   // for reasons of our own: see `error`
};

struct ConnectOutcome {
  ConnectResult result;
  UniqueFd fd;    // kConnected
  Error error{};  // kFailed; kRefused, where it is worth a word
};
// A path longer than sun_path is reached through its directory.
ConnectOutcome connect_to(const std::string& path);

// A listening socket at `path`, mode 0600. The caller holds the SID's lock.
Result<UniqueFd> listen_at(const std::string& path);

// The next connection, from a peer of our user, or of `user`; no descriptor when there is none. A stranger is an error.
Result<UniqueFd> accept_one(int listener, uid_t user = ::geteuid());

enum class SendResult : uint8_t {
  kSent,
  kAgain,  // the peer's queue is full: wait for EPOLLOUT, send the same again
  kGone,   // the peer is gone; what it sent before can still be read
};
// One datagram, made of two parts so that a body needs no copy behind its header. Never raises SIGPIPE. `shown`: a
// descriptor that goes with it.
Result<SendResult> send_message(int fd, std::string_view head, std::string_view body = {}, int shown = -1);

// Room for the largest datagram, aligned for parse_event.
class ReceiveBuffer {
 public:
  ReceiveBuffer();
  char* data() { return reinterpret_cast<char*>(words_.get()); }
  static size_t size();

 private:
  std::unique_ptr<uint64_t[]> words_;
};

struct Received {
  enum class Kind : uint8_t { kMessage, kAgain, kEnd } kind;
  std::string_view datagram;  // kMessage: within the buffer, until the next call
};
// One datagram. A larger one than the buffer is an error. A peer that went away with unread input makes the kernel
// say ECONNRESET once, before what it had sent: that is passed over. `shown`: the descriptor that came with it, if any;
// where null, none arrives.
Result<Received> receive_message(int fd, ReceiveBuffer& buffer, UniqueFd* shown = nullptr);

// Held for as long as it is open.
struct DirectoryLock {
  UniqueFd lock;
  UniqueFd sign;  // shows it to those who may read the directory

  explicit operator bool() const { return static_cast<bool>(lock); }
};
// The exclusive lock of a directory, without waiting; none where another process has it. Makes the directory (mode
// 0750) and its parents, when missing. The lock is on a file in there that only its owner can open, so nobody else can
// hold it (docs/decisions/0013).
Result<DirectoryLock> lock_directory(const std::string& path);

}  // namespace sidrec::link
