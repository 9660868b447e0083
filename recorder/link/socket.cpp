#include "recorder/link/socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdio>
#include <cstring>

#include "recorder/base/file_lock.h"
#include "recorder/link/messages.h"

namespace sidrec::link {
namespace {

constexpr char kLockName[] = ".lock";

// A unix address for a path of any length. Keeps the directory open while the address is in use.
struct Address {
  sockaddr_un name{};
  UniqueFd directory;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
  static constexpr socklen_t kBytes = sizeof(sockaddr_un);
};

Result<Address> address_of(const std::string& path) {
  Address address;
  address.name.sun_family = AF_UNIX;
  std::string short_path = path;
  if (path.size() >= sizeof address.name.sun_path) {
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return Error{"socket name too long: " + path, ENAMETOOLONG};
    const std::string directory = path.substr(0, slash);
    address.directory = UniqueFd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!address.directory) return errno_error("cannot open " + directory);
    short_path = "/proc/self/fd/" + std::to_string(address.directory.get()) + path.substr(slash);
    if (short_path.size() >= sizeof address.name.sun_path) {
      return Error{"socket name too long: " + path, ENAMETOOLONG};
    }
  }
  std::memcpy(address.name.sun_path, short_path.c_str(), short_path.size() + 1);
  return address;
}

UniqueFd new_socket() { return UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

// Beyond net.core.wmem_max only with CAP_NET_ADMIN. Without any of it a frame still fits, so a refusal is no error; a
// buffer too small for one frame is.
Result<void> raise_send_buffer(int fd) {
  const int wanted = kSendBufferBytes;
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) != 0) {
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
  }
  int granted = 0;
  socklen_t length = sizeof granted;
  if (::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &granted, &length) != 0) return errno_error("cannot ask for SO_SNDBUF");
  // The kernel keeps 32 bytes of it for itself (unix_dgram_sendmsg).
  if (static_cast<size_t>(granted) < kMaxDatagramBytes + 32) {
    return Error{"net.core.wmem_max allows " + std::to_string(granted) + " bytes, a frame needs " +
                     std::to_string(kMaxDatagramBytes + 32),
                 ENOBUFS};
  }
  return {};
}

Result<void> check_peer(int fd, uid_t user = ::geteuid()) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return errno_error("cannot ask for SO_PEERCRED");
  if (peer.uid == user) return {};
  return Error{"peer " + std::to_string(peer.pid) + " is of user " + std::to_string(peer.uid) + ", not " +
                   std::to_string(user),
               EPERM};
}

Result<void> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0750) == 0 || errno == EEXIST) return {};
  const size_t slash = path.rfind('/');
  if (errno != ENOENT || slash == std::string::npos || slash == 0) return errno_error("cannot make " + path);
  if (auto parent = make_directory(path.substr(0, slash)); !parent) return parent;
  if (::mkdir(path.c_str(), 0750) == 0 || errno == EEXIST) return {};
  return errno_error("cannot make " + path);
}

// Room for one descriptor that goes with a message (SCM_RIGHTS, unix(7)); more than one do not arrive.
class Passed {
 public:
  void make_room(msghdr& message) {
    message.msg_control = room_;
    message.msg_controllen = sizeof room_;
  }
  void put(msghdr& message, int fd) {
    make_room(message);
    cmsghdr* control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(control), &fd, sizeof fd);
  }
  static UniqueFd take(msghdr& message) {
    const cmsghdr* control = CMSG_FIRSTHDR(&message);
    if (control == nullptr || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) return UniqueFd();
    int fd = -1;
    if (control->cmsg_len == CMSG_LEN(sizeof fd)) std::memcpy(&fd, CMSG_DATA(control), sizeof fd);
    return UniqueFd(fd);
  }

 private:
  alignas(cmsghdr) char room_[CMSG_SPACE(sizeof(int))] = {};
};

ConnectOutcome failed(Error error) { return {ConnectResult::kFailed, {}, std::move(error)}; }

}  // namespace

ConnectOutcome connect_to(const std::string& path) {
  auto address = address_of(path);
  if (!address) {
    if (address.error().code == ENOENT) return {ConnectResult::kAbsent, {}};
    return failed(address.error());
  }
  UniqueFd fd = new_socket();
  if (!fd) return failed(errno_error("cannot make a socket"));
  if (::connect(fd.get(), address->get(), Address::kBytes) != 0) {
    switch (errno) {
      case ENOENT: return {ConnectResult::kAbsent, {}};
      case ECONNREFUSED: return {ConnectResult::kRefused, {}};
      case EAGAIN:
      case EINTR: return {ConnectResult::kAgain, {}};
      default: return {ConnectResult::kRefused, {}, errno_error("cannot connect to " + path)};
    }
  }
  if (auto peer = check_peer(fd.get()); !peer) {
    return {ConnectResult::kRefused, {}, Error{path + ": " + peer.error().message, EPERM}};
  }
  if (auto buffer = raise_send_buffer(fd.get()); !buffer) return failed(buffer.error());
  return {ConnectResult::kConnected, std::move(fd)};
}

