// Folding: one stream (a channel, or a connection) of which bulk transfers are kept in short: their first and last
// bytes (run.h), their length and hash. Recognises by the first bytes what the stream speaks. Pure.
//
// Its output is what is to be recorded in the place of what it was given: pieces, whose offsets have no hole, and the
// transfers that have ended. What it holds back (the end of a run) it lets go of at the latest in end().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/fold/run.h"
#include "recorder/fold/transfer.h"

namespace sidrec::fold {

struct Folded {
  std::vector<Piece> pieces;
  std::vector<TransferFacts> transfers;
};

class Folding : private TransferListener {
 public:
  enum class What : uint8_t {
    kTransfers,  // sftp and scp, where they are recognised
    kAll,        // everything else too
  };
  // `speaks_ssh`: a command of an ssh connection, which may be sftp or scp.
  Folding(What what, bool speaks_ssh);

  Folded take(Direction dir, uint64_t off, std::string_view bytes);
  // Bytes of the stream will not come here (a gap, masked input): the transfers under way are told as not finished, and
  // everything after is kept. Also for the end of the stream.
  Folded end();
  // Nothing will ever be folded, nothing is held back: to be left out of the way.
  bool is_idle() const { return state_ == State::kOff; }

 private:
  enum class State : uint8_t { kSniffing, kReading, kOff };

  void keep(Direction dir, std::string_view bytes) override;
  void bulk(Direction dir, std::string_view bytes) override;
  void undecided(Direction dir, std::string_view bytes) override;
  void transferred(const TransferFacts& facts) override;

  Run& run(Direction dir) { return *runs_[static_cast<size_t>(dir)]; }
  void sniff(Direction dir, std::string_view bytes);
  void recognise(std::unique_ptr<TransferReader> reader);
  void recognise_nothing();

  What what_;
  State state_;
  std::unique_ptr<TransferReader> reader_;
  std::array<std::optional<Run>, kDirections> runs_;
  // While sniffing: what each direction began with, and which one began.
  std::array<std::string, 2> first_;
  std::optional<Direction> began_;
  Folded out_;
};

}  // namespace sidrec::fold
