// CompressedFile: a segment that `sidrec prune` has compressed (zstd, RFC 8878), read at any place. It is a row of
// frames, each of which says its length and can be read alone, so that only the one that is looked at is in memory.
// `zstd -d` reads it too; of what other hands have compressed, frames of unknown or great length are refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "recorder/base/result.h"

namespace sidrec {

class CompressedFile {
 public:
  static constexpr uint64_t kMaxFrameBytes = 64 * 1024 * 1024;

  // The descriptor stays the caller's, and is not needed any longer. `name` is for errors; their code is EBADMSG where
  // the file is damaged.
  static Result<CompressedFile> open(int fd, std::string name);
  CompressedFile(CompressedFile&& other) noexcept;
  CompressedFile& operator=(CompressedFile&&) = delete;
  ~CompressedFile();

  uint64_t size() const { return frames_.empty() ? 0 : frames_.back().begin + frames_.back().size; }
  // At most `room` bytes, perhaps fewer; 0 at the end only.
  Result<size_t> read_at(uint64_t offset, char* to, size_t room);

 private:
  struct Frame {
    uint64_t begin;  // of its bytes
    uint64_t size;
    uint64_t place;  // of the frame in the file
    uint64_t length;
  };

  CompressedFile(std::string name, const char* bytes, size_t length);
  Result<void> find_frames();

  std::string name_;
  const char* bytes_;  // the whole file, mapped
  size_t length_;
  std::vector<Frame> frames_;
  std::string unpacked_;
  const Frame* unpacked_frame_ = nullptr;
};

}  // namespace sidrec
