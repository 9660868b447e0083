// TransferReader: reads along in the streams of one channel and says which bytes are bulk (a file under way) and what
// was transferred. An implementation for each protocol. Pure; one thread.
//
// It reads hostile bytes. What it does not understand it gives up on: from then on all is to be kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/base/sha256.h"
#include "recorder/event/event.h"

namespace sidrec::fold {

// One file, or the one direction of a stream that was folded as a whole.
struct TransferFacts {
  Direction dir = Direction::kIn;  // kIn: from the client
  TransferProtocol protocol = TransferProtocol::kStream;
  std::string name;              // as the protocol has it; empty where it has none
  std::optional<uint64_t> size;  // as the protocol announced it
  uint64_t bytes = 0;            // as they passed
  Sha256::Digest sha256{};       // of these
  bool sequential = true;        // from the first byte on, in order: then the hash is that of a whole file
  bool finished = false;         // its end was seen
};

// What a reader says, of each direction in the order of its bytes.
class TransferListener {
 public:
  virtual ~TransferListener() = default;
  // Keep these; a run of bulk that they follow has ended, even if they are none.
  virtual void keep(Direction dir, std::string_view bytes) = 0;
  // Part of a run of bulk.
  virtual void bulk(Direction dir, std::string_view bytes) = 0;
  // The beginning of something: part of the run that is under way, if one is.
  virtual void undecided(Direction dir, std::string_view bytes) = 0;
  virtual void transferred(const TransferFacts& facts) = 0;
};

class TransferReader {
 public:
  virtual ~TransferReader() = default;
  virtual void read(Direction dir, std::string_view bytes, TransferListener& to) = 0;
  // Bytes are missing, or the channel has ended: tells of the transfers that were under way. Not to be used again.
  virtual void end(TransferListener& to) = 0;
  virtual bool has_given_up() const = 0;
};

// The bytes of one transfer as they come.
class TransferCounter {
 public:
  void add(std::string_view bytes) {
    hash_.add(bytes);
    bytes_ += bytes.size();
  }
  uint64_t bytes() const { return bytes_; }
  void finish(TransferFacts& facts) {
    facts.bytes = bytes_;
    facts.sha256 = hash_.finish();
  }

 private:
  Sha256 hash_;
  uint64_t bytes_ = 0;
};

}  // namespace sidrec::fold
