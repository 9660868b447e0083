#include "shim/ring_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "shim/kept_root.h"
#include "shim/settings.h"
#include "shim/spare.h"
#include "shim/spawn.h"
#include "shim/sys.h"

namespace sidrec {
namespace {

// A recorder that made its ring within this time has hardly been late: it takes about 1 ms, a spare needs no start.
constexpr int kRecorderPatienceMs = 1000;
constexpr int kSparePatienceMs = 50;

// A store beyond RLIMIT_FSIZE or into a hole on a full tmpfs would kill the host (SIGXFSZ, SIGBUS): so the space is
// had before it is mapped, or not at all (setrlimit(2), fallocate(2)).
long allocate(long fd, size_t bytes) {
  rlimit limit;
  if (sys::call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, sys::arg(&limit)) < 0 || limit.rlim_cur < bytes) return -EFBIG;
  return sys::call(SYS_fallocate, fd, 0, 0, static_cast<long>(bytes));
}

long create(const char* path) {
  constexpr int kNew = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  constexpr int kMode = 0600;
  const long fd = sys::call(SYS_openat, AT_FDCWD, sys::arg(path), kNew, kMode);
  return fd == -EACCES && keeps_root() ? open_as_root(path, kNew, kMode) : fd;
}

// The shared lock lives from here on as long as the mapping does; the descriptor may go.
ring::Header* map(long fd, size_t bytes) {
  long at = -1;
  if (sys::call(SYS_flock, fd, LOCK_SH | LOCK_NB) == 0)
    at = sys::call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return at < 0 && at > -4096 ? nullptr : reinterpret_cast<ring::Header*>(at);
}

// This process has them no more; who else has the mapping or the file keeps them.
void give_up(void* begin, size_t bytes) {
  sys::call(SYS_mmap, sys::arg(begin), static_cast<long>(bytes), PROT_NONE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

void fill_header(ring::Header* header, const RingShape& shape, uint32_t pid, uint64_t service, const char* ring_id) {
  header->version = ring::kVersion;
  header->lanes = shape.lanes;
  header->lane_bytes = shape.lane_bytes;
  header->host_pid = pid;
  header->service = service;
  strcpy(header->ring_id, ring_id);
  strcpy(header->program, g_settings.program.c_str());
  strcpy(header->sid_source, g_settings.sid_source);
  strcpy(header->sid_template, g_settings.sid_template.c_str());
  strcpy(header->audit_dir, g_settings.audit_dir.c_str());
  strcpy(header->run_dir, g_settings.run_dir.c_str());
  strcpy(header->config, g_settings.config.c_str());
  memcpy(header->env, g_settings.env, sizeof header->env);
  header->magic = ring::kMagic;
  give_up(header, ring::kFactsBytes);
  g_own_ring.shape = shape;
  strcpy(g_own_ring.id, ring_id);
}

bool say(long socket, const char* word) {
  const auto length = static_cast<long>(strlen(word));
  return sys::call(SYS_sendto, socket, sys::arg(word), length, MSG_NOSIGNAL) == length;
}

// What the recorder says, and the ring's descriptor; a negative error when it says nothing in time.
long receive_ring(long socket, int patience_ms, char (&ring_id)[ring::kMaxProgram]) {
  pollfd answer{static_cast<int>(socket), POLLIN, 0};
  sys::call(SYS_poll, sys::arg(&answer), 1, patience_ms);
  iovec text{ring_id, sizeof ring_id};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const long got = sys::call(SYS_recvmsg, socket, sys::arg(&message), MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  const cmsghdr* rights = CMSG_FIRSTHDR(&message);
  if (got <= 0 || !rights || rights->cmsg_type != SCM_RIGHTS) return -ECONNRESET;
  int fd = -1;
  memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  return memchr(ring_id, '\0', static_cast<size_t>(got)) ? fd : -ECONNRESET;
}

// The ring that the recorder at the other end of `socket` makes.
MadeRing take_ring(long socket, int patience_ms, const RingShape& shape, uint32_t pid, uint64_t service) {
  char ring_id[ring::kMaxProgram] = {};
  const long fd = receive_ring(socket, patience_ms, ring_id);
  ring::Header* header = fd < 0 ? nullptr : map(fd, ring::ring_bytes(shape.lanes, shape.lane_bytes));
  if (fd >= 0) sys::call(SYS_close, fd);
  if (header) {
    fill_header(header, shape, pid, service, ring_id);
    const char ready = 1;
    sys::call(SYS_sendto, socket, sys::arg(&ready), sizeof ready, MSG_NOSIGNAL);
  }
  return {header, header != nullptr, fd < 0 ? fd : -ENOMEM};
}

MadeRing ring_of_spare(const RingShape& shape, uint32_t pid, uint64_t service) {
  Text<32> wanted;
  wanted << uint64_t{shape.lanes} << " " << uint64_t{shape.lane_bytes};
  MadeRing made{};
  for (uint32_t slot = 0; slot < ring::kSpares && !made.header; ++slot) {
    const long socket = connect_to_spare(service, slot);
    if (socket < 0) continue;
    if (say(socket, wanted.c_str())) made = take_ring(socket, kSparePatienceMs, shape, pid, service);
    sys::call(SYS_close, socket);
  }
  return made;
}

MadeRing ring_of_new_recorder(const RingShape& shape, uint32_t pid, uint64_t service) {
  int ends[2];
  if (sys::call(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sys::arg(ends)) < 0)
    return {nullptr, false, -EMFILE};
  Text<16> lanes, lane_bytes;
  lanes << uint64_t{shape.lanes};
  lane_bytes << uint64_t{shape.lane_bytes};
  const char* const argv[] = {g_settings.recorder.c_str(), ring::kMakeRing, lanes.c_str(), lane_bytes.c_str(), nullptr};
  const bool started = spawn_recorder(argv, g_settings.debug, ends[1]);
  sys::call(SYS_close, ends[1]);
  const MadeRing made =
      started ? take_ring(ends[0], kRecorderPatienceMs, shape, pid, service) : MadeRing{nullptr, false, -EACCES};
  sys::call(SYS_close, ends[0]);
  return made;
}

// D13: its recorder has a user of its own, and makes the ring where this process's user has no right to anything.
MadeRing ring_of_recorder(const RingShape& shape, uint32_t pid, uint64_t service) {
  const MadeRing made = service ? ring_of_spare(shape, pid, service) : MadeRing{};
  return made.header ? made : ring_of_new_recorder(shape, pid, service);
}

// An installed one could not open root's ring, so it is given this one. No seccomp filter of the service kills who
// calls fchown(2): else no recorder had become its user.
bool give_to_spare(long fd, const char* path, uint64_t service) {
  const uint32_t user = g_settings.recorder_uid;
  bool given = false;
  for (uint32_t slot = 0; slot < ring::kSpares && !given; ++slot) {
    const long socket = connect_to_spare(service, slot);
    if (socket < 0) continue;
    given = (!user || sys::call(SYS_fchown, fd, user, g_settings.recorder_gid) == 0) && say(socket, path);
    sys::call(SYS_close, socket);
  }
  return given;
}

}  // namespace

constinit OwnRing g_own_ring{};

void ring_path(char (&path)[ring::kMaxPath + 64]) {
  Text<ring::kMaxPath + 64> text;
  text << g_settings.rings_dir.c_str() << "/" << g_own_ring.id << ".ring";
  memcpy(path, text.c_str(), text.size() + 1);
}

MadeRing make_ring(const RingShape& shape, uint32_t pid, uint64_t service) {
  if (is_recorders_stranger()) return ring_of_recorder(shape, pid, service);
  const size_t bytes = ring::ring_bytes(shape.lanes, shape.lane_bytes);
  Text<ring::kMaxProgram> ring_id;
  ring_id << "r" << uint64_t{pid} << "-";
  ring_id.hex(sys::monotonic_ns() >> 10, 8);  // a pid that comes again gets another name
  Text<ring::kMaxPath + 64> path;
  path << g_settings.rings_dir.c_str() << "/" << ring_id.c_str() << ".ring";
  const long fd = create(path.c_str());
  if (fd < 0) return {nullptr, false, fd};
  const long allocated = allocate(fd, bytes);
  MadeRing made{allocated < 0 ? nullptr : map(fd, bytes), false, allocated < 0 ? allocated : -ENOMEM};
  if (made.header) {
    fill_header(made.header, shape, pid, service, ring_id.c_str());
    made.has_recorder = service && give_to_spare(fd, path.c_str(), service);
  } else {
    sys::call(SYS_unlink, sys::arg(path.c_str()));
  }
  sys::call(SYS_close, fd);
  return made;
}

void drop_ring(ring::Header* header) {
  sys::call(SYS_munmap, sys::arg(header),
            static_cast<long>(ring::ring_bytes(g_own_ring.shape.lanes, g_own_ring.shape.lane_bytes)));
}

void give_up_lane(ring::Header* header, uint32_t lane) {
  give_up(lane_control(header, lane), ring::lane_stride(g_own_ring.shape.lane_bytes));
}

}  // namespace sidrec
