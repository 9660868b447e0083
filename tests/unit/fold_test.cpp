// What is kept of a stream in short: nothing of it may be lost track of, whatever it says.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "recorder/fold/folding.h"

namespace sidrec::fold {
namespace {

using What = Folding::What;

std::string u32(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}
std::string u64(uint64_t value) { return u32(static_cast<uint32_t>(value >> 32)) + u32(static_cast<uint32_t>(value)); }
std::string text(const std::string& bytes) { return u32(static_cast<uint32_t>(bytes.size())) + bytes; }
std::string packet(uint8_t type, const std::string& rest) { return text(static_cast<char>(type) + rest); }
const std::string kInit = packet(1, u32(3));
std::string write_of(uint32_t id, uint64_t offset, const std::string& bytes) {
  return packet(6, u32(id) + text("h") + u64(offset) + text(bytes));
}
std::string status(uint32_t id, uint32_t code) { return packet(101, u32(id) + u32(code) + text("") + text("")); }

// A stream in both directions, and what became of it.
class Stream {
 public:
  explicit Stream(What what = What::kTransfers, bool ssh = true) : folding_(what, ssh) {}

  void say(Direction dir, const std::string& bytes, size_t in_parts_of = 60'000) {
    for (size_t at = 0; at < bytes.size(); at += in_parts_of) {
      const std::string_view part = std::string_view(bytes).substr(at, in_parts_of);
      take(folding_.take(dir, said_[dir].size(), part));
      said_[dir] += part;
    }
  }
  void end() {
    take(folding_.end());
    for (const auto& [dir, bytes] : said_) EXPECT_EQ(told_[dir], bytes.size());
  }
  size_t folded(Direction dir) { return folded_[dir]; }
  std::vector<TransferFacts> transfers;
  size_t most_pieces = 0;

 private:
  // Dense, as said, and of a size that fits an event.
  void take(const Folded& folded) {
    std::map<Direction, size_t> pieces;
    for (const Piece& piece : folded.pieces) {
      most_pieces = std::max(most_pieces, ++pieces[piece.dir]);
      ASSERT_EQ(piece.off, told_[piece.dir]);
      ASSERT_GT(piece.len, 0u);
      if (piece.bytes.empty()) {
        folded_[piece.dir] += piece.len;
      } else {
        ASSERT_EQ(piece.bytes.size(), piece.len);
        ASSERT_LE(piece.len, kMaxEventPayload);
        const std::string& said = said_[piece.dir];
        // The bytes at hand are not in said_ yet.
        const size_t known = said.size() > piece.off ? std::min<size_t>(piece.len, said.size() - piece.off) : 0;
        ASSERT_EQ(piece.bytes.substr(0, known), said.substr(std::min<size_t>(piece.off, said.size()), known));
      }
      told_[piece.dir] += piece.len;
    }
    transfers.insert(transfers.end(), folded.transfers.begin(), folded.transfers.end());
  }