Result<UniqueFd> listen_at(const std::string& path) {
  const std::string temporary = path + ".new";
  auto address = address_of(temporary);
  if (!address) return address.error();
  UniqueFd fd = new_socket();
  if (!fd) return errno_error("cannot make a socket");
  // Left by a master that died here; nobody else makes this name while we hold the lock.
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) return errno_error("cannot remove " + temporary);
  if (::bind(fd.get(), address->get(), Address::kBytes) != 0) return errno_error("cannot bind " + temporary);
  const auto give_up = [&temporary](Error error) {
    (void)::unlink(temporary.c_str());
    return error;
  };
  // Nobody can connect before listen(), whatever the umask made of the mode until here.
  if (::chmod(temporary.c_str(), 0600) != 0) return give_up(errno_error("cannot set the mode of " + temporary));
  if (::listen(fd.get(), kListenBacklog) != 0) return give_up(errno_error("cannot listen at " + temporary));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return give_up(errno_error("cannot rename to " + path));
  return fd;
}

Result<UniqueFd> accept_one(int listener, uid_t user) {
  UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) {
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return UniqueFd();
    return errno_error("cannot accept a slave");
  }
  if (auto peer = check_peer(fd.get(), user); !peer) return peer.error();
  if (auto buffer = raise_send_buffer(fd.get()); !buffer) return buffer.error();
  return fd;
}

Result<SendResult> send_message(int fd, std::string_view head, std::string_view body, int shown) {
  iovec parts[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = body.empty() ? 1 : 2;
  Passed passed;
  if (shown >= 0) passed.put(message, shown);
  for (;;) {
    if (::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return SendResult::kSent;
    switch (errno) {
      case EINTR: continue;
      case EAGAIN:
      case ENOBUFS: return SendResult::kAgain;
      case EPIPE:
      case ECONNRESET:
      case ENOTCONN: return SendResult::kGone;
      default: return errno_error("cannot send a message of " + std::to_string(head.size() + body.size()) + " bytes");
    }
  }
}

// Not filled: of the many masters of one recorder most have no slave, and touch none of it.
ReceiveBuffer::ReceiveBuffer() : words_(std::make_unique_for_overwrite<uint64_t[]>(size() / sizeof(uint64_t))) {}

size_t ReceiveBuffer::size() {
  static_assert(kMaxDatagramBytes % sizeof(uint64_t) == 0);
  return kMaxDatagramBytes;
}

Result<Received> receive_message(int fd, ReceiveBuffer& buffer, UniqueFd* shown) {
  iovec part{buffer.data(), ReceiveBuffer::size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  Passed passed;
  if (shown != nullptr) passed.make_room(message);
  for (bool reset = false;;) {
    const ssize_t got = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (shown != nullptr && got >= 0) *shown = passed.take(message);
    if (got > 0) {
      if (message.msg_flags & MSG_TRUNC) return Error{"oversized datagram", EMSGSIZE};
      return Received{Received::Kind::kMessage, {buffer.data(), static_cast<size_t>(got)}};
    }
    // An empty datagram cannot be told from the end, and no message is empty: who sends one has ended.
    if (got == 0) return Received{Received::Kind::kEnd, {}};
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return Received{Received::Kind::kAgain, {}};
    if (errno != ECONNRESET) return errno_error("cannot receive");
    if (reset) return Received{Received::Kind::kEnd, {}};
    reset = true;
  }
}

Result<DirectoryLock> lock_directory(const std::string& path) {
  if (auto made = make_directory(path); !made) return made.error();
  UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) return errno_error("cannot open " + path);
  UniqueFd lock(::openat(dir.get(), kLockName, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!lock) return errno_error("cannot open " + path + "/" + kLockName);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK || errno == EINTR) return DirectoryLock{};
    return errno_error("cannot lock " + path + "/" + kLockName);
  }
  (void)lock_file(dir.get(), F_RDLCK);  // not on every file system: then it is only not seen
  return DirectoryLock{std::move(lock), std::move(dir)};
}

}  // namespace sidrec::link
