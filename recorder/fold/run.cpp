#include "recorder/fold/run.h"

#include <algorithm>

namespace sidrec::fold {

// Appends to the piece before while it has room.
void Run::put(std::string_view bytes, std::vector<Piece>& out) {
  while (!bytes.empty()) {
    const bool joins = !out.empty() && out.back().dir == dir_ && !out.back().bytes.empty() &&
                       out.back().bytes.size() < kMaxEventPayload;
    if (!joins) out.push_back({dir_, told_, 0, {}});
    Piece& piece = out.back();
    const size_t part = std::min(bytes.size(), kMaxEventPayload - piece.bytes.size());
    piece.bytes.append(bytes.substr(0, part));
    piece.len += part;
    told_ += part;
    bytes.remove_prefix(part);
  }
}

void Run::drop_beyond(size_t kept) {
  if (tail_.size() <= kept) return;
  folded_ += tail_.size() - kept;
  tail_.erase(0, tail_.size() - kept);
}

void Run::tell_folded(std::vector<Piece>& out) {
  if (folded_ == 0) return;
  out.push_back({dir_, told_, folded_, {}});
  told_ += folded_;
  folded_ = 0;
}

void Run::keep(std::string_view bytes, std::vector<Piece>& out) {
  end(out);
  put(bytes, out);
}

void Run::bulk(std::string_view bytes, std::vector<Piece>& out) {
  const size_t head = run_ < kKept ? std::min<size_t>(kKept - run_, bytes.size()) : 0;
  put(bytes.substr(0, head), out);
  run_ += bytes.size();
  tail_.append(bytes.substr(head));
  if (tail_.size() >= 2 * kKept) drop_beyond(kKept);
  if (folded_ >= kToldAtLeast) tell_folded(out);
}

void Run::undecided(std::string_view bytes, std::vector<Piece>& out) {
  if (run_ > 0) {
    bulk(bytes, out);
  } else {
    put(bytes, out);
  }
}

void Run::end(std::vector<Piece>& out) {
  if (run_ == 0) return;
  drop_beyond(kKept);
  tell_folded(out);
  put(tail_, out);
  tail_.clear();
  tail_.shrink_to_fit();
  run_ = 0;
}

}  // namespace sidrec::fold
