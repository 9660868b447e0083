#include "recorder/trail/compressed_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sidrec {
namespace {

Error damaged(const std::string& name, const std::string& what) {
  return Error{name + " is damaged: " + what, EBADMSG};
}

}  // namespace

CompressedFile::CompressedFile(std::string name, const char* bytes, size_t length)
    : name_(std::move(name)), bytes_(bytes), length_(length) {}

CompressedFile::CompressedFile(CompressedFile&& other) noexcept
    : name_(std::move(other.name_)),
      bytes_(std::exchange(other.bytes_, nullptr)),
      length_(other.length_),
      frames_(std::move(other.frames_)) {}

CompressedFile::~CompressedFile() {
  if (bytes_ != nullptr) ::munmap(const_cast<char*>(bytes_), length_);
}

Result<CompressedFile> CompressedFile::open(int fd, std::string name) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return errno_error("cannot look at " + name);
  const auto length = static_cast<size_t>(found.st_size);
  if (length == 0) return damaged(name, "it is empty");
  void* const bytes = ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) return errno_error("cannot read " + name);
  CompressedFile file(std::move(name), static_cast<const char*>(bytes), length);
  if (auto framed = file.find_frames(); !framed) return framed.error();
  return file;
}

Result<void> CompressedFile::find_frames() {
  for (uint64_t place = 0; place < length_;) {
    const char* const at = bytes_ + place;
    const size_t length = ZSTD_findFrameCompressedSize(at, length_ - place);
    if (ZSTD_isError(length)) return damaged(name_, ZSTD_getErrorName(length));
    const unsigned long long size = ZSTD_getFrameContentSize(at, length);
    if (size > kMaxFrameBytes) return damaged(name_, "not in frames as sidrec makes them; unpack it with zstd -d");
    frames_.push_back({this->size(), size, place, length});
    place += length;
  }
  return {};
}

Result<size_t> CompressedFile::read_at(uint64_t offset, char* to, size_t room) {
  const auto behind = std::upper_bound(frames_.begin(), frames_.end(), offset,
                                       [](uint64_t wanted, const Frame& frame) { return wanted < frame.begin; });
  if (offset >= size()) return size_t{0};
  const Frame& frame = *std::prev(behind);
  if (unpacked_frame_ != &frame) {
    unpacked_frame_ = nullptr;
    unpacked_.resize(frame.size);
    const size_t got = ZSTD_decompress(unpacked_.data(), unpacked_.size(), bytes_ + frame.place, frame.length);
    if (ZSTD_isError(got)) return damaged(name_, ZSTD_getErrorName(got));
    if (got != frame.size) return damaged(name_, "a frame is shorter than it says");
    unpacked_frame_ = &frame;
  }
  const size_t from = offset - frame.begin;
  const size_t count = std::min(room, unpacked_.size() - from);
  std::memcpy(to, unpacked_.data() + from, count);
  return count;
}

}  // namespace sidrec
