// What an sftp or scp says, in any pieces: no byte of it may be lost or come twice, whatever the protocol's reader
// makes of it.
#include <array>

#include "recorder/fold/folding.h"
#include "tests/fuzz/target.h"

using namespace sidrec;
using fuzz::expect;

FUZZ_TARGET(fold, input) {
  fold::Folding folding(static_cast<fold::Folding::What>(input.below(2)), input.below(2) == 1);
  std::array<std::string, kDirections> given;
  std::array<uint64_t, kDirections> told{};
  const auto check = [&](const fold::Folded& folded) {
    for (const fold::Piece& piece : folded.pieces) {
      const auto dir = static_cast<size_t>(piece.dir);
      expect(piece.off == told[dir], "pieces have no hole");
      expect(piece.len > 0 && told[dir] + piece.len <= given[dir].size(), "no more comes out than went in");
      if (!piece.bytes.empty()) {
        expect(given[dir].compare(told[dir], piece.len, piece.bytes) == 0, "the bytes are those that were given");
      }
      told[dir] += piece.len;
    }
  };
  while (!input.is_empty()) {
    const auto dir = static_cast<Direction>(input.below(2));
    std::string bytes;
    if (input.below(8) == 0) {
      bytes.assign(input.number<uint16_t>() * size_t{4}, static_cast<char>(input.byte()));  // a file's middle
    } else {
      bytes = input.some(300);
    }
    if (bytes.empty()) continue;
    std::string& so_far = given[static_cast<size_t>(dir)];
    const uint64_t off = so_far.size();
    if (off > 4 * 1024 * 1024) break;
    so_far += bytes;
    if (folding.is_idle()) {
      expect(told[static_cast<size_t>(dir)] == off, "who is left out of the way holds nothing back");
      told[static_cast<size_t>(dir)] = so_far.size();
      continue;
    }
    check(folding.take(dir, off, bytes));
    for (size_t each = 0; each < 2; ++each) {
      // Folded and not told yet, and held back.
      const uint64_t bound = fold::kToldAtLeast + 2 * fold::kKept + bytes.size();
      expect(given[each].size() - told[each] <= bound, "what is not told yet has a bound");
    }
  }
  check(folding.end());
  expect(told[0] == given[0].size() && told[1] == given[1].size(), "at its end it has let go of everything");
}
