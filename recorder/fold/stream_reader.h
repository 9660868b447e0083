// StreamReader: any stream as one transfer in each direction; for the setting that folds everything. What a command
// says on stderr is kept.
#pragma once

#include "recorder/fold/transfer.h"

namespace sidrec::fold {

class StreamReader : public TransferReader {
 public:
  void read(Direction dir, std::string_view bytes, TransferListener& to) override {
    if (dir == Direction::kErr) return to.keep(dir, bytes);
    to.bulk(dir, bytes);
    counters_[static_cast<size_t>(dir)].add(bytes);
  }

  void end(TransferListener& to) override {
    for (const Direction dir : {Direction::kIn, Direction::kOut}) {
      TransferCounter& counter = counters_[static_cast<size_t>(dir)];
      if (counter.bytes() == 0) continue;
      TransferFacts facts;
      facts.dir = dir;
      facts.finished = true;
      counter.finish(facts);
      to.keep(dir, {});
      to.transferred(facts);
    }
  }

  bool has_given_up() const override { return false; }

 private:
  TransferCounter counters_[2];
};

}  // namespace sidrec::fold
