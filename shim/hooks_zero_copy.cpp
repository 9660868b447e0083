// Bytes that the kernel moves without showing them to the process: sendfile(2), splice(2). They are counted.
#include "shim/hook.h"

using namespace sidrec;

namespace {

Subject begin_client(int fd) { return is_client(fd) ? begin(fd) : Subject{}; }

// Either side can be a client: a socket is read by splice, and by sendfile into a pipe (Linux 5.12).
void moved(const Subject& in, const Subject& out, size_t asked, ssize_t r, ring::GapWhy why) {
  if (r > 0) {
    if (in) passed_unseen(in, ring::kIn, static_cast<size_t>(r), why);
    if (out) passed_unseen(out, ring::kOut, static_cast<size_t>(r), why);
  } else if (r == 0 && asked > 0 && in) {
    saw_eof(in);
  }
}

}  // namespace

SIDREC_EXPORT ssize_t sendfile(int out_fd, int in_fd, off_t* offset, size_t count) noexcept {
  const Subject in = begin_client(in_fd);
  const Subject out = begin_client(out_fd);
  if (in.is_cut()) return 0;
  if (out.is_cut()) return cut_off();
  const ssize_t r = real().sendfile(out_fd, in_fd, offset, count);
  moved(in, out, count, r, ring::kSendfile);
  return r;
}

SIDREC_EXPORT ssize_t sendfile64(int out_fd, int in_fd, off64_t* offset, size_t count) noexcept {
  const Subject in = begin_client(in_fd);
  const Subject out = begin_client(out_fd);
  if (in.is_cut()) return 0;
  if (out.is_cut()) return cut_off();
  const ssize_t r = real().sendfile64(out_fd, in_fd, offset, count);
  moved(in, out, count, r, ring::kSendfile);
  return r;
}

SIDREC_EXPORT ssize_t splice(int in_fd, off64_t* in_offset, int out_fd, off64_t* out_offset, size_t n, unsigned flags) {
  const Subject in = begin_client(in_fd);
  const Subject out = begin_client(out_fd);
  if (in.is_cut()) return 0;
  if (out.is_cut()) return cut_off();
  const ssize_t r = real().splice(in_fd, in_offset, out_fd, out_offset, n, flags);
  moved(in, out, n, r, ring::kSplice);
  return r;
}
