#include "recorder/cli/terminal_stream.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "recorder/cli/printable.h"
#include "recorder/trail/reassembly.h"

namespace sidrec::cli {

constexpr Direction kFlows[] = {Direction::kIn, Direction::kOut};

std::string hole_mark(const std::string& hole, bool styled) {
  const std::string text = "[sidrec: " + hole + "]";
  return styled ? "\x18\r\n\x1b[0;7m" + text + "\x1b[0m\r\n" : "\r\n" + text + "\r\n";
}

TerminalStream::TerminalStream(TrailReader& reader, const Terminal& terminal, bool with_input)
    : reader_(reader),
      conn_(terminal.conn),
      chan_(terminal.chan),
      start_ns_(terminal.start_ns),
      with_input_(with_input) {}

Result<std::optional<TerminalEvent>> TerminalStream::next() {
  LineFacts facts;
  while (events_.empty() && !ended_) {
    const auto more = reader_.next();
    if (!more) return more.error();
    if (!*more) return std::optional<TerminalEvent>();
    if (!facts_reader_.read(reader_.line(), facts)) return reader_.error_here("not a line of a trail");
    if (const auto taken = take(facts); !taken) return taken.error();
  }
  if (events_.empty()) return std::optional<TerminalEvent>();
  std::optional<TerminalEvent> event(std::move(events_.front()));
  events_.pop_front();
  return event;
}

Result<void> TerminalStream::take(const LineFacts& facts) {
  if (facts.kind == LineKind::kSessionEnd) {
    settle();
    ended_ = true;
  }
  if (facts.conn != conn_ || facts.chan != chan_) return {};
  if (facts.kind == LineKind::kChanClose) return close();
  const bool span = facts.kind == LineKind::kData || facts.kind == LineKind::kGap;
  if (facts.kind != LineKind::kTtyResize && !(span && is_wanted(facts.dir))) return {};
  const auto wall_ns = times_.read(facts.ts);
  if (!wall_ns) return reader_.error_here("its ts is no time");
  if (span) {
    auto piece = piece_of(facts, *wall_ns);
    if (!piece) return piece.error();
    place(facts.dir, std::move(*piece));
    end_if_complete();
    return {};
  }
  const auto line = reader_.parsed();
  if (!line) return line.error();
  const ScreenSize size = {number_at(*line, "cols"), number_at(*line, "rows")};
  if (size.cols > 0 && size.rows > 0) {
    push(*wall_ns, {.kind = TerminalEvent::Kind::kResize, .text = {}, .size = size});
  }
  return {};
}

Result<TerminalStream::Piece> TerminalStream::piece_of(const LineFacts& facts, uint64_t wall_ns) const {
  if (facts.len > std::numeric_limits<uint64_t>::max() - facts.off) return reader_.error_here("off and len too large");
  const auto line = reader_.parsed();
  if (!line) return line.error();
  Piece piece{.off = facts.off, .len = facts.len, .wall_ns = wall_ns, .bytes = {}, .hole = {}};
  const std::string span = span_text(facts.off, facts.len);
  if (facts.kind == LineKind::kGap) {
    piece.hole = "a gap, " + printable(string_at(*line, "why")) + ": " + span + " passed unrecorded";
    return piece;
  }
  piece.masked = line->contains("masked");
  if (piece.masked) return piece;
  auto payload = payload_of(*line);
  if (payload && payload->size() == facts.len) {
    piece.bytes = std::move(*payload);
  } else {
    piece.hole = "a line does not decode to its " + span;
  }
  return piece;
}

Result<void> TerminalStream::close() {
  const auto line = reader_.parsed();
  if (!line) return line.error();
  closed_ = true;
  flows_[static_cast<size_t>(Direction::kIn)].final = number_at(*line, "bytes_in");
  flows_[static_cast<size_t>(Direction::kOut)].final = number_at(*line, "bytes_out");
  end_if_complete();
  return {};
}

// Lines that come late come behind the close.
void TerminalStream::end_if_complete() {
  if (!closed_) return;
  for (const Direction dir : kFlows) {
    const Flow& flow = flows_[static_cast<size_t>(dir)];
    if (is_wanted(dir) && (flow.reached < flow.final || !flow.held.empty())) return;
  }
  ended_ = true;
}

void TerminalStream::settle() {
  for (const Direction dir : kFlows) {
    const Flow& flow = flows_[static_cast<size_t>(dir)];
    while (!flow.held.empty()) skip_to_held(dir);
    if (closed_ && is_wanted(dir) && flow.reached < flow.final) {
      put_hole(dir, 0, "the trail lacks " + span_text(flow.reached, flow.final - flow.reached));
    }
  }
  ended_ = ended_ || closed_;
}

void TerminalStream::place(Direction dir, Piece piece) {
  Flow& flow = flows_[static_cast<size_t>(dir)];
  if (piece.off <= flow.reached) {
    put(dir, std::move(piece));
    put_held(dir);
    return;
  }
  flow.held.emplace(piece.off, std::move(piece));
  if (flow.held.size() > kMaxHeldLines) skip_to_held(dir);
}

void TerminalStream::put_held(Direction dir) {
  Flow& flow = flows_[static_cast<size_t>(dir)];
  while (!flow.held.empty() && flow.held.begin()->first <= flow.reached) {
    put(dir, std::move(flow.held.extract(flow.held.begin()).mapped()));
  }
}

void TerminalStream::skip_to_held(Direction dir) {
  Flow& flow = flows_[static_cast<size_t>(dir)];
  const auto& [off, piece] = *flow.held.begin();
  put_hole(dir, piece.wall_ns, "the trail lacks " + span_text(flow.reached, off - flow.reached));
  flow.reached = off;
  put_held(dir);
}

void TerminalStream::put(Direction dir, Piece piece) {
  Flow& flow = flows_[static_cast<size_t>(dir)];
  const uint64_t again = std::min(flow.reached - piece.off, piece.len);
  if (again > 0) put_hole(dir, piece.wall_ns, "the trail holds " + span_text(piece.off, again) + " twice");
  if (again == piece.len) return;
  flow.reached = piece.off + piece.len;
  if (piece.masked) return;
  if (!piece.hole.empty()) return put_hole(dir, piece.wall_ns, std::move(piece.hole));
  push(piece.wall_ns, {.kind = TerminalEvent::Kind::kBytes, .dir = dir, .text = piece.bytes.substr(again), .size = {}});
}

void TerminalStream::put_hole(Direction dir, uint64_t wall_ns, std::string sentence) {
  push(wall_ns, {.kind = TerminalEvent::Kind::kHole, .dir = dir, .text = std::move(sentence), .size = {}});
}

void TerminalStream::push(uint64_t wall_ns, TerminalEvent event) {
  last_ns_ = std::max(last_ns_, wall_ns - std::min(wall_ns, start_ns_));
  event.time_ns = last_ns_;
  events_.push_back(std::move(event));
}

}  // namespace sidrec::cli
