#include "recorder/fold/sftp_reader.h"

#include <algorithm>

namespace sidrec::fold {
namespace {

// draft-ietf-secsh-filexfer-02, sections 3 and 6.
enum Type : uint8_t {
  kOpen = 3,
  kClose = 4,
  kRead = 5,
  kWrite = 6,
  kLstat = 7,
  kFstat = 8,
  kStat = 17,
  kStatus = 101,
  kHandle = 102,
  kData = 103,
  kAttrs = 105,
};
enum StatusCode : uint32_t { kOk = 0, kEof = 1 };
constexpr uint32_t kOpensForWriting = 0x2;  // SSH_FXF_WRITE
constexpr uint32_t kAttrSize = 0x1;         // SSH_FILEXFER_ATTR_SIZE

constexpr uint32_t kMaxPacket = 16 * 1024 * 1024;  // OpenSSH's are up to 256 KiB
constexpr size_t kMaxHead = 8 * 1024;              // of a packet that is looked into: room for the longest path
constexpr uint32_t kMaxHandle = 256;               // section 6.3
constexpr size_t kMaxRequests = 16 * 1024;         // without an answer; OpenSSH's client has 64
constexpr size_t kMaxFiles = 1024;                 // open at once

// Where things are: length, type, request id, and what comes first behind it.
constexpr size_t kTypeAt = 4, kIdAt = 5, kFirst = 9, kFirstText = 13;

uint32_t u32(const std::string& head, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(head[at + i]);
  return value;
}
uint64_t u64(const std::string& head, size_t at) { return uint64_t{u32(head, at)} << 32 | u32(head, at + 4); }
uint64_t packet_bytes(const std::string& head) { return uint64_t{4} + u32(head, 0); }

}  // namespace

void SftpReader::read(Direction dir, std::string_view bytes, TransferListener& to) {
  while (!bytes.empty()) {
    if (given_up_ || dir == Direction::kErr) return to.keep(dir, bytes);
    Stream& stream = streams_[static_cast<size_t>(dir)];
    if (stream.left == 0) {
      bytes.remove_prefix(read_head(dir, bytes, to));
      continue;
    }
    const std::string_view part = bytes.substr(0, std::min<uint64_t>(stream.left, bytes.size()));
    stream.is_bulk ? to.bulk(dir, part) : to.keep(dir, part);
    if (const auto file = files_.find(stream.file); file != files_.end()) {
      file->second.sides[static_cast<size_t>(dir)].counter.add(part);
    }
    stream.left -= part.size();
    bytes.remove_prefix(part.size());
  }
}

size_t SftpReader::read_head(Direction dir, std::string_view bytes, TransferListener& to) {
  Stream& stream = streams_[static_cast<size_t>(dir)];
  const std::string_view part = bytes.substr(0, stream.wanted - stream.head.size());
  stream.head.append(part);
  to.undecided(dir, part);
  while (stream.head.size() == stream.wanted) {
    const size_t before = stream.wanted;
    if (!decide(dir, to)) {
      give_up(to);
      break;
    }
    if (stream.wanted == before || stream.head.empty()) break;
  }
  return part.size();
}

// False when this is not what we take it for.
bool SftpReader::decide(Direction dir, TransferListener& to) {
  Stream& stream = streams_[static_cast<size_t>(dir)];
  const uint32_t length = u32(stream.head, 0);
  if (length < 1 || length > kMaxPacket) return false;
  return dir == Direction::kIn ? decide_request(stream, to) : decide_reply(stream, to);
}

// True when `bytes` of the packet are there; else they are waited for, or the packet has not that many: `fits` says.
bool SftpReader::want(Stream& stream, uint64_t bytes, bool& fits) {
  fits = bytes <= packet_bytes(stream.head) && bytes <= kMaxHead;
  if (fits && stream.head.size() < bytes) stream.wanted = bytes;
  return fits && stream.head.size() >= bytes;
}

// The head is understood: what follows in this packet, and the next packet.
void SftpReader::rest(Direction dir, bool is_bulk, TransferListener& to) {
  Stream& stream = streams_[static_cast<size_t>(dir)];
  stream.left = packet_bytes(stream.head) - stream.head.size();
  stream.is_bulk = is_bulk;
  stream.head.clear();
  stream.wanted = kFirstWanted;
  if (!is_bulk) to.keep(dir, {});
}

bool SftpReader::decide_request(Stream& stream, TransferListener& to) {
  const std::string& head = stream.head;
  const auto type = static_cast<uint8_t>(head[kTypeAt]);
  const uint64_t whole = packet_bytes(head);
  bool fits = true;
  stream.file.clear();
  switch (type) {
    case kWrite:
    case kRead: {
      if (!want(stream, kFirstText, fits)) return fits;
      const uint32_t handle_bytes = u32(head, kFirst);
      if (handle_bytes > kMaxHandle) return false;
      const size_t behind = kFirstText + handle_bytes;  // offset, 8 bytes; length, 4
      if (!want(stream, behind + 12, fits)) return fits;
      const bool all_there = type == kRead ? whole == behind + 12 : whole == behind + 12 + u32(head, behind + 8);
      if (!all_there || requests_.size() >= kMaxRequests) return false;
      const std::string handle = head.substr(kFirstText, handle_bytes);
      const uint64_t offset = u64(head, behind);
      requests_[u32(head, kIdAt)] = {type, handle, offset};
      if (type == kWrite) file_bytes(Direction::kIn, handle, offset, to);
      rest(Direction::kIn, true, to);
      return true;
    }
    case kOpen:
    case kStat:
    case kLstat:
    case kClose:
    case kFstat: {
      if (!want(stream, std::min<uint64_t>(whole, kMaxHead), fits)) return fits;
      if (head.size() < kFirstText || requests_.size() >= kMaxRequests) return false;
      const size_t text_bytes = std::min<size_t>(u32(head, kFirst), head.size() - kFirstText);
      Request request{type, head.substr(kFirstText, text_bytes)};
      const size_t behind = kFirstText + text_bytes;
      request.writes = type == kOpen && behind + 4 <= head.size() && (u32(head, behind) & kOpensForWriting) != 0;
      requests_[u32(head, kIdAt)] = std::move(request);
      rest(Direction::kIn, false, to);
      return true;
    }
    default: rest(Direction::kIn, false, to); return true;
  }
}

bool SftpReader::decide_reply(Stream& stream, TransferListener& to) {
  const std::string& head = stream.head;
  const auto type = static_cast<uint8_t>(head[kTypeAt]);
  const uint64_t whole = packet_bytes(head);
  const bool is_known = type == kStatus || type == kHandle || type == kData || type == kAttrs;
  stream.file.clear();
  bool fits = true;
  if (is_known) {
    const uint64_t needed = type == kHandle  ? whole
                            : type == kAttrs ? std::min<uint64_t>(whole, kFirst + 12)
                                             : kFirstText;
    if (!want(stream, needed, fits)) return fits;
    if (head.size() < kFirstText) return false;
  }
  const auto asked = is_known ? requests_.extract(u32(head, kIdAt)) : decltype(requests_)::node_type{};
  const Request request = asked.empty() ? Request{} : std::move(asked.mapped());
  if (type == kData) {
    if (request.type != kRead || whole != kFirstText + uint64_t{u32(head, kFirst)}) return false;
    file_bytes(Direction::kOut, request.subject, request.offset, to);
    rest(Direction::kOut, true, to);
    return true;
  }
  if (type == kHandle && request.type == kOpen && !open(head.substr(kFirstText), request)) return false;
  if (type == kAttrs && (u32(head, kFirst) & kAttrSize) != 0 && head.size() >= kFirst + 12) {
    learn_size(request, u64(head, kFirstText));
  }
  const uint32_t code = type == kStatus ? u32(head, kFirst) : kOk;
  const bool of_bulk = (request.type == kWrite && code == kOk) || (request.type == kRead && code == kEof);
  rest(Direction::kOut, type == kStatus && of_bulk, to);
  if (type == kStatus && request.type == kClose) close(request.subject, true, to);
  return true;
}

bool SftpReader::open(const std::string& handle, const Request& request) {
  if (files_.size() >= kMaxFiles || handle.empty()) return false;
  File& file = files_[handle] = {};
  file.name = request.subject;
  file.written = request.writes;
  if (!file.written && file.name == sized_path_) file.size = sized_bytes_;
  return true;
}

void SftpReader::learn_size(const Request& request, uint64_t bytes) {
  if (request.type == kStat || request.type == kLstat) {
    sized_path_ = request.subject;
    sized_bytes_ = bytes;
  } else if (const auto file = files_.find(request.subject); request.type == kFstat && file != files_.end()) {
    if (!file->second.written) file->second.size = bytes;
  }
}

// Of this packet, what follows the head are bytes of an open file.
void SftpReader::file_bytes(Direction dir, const std::string& handle, uint64_t offset, TransferListener& to) {
  const auto file = files_.find(handle);
  if (file == files_.end()) return;
  Side& side = file->second.sides[static_cast<size_t>(dir)];
  if (side.counter.bytes() == 0) to.keep(dir, {});  // the first and last bytes of each file are kept, not of each run
  side.sequential = side.sequential && offset == side.counter.bytes();
  streams_[static_cast<size_t>(dir)].file = handle;
}

void SftpReader::close(const std::string& handle, bool finished, TransferListener& to) {
  const auto found = files_.find(handle);
  if (found == files_.end()) return;
  File& file = found->second;
  const bool nothing = file.sides[0].counter.bytes() + file.sides[1].counter.bytes() == 0;
  for (const Direction dir : {Direction::kIn, Direction::kOut}) {
    Side& side = file.sides[static_cast<size_t>(dir)];
    if (nothing ? (dir == Direction::kIn) != file.written : side.counter.bytes() == 0) continue;
    TransferFacts facts;
    facts.dir = dir;
    facts.protocol = TransferProtocol::kSftp;
    facts.name = file.name;
    facts.size = file.size;
    facts.sequential = side.sequential;
    facts.finished = finished;
    side.counter.finish(facts);
    to.transferred(facts);
  }
  files_.erase(found);
}

void SftpReader::end(TransferListener& to) {
  while (!files_.empty()) close(std::string(files_.begin()->first), false, to);
}

void SftpReader::give_up(TransferListener& to) {
  given_up_ = true;
  for (const Direction dir : {Direction::kIn, Direction::kOut}) to.keep(dir, {});
  end(to);
}

}  // namespace sidrec::fold
