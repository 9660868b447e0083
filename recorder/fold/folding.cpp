#include "recorder/fold/folding.h"

#include <utility>

#include "recorder/fold/scp_reader.h"
#include "recorder/fold/sftp_reader.h"
#include "recorder/fold/stream_reader.h"

namespace sidrec::fold {
namespace {

// For what has been kept before it was known what it is.
class Deaf : public TransferListener {
  void keep(Direction, std::string_view) override {}
  void bulk(Direction, std::string_view) override {}
  void undecided(Direction, std::string_view) override {}
  void transferred(const TransferFacts&) override {}
};

bool is_one_of(std::string_view letters, const std::string& text) {
  return !text.empty() && letters.find(text.front()) != std::string_view::npos;
}

}  // namespace

Folding::Folding(What what, bool speaks_ssh) : what_(what), state_(State::kSniffing) {
  if (!speaks_ssh) recognise_nothing();
}

// A reader that gives up says so of both directions, also of one that has had no byte yet.
void Folding::keep(Direction dir, std::string_view bytes) {
  if (auto& run = runs_[static_cast<size_t>(dir)]) run->keep(bytes, out_.pieces);
}
void Folding::bulk(Direction dir, std::string_view bytes) { run(dir).bulk(bytes, out_.pieces); }
void Folding::undecided(Direction dir, std::string_view bytes) { run(dir).undecided(bytes, out_.pieces); }
void Folding::transferred(const TransferFacts& facts) { out_.transfers.push_back(facts); }

Folded Folding::take(Direction dir, uint64_t off, std::string_view bytes) {
  auto& run = runs_[static_cast<size_t>(dir)];
  if (!run) run.emplace(dir, off);
  if (state_ == State::kSniffing && dir != Direction::kErr) {
    sniff(dir, bytes);
  }
  if (state_ == State::kReading) {
    reader_->read(dir, bytes, *this);
    if (reader_->has_given_up()) state_ = State::kOff;
  } else {
    run->keep(bytes, out_.pieces);
  }
  return std::exchange(out_, {});
}

Folded Folding::end() {
  state_ = State::kOff;
  for (auto& run : runs_) {
    if (run) run->end(out_.pieces);
  }
  if (reader_) reader_->end(*this);
  reader_.reset();
  return std::exchange(out_, {});
}

// What the streams began with is told to the reader before the bytes at hand, which are not in first_ yet.
void Folding::recognise(std::unique_ptr<TransferReader> reader) {
  reader_ = std::move(reader);
  state_ = State::kReading;
  Deaf deaf;
  for (const Direction dir : {Direction::kIn, Direction::kOut}) {
    reader_->read(dir, first_[static_cast<size_t>(dir)], deaf);
  }
}

void Folding::recognise_nothing() {
  if (what_ == What::kAll) return recognise(std::make_unique<StreamReader>());
  state_ = State::kOff;
}

void Folding::sniff(Direction dir, std::string_view bytes) {
  if (!began_) began_ = dir;
  const auto& [in_before, out_before] = first_;
  const std::string in = in_before + std::string(dir == Direction::kIn ? bytes : std::string_view{});
  const std::string out = out_before + std::string(dir == Direction::kOut ? bytes : std::string_view{});
  const std::string_view sftp = SftpReader::kFirstBytes;
  if (out.empty() && in.starts_with(sftp)) return recognise(std::make_unique<SftpReader>());
  const bool may_be_sftp = out.empty() && sftp.starts_with(in);
  const std::string ready(1, '\0');
  // scp's receiver speaks first: it is ready. Then the sender has a line.
  const bool receives_here = began_ == Direction::kOut && out == ready;
  const bool receives_there = began_ == Direction::kIn && in == ready;
  if (receives_here && is_one_of(ScpReader::kFirstLetters, in)) {
    return recognise(std::make_unique<ScpReader>(Direction::kIn));
  }
  if (receives_there && is_one_of(ScpReader::kFirstLetters, out)) {
    return recognise(std::make_unique<ScpReader>(Direction::kOut));
  }
  const bool may_be_scp = (receives_here && in.empty()) || (receives_there && out.empty());
  if (!may_be_sftp && !may_be_scp) return recognise_nothing();
  first_[static_cast<size_t>(dir)].append(bytes);
}

}  // namespace sidrec::fold