  Folding folding_;
  std::map<Direction, std::string> said_;
  std::map<Direction, uint64_t> told_, folded_;
};

std::string noise(size_t bytes, unsigned seed = 1) {
  std::mt19937 dice(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(dice());
  return text;
}

TEST(FoldRun, of_twice_what_is_kept_is_whole_and_of_one_byte_more_lacks_one) {
  for (const size_t more : {0, 1}) {
    Stream stream(What::kAll, false);
    stream.say(Direction::kIn, noise(2 * kKept + more));
    stream.end();
    EXPECT_EQ(stream.folded(Direction::kIn), more);
  }
}

TEST(FoldRun, of_any_length_in_any_parts_is_told_without_a_hole) {
  for (const size_t part : {1'000, 4'096, 65'472}) {
    Stream stream(What::kAll, false);
    stream.say(Direction::kIn, noise(5'000'000), part);
    stream.say(Direction::kOut, noise(70'000), part);
    stream.end();
    EXPECT_EQ(stream.folded(Direction::kIn), 5'000'000 - 2 * kKept);
    EXPECT_EQ(stream.folded(Direction::kOut), 0u);
    EXPECT_EQ(stream.transfers.size(), 2u);
  }
}

void upload(Stream& stream, size_t bytes, size_t part) {
  stream.say(Direction::kIn, kInit, part);
  stream.say(Direction::kOut, packet(2, u32(3)), part);
  stream.say(Direction::kIn, packet(3, u32(0) + text("/a/file") + u32(2) + u32(0)), part);
  stream.say(Direction::kOut, packet(102, u32(0) + text("h")), part);
  const std::string content = noise(bytes);
  for (uint32_t at = 0; at < bytes; at += 32'768) {
    stream.say(Direction::kIn, write_of(1 + at / 32'768, at, content.substr(at, 32'768)), part);
    stream.say(Direction::kOut, status(1 + at / 32'768, 0), part);
  }
  stream.say(Direction::kIn, packet(4, u32(9999) + text("h")), part);
  stream.say(Direction::kOut, status(9999, 0), part);
}

TEST(FoldSftp, is_understood_however_it_is_cut) {
  for (const size_t part : {1, 2, 3, 5, 7, 13, 29, 1'000, 65'472}) {
    Stream stream;
    upload(stream, 300'000, part);
    ASSERT_EQ(stream.transfers.size(), 1u) << part;
    const TransferFacts& facts = stream.transfers[0];
    EXPECT_EQ(facts.name, "/a/file");
    EXPECT_EQ(facts.bytes, 300'000u);
    EXPECT_TRUE(facts.sequential && facts.finished);
    Sha256 hash;
    hash.add(noise(300'000));
    EXPECT_EQ(facts.sha256, hash.finish());
    stream.end();
    EXPECT_GT(stream.folded(Direction::kIn), 300'000 - 2 * kKept - 1'000);
  }
}

TEST(FoldSftp, bytes_out_of_order_are_said_to_be) {
  Stream stream;
  upload(stream, 10, 1'000);
  stream.say(Direction::kIn, packet(3, u32(0) + text("again") + u32(2) + u32(0)));
  stream.say(Direction::kOut, packet(102, u32(0) + text("h")));
  stream.say(Direction::kIn, write_of(1, 100, "late") + write_of(2, 0, "early") + packet(4, u32(3) + text("h")));
  stream.say(Direction::kOut, status(1, 0) + status(2, 0) + status(3, 0));
  ASSERT_EQ(stream.transfers.size(), 2u);
  EXPECT_FALSE(stream.transfers[1].sequential);
  stream.end();
}

TEST(FoldSftp, a_failed_write_is_kept) {
  Stream stream;
  upload(stream, 1'000'000, 60'000);
  const size_t before = stream.folded(Direction::kOut);
  stream.say(Direction::kIn, write_of(1, 0, "x"));
  stream.say(Direction::kOut, status(1, 4));
  stream.end();
  EXPECT_EQ(stream.folded(Direction::kOut), before);
}

TEST(FoldSftp, what_is_none_after_all_is_kept_whole_from_there_on) {
  Stream stream;
  upload(stream, 1'000, 60'000);
  stream.say(Direction::kIn, u32(0xffffffff));
  const size_t before = stream.folded(Direction::kIn);
  stream.say(Direction::kIn, noise(1'000'000));
  stream.end();
  EXPECT_EQ(stream.folded(Direction::kIn), before);
}

TEST(FoldSftp, a_file_left_open_is_not_finished) {
  Stream stream;
  stream.say(Direction::kIn, kInit + packet(3, u32(0) + text("f") + u32(2) + u32(0)));
  stream.say(Direction::kOut, packet(102, u32(0) + text("h")));
  stream.say(Direction::kIn, write_of(1, 0, "half"));
  stream.end();
  ASSERT_EQ(stream.transfers.size(), 1u);
  EXPECT_FALSE(stream.transfers[0].finished);
}

TEST(FoldScp, names_files_by_their_folders) {
  Stream stream;
  stream.say(Direction::kOut, std::string(1, '\0'));
  stream.say(Direction::kIn, "D0755 0 dir\nT1 0 1 0\nC0644 5 a b\nhello" + std::string(1, '\0') + "E\nC0600 0 none\n");
  ASSERT_EQ(stream.transfers.size(), 2u);
  EXPECT_EQ(stream.transfers[0].name, "dir/a b");
  EXPECT_EQ(stream.transfers[0].size, 5u);
  EXPECT_EQ(stream.transfers[1].name, "none");
  stream.end();
}

TEST(FoldScp, a_command_that_only_looks_like_it_is_kept_whole) {
  Stream stream;
  stream.say(Direction::kOut, "C0644 1000000 x\n" + noise(1'000'000));
  stream.end();
  EXPECT_EQ(stream.folded(Direction::kOut), 0u);
  EXPECT_TRUE(stream.transfers.empty());
}

// Nonsense in the clothes of the protocol: random cuts, repeats and changes of an upload.
TEST(Fold, hostile_bytes_are_never_lost_track_of) {
  std::mt19937 dice(20261126);
  for (int round = 0; round < 300; ++round) {
    Stream stream;
    stream.say(Direction::kIn, kInit);
    for (int step = 0; step < 40; ++step) {
      const Direction dir = dice() % 2 ? Direction::kIn : Direction::kOut;
      const auto id = static_cast<uint32_t>(dice() % 4);
      std::string bytes;
      switch (dice() % 8) {
        case 0: bytes = packet(3, u32(id) + text("f") + u32(2) + u32(0)); break;
        case 1: bytes = packet(102, u32(id) + text("h")); break;
        case 2: bytes = write_of(id, dice() % 3, noise(dice() % 100'000)); break;
        case 3: bytes = status(id, id % 3); break;
        case 4: bytes = packet(4, u32(id) + text("h")); break;
        case 5: bytes = packet(5, u32(id) + text("h") + u64(0) + u32(1)); break;
        case 6: bytes = packet(103, u32(id) + text(noise(dice() % 100'000))); break;
        default: bytes = packet(static_cast<uint8_t>(dice()), noise(dice() % 40)); break;
      }
      if (dice() % 16 == 0 && !bytes.empty()) bytes[dice() % bytes.size()] ^= static_cast<char>(1 << dice() % 8);
      if (dice() % 16 == 0) bytes.resize(dice() % (bytes.size() + 1));
      stream.say(dir, bytes, 1 + dice() % 65'472);
    }
    stream.end();
    ASSERT_LE(stream.most_pieces, 6u);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace sidrec::fold
