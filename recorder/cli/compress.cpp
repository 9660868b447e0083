#include "recorder/cli/compress.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <memory>

#include "recorder/base/sid_path.h"
#include "recorder/base/unique_fd.h"

namespace sidrec::cli {
namespace {

// One frame: what a reader has in memory. Larger ones make the file hardly smaller.
constexpr size_t kFrameBytes = 1024 * 1024;
constexpr int kLevel = 6;

using Context = std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)>;

Context make_context() {
  Context context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  return context;
}

// The next kFrameBytes, fewer only at the end.
Result<std::string> read_piece(int fd, const std::string& path) {
  std::string piece(kFrameBytes, '\0');
  size_t have = 0;
  while (have < piece.size()) {
    const ssize_t got = ::read(fd, piece.data() + have, piece.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read " + path);
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  piece.resize(have);
  return piece;
}

Result<std::string> frame_of(ZSTD_CCtx* context, const std::string& piece) {
  std::string frame(ZSTD_compressBound(piece.size()), '\0');
  const size_t length = ZSTD_compress2(context, frame.data(), frame.size(), piece.data(), piece.size());
  if (ZSTD_isError(length)) return Error{std::string("cannot compress: ") + ZSTD_getErrorName(length)};
  frame.resize(length);
  std::string again(piece.size(), '\0');
  if (ZSTD_decompress(again.data(), again.size(), frame.data(), frame.size()) != piece.size() || again != piece) {
    return Error{"cannot compress: it does not become what it was"};
  }
  return frame;
}

Result<void> write_whole(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return errno_error("cannot write " + path, put < 0 ? errno : ENOSPC);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

Result<void> compress_to(int from, const std::string& from_path, int to, const std::string& to_path) {
  const Context context = make_context();
  while (true) {
    const auto piece = read_piece(from, from_path);
    if (!piece) return piece.error();
    if (piece->empty()) return {};
    const auto frame = frame_of(context.get(), *piece);
    if (!frame) return frame.error();
    if (auto written = write_whole(to, *frame, to_path); !written) return written;
  }
}

Result<void> make_alike(int fd, const struct stat& original, const std::string& path) {
  const timespec times[] = {original.st_atim, original.st_mtim};
  const bool alike = ::fchown(fd, original.st_uid, original.st_gid) == 0 &&
                     ::fchmod(fd, original.st_mode & 07777) == 0 && ::futimens(fd, times) == 0;
  if (!alike) return errno_error("cannot give " + path + " the owner of what it replaces");
  return {};
}

}  // namespace

Result<void> compress_file(const std::string& path) {
  const std::string done = path + std::string(kCompressedSuffix);
  const std::string fresh = done + ".new";
  const UniqueFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat original {};
  if (!from || ::fstat(from.get(), &original) != 0) return errno_error("cannot open " + path);
  if (original.st_size == 0) return {};  // nothing to win
  ::unlink(fresh.c_str());               // of one who died here
  const UniqueFd to(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!to) return errno_error("cannot make " + fresh);
  auto made = compress_to(from.get(), path, to.get(), fresh);
  if (made) made = make_alike(to.get(), original, fresh);
  if (made && ::fsync(to.get()) != 0) made = errno_error("cannot write " + fresh);
  if (made && ::rename(fresh.c_str(), done.c_str()) != 0) made = errno_error("cannot make " + done);
  if (!made) {
    ::unlink(fresh.c_str());
    return made;
  }
  if (::unlink(path.c_str()) != 0) return errno_error("cannot remove " + path);
  return {};
}

}  // namespace sidrec::cli
