#include "shim/ssh.h"

#include <link.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include <atomic>
#include <cstring>

#include "shim/capture.h"
#include "shim/fd_table.h"
#include "shim/process.h"
#include "shim/settings.h"
#include "shim/sys.h"
#include "shim/tcp.h"

namespace sidrec {
namespace {

constexpr size_t kPipesOfCommand = 3;  // stdin, stdout, stderr, made in this order right before the fork
constexpr uint16_t kFirstX11Port = 6010, kLastX11Port = 6999;  // X11DisplayOffset 10, at most 1000 displays

enum Proof : uint32_t { kLoggedIn = 1, kUidTold = 2 };

struct Pipe {
  int read_end, write_end;
};

struct Range {
  uintptr_t begin, end;
};

constinit bool g_ssh_host = false;
constinit Range g_own_code{};
constinit uint64_t g_conn = 0;
constinit uint32_t g_serving_pid = 0;                // who spoke with the client first
constinit uint32_t g_serving_forks = 0;              // and its forks by then
constinit std::atomic<uint32_t>* g_proof = nullptr;  // Proof bits, in memory shared by the processes of a login
constinit char g_user[64] = {};                      // whose groups were taken on last
constinit uint32_t g_user_pid = 0;                   // and by which process
constinit bool g_rescued = false;                    // this process is a login of the rescue group
constinit uint32_t g_channels = 0;
constinit Pipe g_pipes[kPipesOfCommand] = {};
constinit size_t g_pipe_count = 0;

// The first object dl_iterate_phdr(3) names is the program.
int learn_own_code(dl_phdr_info* info, size_t, void*) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X)) continue;
    const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    g_own_code = {begin, begin + segment.p_memsz};
  }
  return 1;
}

bool is_own_code(const void* caller) {
  const auto at = reinterpret_cast<uintptr_t>(caller);
  return at >= g_own_code.begin && at < g_own_code.end;
}

bool may_be_channel(const void* caller) { return ssh_logged_in() && is_own_code(caller) && !in_vfork_child(); }

// The pid keeps apart what several processes of one login make.
uint64_t next_channel() { return ring::kChannelBit | uint64_t{own_pid()} << 24 | (++g_channels & 0xffffff); }

// What sshd reads from a channel goes out to its client, what it writes there came in from it.
void make_channel(Entry& entry, ring::ChanKind kind) {
  entry.subject = next_channel();
  entry.conn = g_conn;
  entry.chan_kind = kind;
  entry.dirs[0] = ring::kOut;
  entry.dirs[1] = ring::kIn;
  entry.birth_pid = own_pid();
}

void become_command(const Pipe (&pipes)[kPipesOfCommand]) {
  Entry entry{};
  make_channel(entry, ring::kExec);
  entry.shared = 1;
  born_channel(pipes[0].write_end, entry);
  born_channel(pipes[1].read_end, entry);
  entry.dirs[0] = ring::kErr;
  born_channel(pipes[2].read_end, entry);
  channel_opened(pipes[0].write_end);
}

void become_pty(int master, uint32_t number) {
  Entry entry{};
  make_channel(entry, ring::kPty);
  entry.tty = number;
  entry.shared = 1;  // sshd copies it for each direction
  born_channel(master, entry);
}

bool pty_number(int fd, uint32_t& number) { return sys::call(SYS_ioctl, fd, TIOCGPTN, sys::arg(&number)) == 0; }

void set_peer(Entry& entry, const Address& peer) {
  entry.family = static_cast<uint8_t>(peer.any.sa_family);
  if (peer.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr)) entry.family = AF_INET;
  entry.client_port = split_address(peer, entry.client_addr);
}

void prove() {
  if (g_proof) g_proof->fetch_or(kLoggedIn, std::memory_order_relaxed);
}

bool is_first(Proof bit) { return g_proof && !(g_proof->fetch_or(bit, std::memory_order_relaxed) & bit); }

void tell(const char* user, const uid_t* uid, ring::IdentityHow how) {
  ring::Identity identity{};
  memcpy(identity.user, user, strnlen(user, sizeof identity.user - 1));
  identity.uid = uid ? *uid : 0;
  identity.uid_known = uid != nullptr;
  identity.how = how;
  tell_identity(g_conn, identity);
}

// By the kernel's word: this process has the groups of the user that it has just become.
constexpr long kMostGroups = 1024;  // a user of more is not looked at
bool is_rescuer() {
  if (!g_settings.rescues) return false;
  if (static_cast<gid_t>(sys::call(SYS_getegid)) == g_settings.rescue_gid) return true;
  gid_t groups[kMostGroups];
  const long count = sys::call(SYS_getgroups, kMostGroups, sys::arg(groups));
  for (long i = 0; i < count; ++i)
    if (groups[i] == g_settings.rescue_gid) return true;
  return false;
}

}  // namespace

void recognise_ssh_host(const char* name) {
  g_ssh_host = !strcmp(name, "sshd") || !strcmp(name, "sshd-session") || !strcmp(name, "sshd-auth");
  if (!g_ssh_host) return;
  dl_iterate_phdr(learn_own_code, nullptr);
  const long page = sys::call(SYS_mmap, 0, ring::kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page > 0 || page < -4095) g_proof = reinterpret_cast<std::atomic<uint32_t>*>(page);
}

