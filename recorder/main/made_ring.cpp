#include "recorder/main/made_ring.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <charconv>

#include "recorder/base/clock.h"
#include "recorder/base/unique_fd.h"
#include "recorder/link/socket.h"

namespace sidrec {
namespace {

constexpr int kHostPatienceMs = 5000;  // of a host that is stopped in between; a running one answers at once

bool parse(const std::string& text, uint32_t least, uint32_t most, uint32_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= least && value <= most;
}

Result<UniqueFd> make_file(const std::string& run_dir, const std::string& path, size_t bytes) {
  const std::string rings = run_dir + "/rings";
  if (::mkdir(rings.c_str(), 0700) != 0 && errno != EEXIST) return errno_error("cannot make " + rings);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return errno_error("cannot make the ring " + path);
  // A store into a hole of a full tmpfs would kill the host (SIGBUS): all of it is had now, or there is no ring.
  const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes));
  if (error != 0) return errno_error("cannot make the ring " + path, error);
  return fd;
}

Result<void> hand_over(int socket, int ring, const std::string& ring_id) {
  const auto sent = link::send_message(socket, {ring_id.c_str(), ring_id.size() + 1}, {}, ring);
  if (!sent) return sent.error();
  if (*sent != link::SendResult::kSent) return Error{"cannot hand the ring over", ECONNRESET};
  return {};
}

Result<void> await_header(int socket) {
  pollfd answer{socket, POLLIN, 0};
  char ready = 0;
  if (::poll(&answer, 1, kHostPatienceMs) <= 0 || ::recv(socket, &ready, sizeof ready, MSG_DONTWAIT) != 1) {
    return Error{"the host did not take its ring", ETIMEDOUT};
  }
  return {};
}

}  // namespace

Result<MadeRing> make_ring_for_host(int socket, const std::string& run_dir, const std::string& shape) {
  const size_t space = std::min(shape.find(' '), shape.size());
  uint32_t lane_count = 0, lane_size = 0;
  if (!parse(shape.substr(0, space), 1, ring::kMaxLanes, lane_count) ||
      !parse(shape.substr(std::min(space + 1, shape.size())), ring::kMinLaneBytes, ring::kMaxLaneBytes, lane_size) ||
      !std::has_single_bit(lane_size)) {
    return Error{"a ring of impossible size", EINVAL};
  }
  ucred host{};
  socklen_t length = sizeof host;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &host, &length) != 0)
    return errno_error("descriptor 0 is no socket");

  MadeRing made;
  made.host = host.pid;
  char stamp[9];
  std::snprintf(stamp, sizeof stamp, "%08x", static_cast<unsigned>(monotonic_ns() >> 10));
  made.ring_id = "r" + std::to_string(host.pid) + "-" + stamp;
  made.path = run_dir + "/rings/" + made.ring_id + ".ring";
  auto file = make_file(run_dir, made.path, ring::ring_bytes(lane_count, lane_size));
  if (!file && file.error().code == EEXIST) return file.error();
  Result<void> done = file ? hand_over(socket, file->get(), made.ring_id) : file.error();
  // The host's shared lock is of the description it was sent: with ours gone, it lives as long as the host's mapping.
  if (file) file->reset();
  if (done) done = await_header(socket);
  if (done) return made;
  (void)::unlink(made.path.c_str());
  return done.error();
}

}  // namespace sidrec
