#include "shim/capture.h"

#include <sys/socket.h>

#include "shim/lane.h"
#include "shim/process.h"
#include "shim/settings.h"
#include "shim/ssh.h"
#include "shim/sys.h"
#include "shim/tcp.h"

namespace sidrec {
namespace {

constexpr uint64_t kOpenRaceNs = 50'000'000;  // how long a second thread waits for the first one's Open record

// Local ports this process or an ancestor has listened on: a passed socket with such a port is a client's.
constinit std::atomic<uint64_t> g_listened[65536 / 64]{};

bool write(ring::Header* ring, ring::Kind kind, uint64_t subject, uint8_t dir, uint8_t why, Bytes& from, size_t payload,
           Patience& patience, uint64_t began_ns = 0) {
  if (!ring) return false;
  ring::RecordHeader record{};
  record.payload = static_cast<uint32_t>(payload);
  record.kind = kind;
  record.dir = dir;
  record.why = why;
  record.pid = own_pid();
  record.subject = subject;
  record.time_ns = began_ns;
  return write_record(ring, record, from, patience);
}

template <typename T>
bool write(ring::Kind kind, uint64_t subject, uint8_t dir, uint8_t why, const T& payload, Patience& patience) {
  const iovec iov{const_cast<T*>(&payload), sizeof payload};
  Bytes from(&iov, 1);
  return write(ring_of_process(), kind, subject, dir, why, from, sizeof payload, patience);
}

bool write(ring::Kind kind, uint64_t subject) {
  Patience patience;
  Bytes nothing(nullptr, 0);
  return write(ring_of_process(), kind, subject, 0, 0, nothing, 0, patience);
}

// Other descriptors of the connection see its end by the shutdown. With a channel goes the connection it is in.
void cut(const Subject& s) {
  if (s.entry->cut.exchange(1) != 0) return;
  if (s.entry->chan_kind == ring::kNoChannel) {
    write(ring::kCutOff, s.subject);
    if (!sandboxed()) sys::call(SYS_shutdown, s.fd, SHUT_RDWR);
    return;
  }
  for (int fd = 0; fd < tracked_bound(); ++fd) {
    if (kind_of(fd) == kClient && entry_for(fd)->subject == s.entry->conn)
      cut({.entry = entry_for(fd), .subject = s.entry->conn, .fd = fd});
  }
}

void lose(const Subject& s, ring::Direction dir, size_t bytes) {
  s.entry->lost_bytes[dir].fetch_add(bytes, std::memory_order_relaxed);
  s.entry->lost_records[dir].fetch_add(1, std::memory_order_relaxed);
  if (__builtin_expect(g_settings.strict, 0) && !ssh_is_let_through()) cut(s);
}

bool is_open(const Subject& s) { return s.entry->opened.load(std::memory_order_relaxed) == kOpened; }

[[gnu::noinline]] bool tell_losses_now(const Subject& s, ring::Direction dir, Patience& patience) {
  const ring::Gap gap{s.entry->lost_bytes[dir].exchange(0), s.entry->lost_records[dir].exchange(0)};
  if (gap.bytes == 0 || write(ring::kGap, s.subject, dir, ring::kOverflow, gap, patience)) return true;
  s.entry->lost_bytes[dir].fetch_add(gap.bytes);
  s.entry->lost_records[dir].fetch_add(gap.records);
  return false;
}

// What was lost before is told before anything newer of that direction.
bool tell_losses(const Subject& s, ring::Direction dir, Patience& patience) {
  return __builtin_expect(s.entry->lost_bytes[dir].load(std::memory_order_relaxed) == 0, 1) ||
         tell_losses_now(s, dir, patience);
}

bool write_chan_open(const Entry& entry) {
  ring::ChanOpen open{};
  open.conn = entry.conn;
  open.kind = entry.chan_kind;
  open.via = entry.via;
  open.family = entry.family;
  open.counted = entry.counted;
  open.peer_port = entry.client_port;
  __builtin_memcpy(open.peer_addr, entry.client_addr, sizeof open.peer_addr);
  open.tty = entry.tty;
  Patience patience;
  return write(ring::kChanOpen, entry.subject, 0, 0, open, patience);
}

bool write_open(const Entry& entry) {
  if (entry.chan_kind != ring::kNoChannel) return write_chan_open(entry);
  ring::Open open{};
  open.family = entry.family;
  open.via = entry.via;
  open.client_port = entry.client_port;
  open.server_port = entry.server_port;
  open.counted = entry.counted;
  __builtin_memcpy(open.client_addr, entry.client_addr, sizeof open.client_addr);
  __builtin_memcpy(open.server_addr, entry.server_addr, sizeof open.server_addr);
  Patience patience;
  return write(ring::kOpen, entry.subject, 0, 0, open, patience);
}

// Other descriptors of this process that are copies of the same, not yet opened connection are now open, too.
void open_copies(int fd, const Entry& entry) {
  for (int other = 0; other < tracked_bound(); ++other) {
    if (other == fd || kind_of(other) != kClient) continue;
    Entry* copy = entry_for(other);
    if (copy->subject != entry.subject || copy->opened.load() != kNotOpened) continue;
    copy->opened.store(kOpened);
    if (entry.chan_kind == ring::kNoChannel) write(ring::kHold, entry.subject);
  }
}

bool has_copy(int fd, const Entry& entry) {
  for (int other = 0; other < tracked_bound(); ++other)
    if (other != fd && kind_of(other) == kClient && entry_for(other)->subject == entry.subject) return true;
  return false;
}

void open(int fd, Entry& entry) {
  uint8_t expected = kNotOpened;
  if (!entry.opened.compare_exchange_strong(expected, kOpening)) {
    const uint64_t deadline = sys::monotonic_ns() + kOpenRaceNs;
    while (entry.opened.load() == kOpening && sys::monotonic_ns() < deadline) sys::sleep_ns(20'000);
    return;
  }
  if (entry.counted && entry.chan_kind == ring::kNoChannel) ssh_serves(entry.subject);
  const bool told = write_open(entry);
  if (told && entry.shared) open_copies(fd, entry);
  entry.opened.store(told ? kOpened : kNotOpened);  // the next call tries again; until then all is lost, and counted
  ensure_recorder();
}

void release(int fd, Entry& entry, ring::ReleaseWhy why) {
  const Subject s{&entry, entry.subject};
  Patience patience;
  tell_losses(s, ring::kIn, patience);
  tell_losses(s, ring::kOut, patience);
  ring::Release counts{};
  if (!sandboxed()) kernel_counts(fd, entry, counts);
  write(ring::kRelease, entry.subject, 0, why, counts, patience);
}

// A channel lives as long as the process that made it holds a descriptor of it; its children's copies mean nothing.
void forget_channel(int fd, Entry& entry, ring::ReleaseWhy why) {
  if (entry.birth_pid != own_pid() || entry.opened.load() == kNotOpened) return;
  Patience patience;
  for (const uint8_t dir : entry.dirs)
    tell_losses({&entry, entry.subject}, static_cast<ring::Direction>(dir), patience);
  if (has_copy(fd, entry)) return;
  Bytes nothing(nullptr, 0);
  write(ring_of_process(), ring::kChanClose, entry.subject, 0, why, nothing, 0, patience);
}

ring::Direction seen_by_client(const Subject& s, ring::Direction side) {
  return static_cast<ring::Direction>(s.entry->dirs[side]);
}

void count_only(const Subject& s, ring::Direction dir, size_t bytes) {
  Patience patience;
  const auto kind = s.entry->counted ? ring::kSeen : ring::kMasked;
  if (!is_open(s) || !tell_losses(s, dir, patience) || !write(kind, s.subject, dir, 0, ring::Seen{bytes}, patience))
    lose(s, dir, bytes);
}

// A connection that was accepted here and never used is still a connection, unless a child may have got it since.
bool unused_is_ours(int fd, const Entry& entry) {
  return entry.via == ring::kAccept && entry.birth_pid == own_pid() && entry.birth_forks == forks() &&
         !(entry.shared && has_copy(fd, entry));
}

void forget_client(int fd, ring::ReleaseWhy why) {
  Entry& entry = *entry_for(fd);
  if (entry.chan_kind != ring::kNoChannel) return forget_channel(fd, entry, why);
  if (entry.opened.load() == kNotOpened) {
    if (!unused_is_ours(fd, entry)) return;
    open(fd, entry);
  } else if (entry.counted && entry.user_pid.load(std::memory_order_relaxed) != own_pid()) {
    return;  // a child of sshd that never spoke to the client: the kernel will be asked, and lanes are few
  }
  release(fd, entry, why);
}

}  // namespace

Subject begin(int fd) {
  Entry* entry = entry_for(fd);
  const uint32_t pid = own_pid();
  if (!entry || pid == 0) return {};
  if (__builtin_expect(entry->counted, 0)) ssh_speaks();
  const Subject s{.entry = entry, .subject = entry->subject, .fd = fd};
  if (__builtin_expect(entry->user_pid.load(std::memory_order_relaxed) != pid, 0)) entry->user_pid.store(pid);
  if (__builtin_expect(entry->opened.load(std::memory_order_acquire) != kOpened, 0)) open(fd, *entry);
  return s;
}

Subject begin_write(int fd) {
  Subject s = begin(fd);
  if (!s) return s;
  s.began_ns = sys::monotonic_ns();
  s.masked = __builtin_expect(s.entry->chan_kind == ring::kPty, 0) && must_mask_input(fd);
  return s;
}

void captured(const Subject& s, ring::Direction side, const void* buffer, size_t bytes) {
  const iovec iov{const_cast<void*>(buffer), bytes};
  captured(s, side, &iov, 1, bytes);
}

void captured(const Subject& s, ring::Direction side, const iovec* iov, size_t count, size_t bytes) {
  if (!s) return;
  const ring::Direction dir = seen_by_client(s, side);
  if (__builtin_expect(s.entry->counted || s.masked, 0)) return count_only(s, dir, bytes);
  ring::Header* ring = ring_of_process();
  if (!ring || !is_open(s)) return lose(s, dir, bytes);
  const size_t most = most_payload();
  Patience patience;
  Bytes from(iov, count);
  while (bytes > 0) {
    const size_t part = bytes < most ? bytes : most;
    if (!tell_losses(s, dir, patience) ||
        !write(ring, ring::kData, s.subject, dir, 0, from, part, patience, s.began_ns))
      return lose(s, dir, bytes);
    bytes -= part;
  }
}

void passed_unseen(const Subject& s, ring::Direction side, size_t bytes, ring::GapWhy why) {
  if (!s || bytes == 0) return;
  const ring::Direction dir = seen_by_client(s, side);
  if (s.entry->counted) return count_only(s, dir, bytes);
  Patience patience;
  const ring::Gap gap{bytes, 1};
  if (!is_open(s) || !tell_losses(s, dir, patience) || !write(ring::kGap, s.subject, dir, why, gap, patience))
    lose(s, dir, bytes);
}

void saw_eof(const Subject& s) {
  if (s) s.entry->read_eof.store(1, std::memory_order_relaxed);
}

void born_client(int fd, ring::Via via) {
  Entry* entry = entry_for(fd);
  Entry fresh{};
  if (!entry || own_pid() == 0) return;
  clear_kind(fd);
  if (!describe_connection(fd, fresh)) return;
  fresh.via = via;
  fresh.dirs[0] = ring::kIn;
  fresh.dirs[1] = ring::kOut;
  fresh.counted = is_ssh_host();
  fresh.birth_pid = own_pid();
  fresh.birth_forks = forks();
  fresh.shared = via != ring::kAccept;  // an inherited connection often sits on 0, 1 and 2
  copy_entry(*entry, fresh);
  set_kind(fd, kClient);
}

void born_channel(int fd, const Entry& channel) {
  Entry* entry = entry_for(fd);
  if (!entry) return;
  clear_kind(fd);
  copy_entry(*entry, channel);
  set_kind(fd, kClient);
}

void channel_opened(int fd) { begin(fd); }

void tell_identity(uint64_t conn, const ring::Identity& identity) {
  Patience patience;
  write(ring::kIdentity, conn, 0, 0, identity, patience);
}

void terminal_resized(int fd, const ring::Resize& size) {
  const Subject s = begin(fd);
  Patience patience;
  if (s) write(ring::kResize, s.subject, 0, 0, size, patience);
}

void born_listener(int fd) {
  if (own_pid() == 0) return;
  const uint16_t port = local_port(fd);
  if (!port || !entry_for(fd)) return;
  g_listened[port / 64].fetch_or(uint64_t{1} << (port % 64), std::memory_order_relaxed);
  set_kind(fd, kListener);
}

void born_passed(int fd) {
  born_untracked(fd);
  if (sandboxed()) return;
  if (is_listening(fd)) return born_listener(fd);  // a server's next generation (haproxy's reload)
  const uint16_t port = local_port(fd);
  if (port && (g_listened[port / 64].load(std::memory_order_relaxed) >> (port % 64) & 1))
    born_client(fd, ring::kPassed);
}

void duplicated(int from, int to) {
  if (in_vfork_child()) return;
  born_untracked(to);
  const FdKind kind = kind_of(from);
  if (kind == kUntracked) return;
  Entry* target = entry_for(to);
  if (!target) return;
  if (kind == kClient) {
    Entry& source = *entry_for(from);
    source.shared = 1;
    copy_entry(*target, source);
    if (source.opened.load() == kOpened && source.chan_kind == ring::kNoChannel) write(ring::kHold, source.subject);
  }
  set_kind(to, kind);
}

void given_away(int fd) {
  if (kind_of(fd) != kClient) return;
  Entry& entry = *entry_for(fd);
  if (entry.chan_kind != ring::kNoChannel) return;
  if (entry.opened.load() == kOpened)
    write(ring::kShared, entry.subject);
  else
    entry.birth_forks = forks() - 1;  // as after a fork: whoever uses it first reports it
}

void forget(int fd) {
  if (kind_of(fd) == kClient) forget_client(fd, ring::kClosed);
  clear_kind(fd);
}

void shut_down(int fd, int how) {
  if (kind_of(fd) == kClient && how != SHUT_RD) entry_for(fd)->write_shut.store(1, std::memory_order_relaxed);
}

void announce_fork() { write(ring::kFork, 0); }

void forget_all(ring::ReleaseWhy why) {
  for (int fd = 0; fd < tracked_bound(); ++fd)
    if (kind_of(fd) == kClient) {
      forget_client(fd, why);
      clear_kind(fd);
    }
}

}  // namespace sidrec
