#include "shim/ring_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "shim/kept_root.h"
#include "shim/settings.h"
#include "shim/sys.h"

namespace sidrec {
namespace {

// A store beyond RLIMIT_FSIZE or into a hole on a full tmpfs would kill the host (SIGXFSZ, SIGBUS): so the space is
// had before it is mapped, or not at all (setrlimit(2), fallocate(2)).
bool allocate(long fd, size_t bytes) {
  rlimit limit;
  if (sys::call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, sys::arg(&limit)) < 0 || limit.rlim_cur < bytes) return false;
  return sys::call(SYS_fallocate, fd, 0, 0, static_cast<long>(bytes)) == 0;
}

long create(const char* path) {
  constexpr int kNew = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  constexpr int kMode = 0600;
  const long fd = sys::call(SYS_openat, AT_FDCWD, sys::arg(path), kNew, kMode);
  return fd == -EACCES && keeps_root() ? open_as_root(path, kNew, kMode) : fd;
}

void fill_header(ring::Header* header, const RingShape& shape, uint32_t pid, const char* ring_id) {
  header->version = ring::kVersion;
  header->lanes = shape.lanes;
  header->lane_bytes = shape.lane_bytes;
  header->host_pid = pid;
  strcpy(header->ring_id, ring_id);
  strcpy(header->program, g_settings.program.c_str());
  strcpy(header->sid_source, g_settings.sid_source);
  strcpy(header->sid_template, g_settings.sid_template.c_str());
  strcpy(header->audit_dir, g_settings.audit_dir.c_str());
  strcpy(header->run_dir, g_settings.run_dir.c_str());
  strcpy(header->config, g_settings.config.c_str());
  memcpy(header->env, g_settings.env, sizeof header->env);
  header->magic = ring::kMagic;
}

}  // namespace

void ring_path(const ring::Header* header, char (&path)[ring::kMaxPath + 64]) {
  Text<ring::kMaxPath + 64> text;
  text << g_settings.rings_dir.c_str() << "/" << header->ring_id << ".ring";
  memcpy(path, text.c_str(), text.size() + 1);
}

ring::Header* make_ring(const RingShape& shape, uint32_t pid) {
  const size_t bytes = ring::ring_bytes(shape.lanes, shape.lane_bytes);
  Text<ring::kMaxProgram> ring_id;
  ring_id << "r" << uint64_t{pid} << "-";
  ring_id.hex(sys::monotonic_ns() >> 10, 8);  // a pid that comes again gets another name
  Text<ring::kMaxPath + 64> path;
  path << g_settings.rings_dir.c_str() << "/" << ring_id.c_str() << ".ring";
  const long fd = create(path.c_str());
  if (fd < 0) return nullptr;
  long at = -1;
  if (allocate(fd, bytes) && sys::call(SYS_flock, fd, LOCK_SH | LOCK_NB) == 0)
    at = sys::call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  sys::call(SYS_close, fd);
  if (at < 0 && at > -4096) {
    sys::call(SYS_unlink, sys::arg(path.c_str()));
    return nullptr;
  }
  auto* header = reinterpret_cast<ring::Header*>(at);
  fill_header(header, shape, pid, ring_id.c_str());
  return header;
}

void drop_ring(ring::Header* header, bool remove) {
  if (remove) {
    char path[ring::kMaxPath + 64];
    ring_path(header, path);
    sys::call(SYS_unlink, sys::arg(path));
  }
  sys::call(SYS_munmap, sys::arg(header), static_cast<long>(ring::ring_bytes(header->lanes, header->lane_bytes)));
}

void give_up_lane(ring::Header* header, uint32_t lane) {
  sys::call(SYS_mmap, sys::arg(lane_control(header, lane)), static_cast<long>(ring::lane_stride(header->lane_bytes)),
            PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

}  // namespace sidrec
