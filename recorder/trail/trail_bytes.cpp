#include "recorder/trail/trail_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace sidrec {

Result<TrailBytes> TrailBytes::open(const std::string& path) {
  TrailBytes bytes;
  const size_t name = path.rfind('/') + 1;  // npos + 1 is 0
  bytes.dir_ = path.substr(0, name);
  Segment first{path, parse_segment_name(path.substr(name)), 0};
  if (first.name) {
    const SegmentName number_one{first.name->stem, 1, false};
    if (const auto file = bytes.file_of(number_one)) first = {*file, number_one, 0};
  }
  bytes.segments_.push_back(std::move(first));
  if (auto opened = bytes.open_segment(0); !opened) return opened.error();
  return bytes;
}

std::optional<std::string> TrailBytes::file_of(SegmentName name) const {
  for (const bool compressed : {false, true}) {
    name.compressed = compressed;
    std::string path = dir_ + name.text();
    if (::access(path.c_str(), F_OK) == 0) return path;
  }
  return std::nullopt;
}

Result<void> TrailBytes::open_file(const std::string& path) {
  open_ = kNone;
  compressed_.reset();
  fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd_) return errno_error("cannot open the trail " + path);
  struct stat found {};
  if (::fstat(fd_.get(), &found) != 0) return errno_error("cannot look at the trail " + path);
  if (!S_ISREG(found.st_mode)) return Error{path + " is not a trail: not a regular file", EINVAL};
  if (!path.ends_with(kCompressedSuffix)) return {};
  auto compressed = CompressedFile::open(fd_.get(), path);
  if (!compressed) return compressed.error();
  compressed_.emplace(std::move(*compressed));
  return {};
}

Result<void> TrailBytes::open_segment(size_t index) {
  if (open_ == index) return {};
  const Segment& segment = segments_[index];
  auto opened = open_file(segment.path);
  // It may have been compressed since it was found, or just now.
  if (!opened && opened.error().code == ENOENT && segment.name) {
    if (const auto file = file_of(*segment.name)) opened = open_file(*file);
  }
  if (opened) open_ = index;
  return opened;
}

Result<uint64_t> TrailBytes::size_of_open() const {
  if (compressed_) return compressed_->size();
  struct stat found {};
  if (::fstat(fd_.get(), &found) != 0) return errno_error("cannot look at the trail " + path());
  return static_cast<uint64_t>(found.st_size);
}

Result<size_t> TrailBytes::read_open(uint64_t offset, char* to, size_t room) {
  if (compressed_) return compressed_->read_at(offset, to, room);
  ssize_t got;
  do {
    got = ::pread(fd_.get(), to, room, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno_error("cannot read the trail " + path());
  return static_cast<size_t>(got);
}

size_t TrailBytes::index_at(uint64_t offset) const {
  const auto behind = std::upper_bound(segments_.begin() + 1, segments_.end(), offset,
                                       [](uint64_t wanted, const Segment& segment) { return wanted < segment.begin; });
  return static_cast<size_t>(behind - segments_.begin()) - 1;
}

// A segment behind the last one known. The writer makes it when that one has its last byte.
Result<bool> TrailBytes::find_next() {
  const Segment& last = segments_.back();
  if (!last.name) return false;
  const SegmentName name = last.name->next();
  const auto file = file_of(name);
  if (!file) return false;
  if (auto opened = open_segment(segments_.size() - 1); !opened) return opened.error();
  const auto size = size_of_open();
  if (!size) return size.error();
  segments_.push_back({*file, name, last.begin + *size});
  return true;
}

Result<size_t> TrailBytes::read_at(uint64_t offset, char* to, size_t room) {
  while (true) {
    const size_t index = index_at(offset);
    if (auto opened = open_segment(index); !opened) return opened.error();
    auto got = read_open(offset - segments_[index].begin, to, room);
    if (!got || *got > 0 || index + 1 < segments_.size()) return got;
    const auto next = find_next();
    if (!next) return next.error();
    if (!*next) return size_t{0};
  }
}

Result<uint64_t> TrailBytes::size() {
  while (true) {
    const auto next = find_next();
    if (!next) return next.error();
    if (!*next) break;
  }
  if (auto opened = open_segment(segments_.size() - 1); !opened) return opened.error();
  const auto size = size_of_open();
  if (!size) return size;
  return segments_.back().begin + *size;
}

Result<std::string> TrailBytes::tail(size_t room) {
  if (auto opened = open_file(files().back()); !opened) return opened.error();
  const auto size = size_of_open();
  if (!size) return size.error();
  std::string bytes(std::min<uint64_t>(*size, room), '\0');
  const uint64_t from = *size - bytes.size();
  size_t have = 0;
  while (have < bytes.size()) {
    const auto got = read_open(from + have, bytes.data() + have, bytes.size() - have);
    if (!got) return got.error();
    if (*got == 0) break;  // it has become shorter
    have += *got;
  }
  bytes.resize(have);
  return bytes;
}

std::vector<std::string> TrailBytes::files() const {
  std::vector<std::string> files = {path()};
  if (!segments_.front().name) return files;
  SegmentName name = *segments_.front().name;
  files.front() = file_of(name).value_or(path());
  while (const auto file = file_of(name = name.next())) files.push_back(*file);
  return files;
}

}  // namespace sidrec