bool ssh_logged_in() { return g_proof && (g_proof->load(std::memory_order_relaxed) & kLoggedIn) != 0; }

bool is_ssh_host() { return g_ssh_host; }

bool ssh_is_let_through() { return g_settings.rescues && g_ssh_host && (g_rescued || !ssh_logged_in()); }

void ssh_serves(uint64_t conn) {
  g_conn = conn;
  g_serving_pid = own_pid();
  g_serving_forks = forks();
}

void ssh_speaks() {
  if (g_conn && g_serving_pid == own_pid() && forks() > g_serving_forks) prove();
}

void ssh_made_pipe(const int fds[2], const void* caller) {
  if (!may_be_channel(caller)) return;
  if (g_pipe_count == kPipesOfCommand) g_pipe_count = 0;
  g_pipes[g_pipe_count++] = {fds[0], fds[1]};
}

void ssh_forks() {
  if (g_pipe_count == kPipesOfCommand) become_command(g_pipes);
  g_pipe_count = 0;
}

void ssh_made_pty(int master, const void* caller) {
  uint32_t number = 0;
  if (may_be_channel(caller) && pty_number(master, number)) become_pty(master, number);
}

// A terminal made by the process that has the rights, for the one that has the user's (rule 2 holds: PAM and its kin
// hand no terminals around).
void ssh_received(int fd) {
  uint32_t number = 0;
  if (ssh_logged_in() && !in_vfork_child() && pty_number(fd, number)) become_pty(fd, number);
}

void ssh_connected(int fd, const sockaddr* peer, socklen_t size, const void* caller) {
  Address address{};
  if (!may_be_channel(caller) || size > sizeof address) return;
  memcpy(&address, peer, size);
  if (!is_tcp(fd, address)) return;
  Entry entry{};
  make_channel(entry, ring::kForward);
  entry.via = ring::kConnect;
  set_peer(entry, address);
  born_channel(fd, entry);
  channel_opened(fd);
}

bool ssh_accepted(int listener, int fd, const void* caller) {
  if (!may_be_channel(caller)) return false;
  Address local{}, peer{};
  socklen_t size = sizeof local, peer_size = sizeof peer;
  if (sys::call(SYS_getsockname, listener, sys::arg(&local), sys::arg(&size)) != 0) return true;
  uint8_t ignored[16];
  Entry entry{};
  if (local.any.sa_family == AF_UNIX) {
    make_channel(entry, ring::kAgent);
    entry.counted = 1;
  } else {
    const uint16_t port = split_address(local, ignored);
    const bool x11 = port >= kFirstX11Port && port <= kLastX11Port;
    make_channel(entry, x11 ? ring::kX11 : ring::kForward);
    entry.counted = x11;
    entry.via = ring::kAccept;
    if (sys::call(SYS_getpeername, fd, sys::arg(&peer), sys::arg(&peer_size)) == 0) set_peer(entry, peer);
  }
  born_channel(fd, entry);
  channel_opened(fd);
  return true;
}

void ssh_resized(int fd, const void* window_size) {
  if (!is_client(fd) || entry_for(fd)->chan_kind != ring::kPty || entry_for(fd)->birth_pid != own_pid()) return;
  winsize size;
  memcpy(&size, window_size, sizeof size);
  terminal_resized(fd, {size.ws_row, size.ws_col, 0});
}

void ssh_took_groups_of(const char* user, const void* caller) {
  if (!is_own_code(caller) || in_vfork_child()) return;
  memset(g_user, 0, sizeof g_user);
  memcpy(g_user, user, strnlen(user, sizeof g_user - 1));
  g_user_pid = own_pid();
}

// A command that asks for a user's keys runs as another user too, but it has let go of the connection by then.
void ssh_became(uid_t uid, const void* caller) {
  if (!g_conn || !is_own_code(caller) || in_vfork_child()) return;
  if (g_user_pid != own_pid() || tracked_count() == 0) return;
  prove();
  g_rescued = is_rescuer();
  if (!is_first(kUidTold)) return;
  tell(g_user, &uid, ring::kSetresuid);
}

void ssh_opened_session(const char* user) {
  if (!g_conn || in_vfork_child()) return;
  prove();
  const uid_t root = 0;
  const bool is_root = !strcmp(user, "root");
  if (is_root) is_first(kUidTold);  // no process of a root login becomes anybody else before its shell
  tell(user, is_root ? &root : nullptr, ring::kPamSession);
}

// Shells edit their line with echo and canonical mode off and show it themselves, full-screen programs take carriage
// returns as they are: what they get is no secret prompt's. A prompt leaves ICANON (sudo, su, getpass) or ICRNL
// (mysql -p) on.
bool must_mask_input(int pty_master) {
  if (g_settings.input != kInputMasked) return g_settings.input == kInputNone;
  termios terminal{};
  if (sys::call(SYS_ioctl, pty_master, TCGETS, sys::arg(&terminal)) != 0) return false;
  return !(terminal.c_lflag & ECHO) && ((terminal.c_lflag & ICANON) || (terminal.c_iflag & ICRNL));
}

}  // namespace sidrec
