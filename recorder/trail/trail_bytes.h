// TrailBytes: a trail as one row of bytes, though it may be in several files: its segments one behind another, as they
// were written, some of them compressed since. The one home of segments for all who read a trail.
//
// Invariants
//  1. Offsets count from the trail's first byte and are the same for every reader, compressed or not.
//  2. A trail that grows is seen to grow, also into a segment that was not there before. A segment that is followed by
//     another does not grow any more.
//  3. Holds one segment open at a time. A compressed segment takes the place of the plain one while we read: the next
//     look finds it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/base/sid_path.h"
#include "recorder/base/unique_fd.h"
#include "recorder/trail/compressed_file.h"

namespace sidrec {

class TrailBytes {
 public:
  // `path`: of any segment of the trail; of a file whose name is no trail's, that file alone.
  static Result<TrailBytes> open(const std::string& path);

  // Where there is nothing (yet): 0. Perhaps fewer than `room`.
  Result<size_t> read_at(uint64_t offset, char* to, size_t room);
  // Of what there is now.
  Result<uint64_t> size();
  // The last bytes of its last segment, at most `room`, without looking at the others.
  Result<std::string> tail(size_t room);

  // The first segment's, or what was asked for.
  const std::string& path() const { return segments_.front().path; }
  // Of what has been read so far: the segment that holds `offset`.
  const std::string& path_at(uint64_t offset) const { return segment_at(offset).path; }
  uint64_t begin_of_segment_at(uint64_t offset) const { return segment_at(offset).begin; }

  // The files there are now, in their order.
  std::vector<std::string> files() const;

 private:
  struct Segment {
    std::string path;  // as it was found first
    std::optional<SegmentName> name;
    uint64_t begin = 0;
  };
  static constexpr size_t kNone = ~size_t{0};

  TrailBytes() = default;
  size_t index_at(uint64_t offset) const;
  const Segment& segment_at(uint64_t offset) const { return segments_[index_at(offset)]; }
  std::optional<std::string> file_of(SegmentName name) const;
  Result<void> open_file(const std::string& path);
  Result<void> open_segment(size_t index);
  Result<uint64_t> size_of_open() const;
  Result<size_t> read_open(uint64_t offset, char* to, size_t room);
  Result<bool> find_next();

  std::string dir_;                // with its slash, or empty
  std::vector<Segment> segments_;  // those found so far
  size_t open_ = kNone;            // which of them fd_ is
  UniqueFd fd_;
  std::optional<CompressedFile> compressed_;
};

}  // namespace sidrec
