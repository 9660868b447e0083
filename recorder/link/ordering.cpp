#include "recorder/link/ordering.h"

#include <algorithm>
#include <limits>

#include "recorder/link/messages.h"

namespace sidrec::link {

static uint64_t before(uint64_t now_ns, uint64_t span_ns) { return now_ns > span_ns ? now_ns - span_ns : 0; }

// A heap's order: its front is the source that goes next.
bool Ordering::later(const Source* a, const Source* b) {
  if (a->key_ns != b->key_ns) return a->key_ns > b->key_ns;
  if (const int order = a->rec.compare(b->rec); order != 0) return order > 0;
  return a->id > b->id;
}

void Ordering::add_source(SourceId id, std::string rec, uint64_t now_ns) {
  const auto [found, added] = sources_.try_emplace(id);
  if (!added) return;
  found->second.id = id;
  found->second.rec = std::move(rec);
  found->second.joined_ns = now_ns;
}

void Ordering::remove_source(SourceId id) {
  const auto found = sources_.find(id);
  if (found == sources_.end()) return;
  found->second.leaving = true;
  if (found->second.frames.empty()) sources_.erase(found);
}

void Ordering::take_key(Source& source) {
  const std::string_view rest = std::string_view(source.frames.front()).substr(source.at);
  const uint64_t time_ns = reinterpret_cast<const EventHeader*>(rest.data())->time_ns;
  source.key_ns = std::max(source.key_ns, std::min(time_ns, source.arrivals.front()));
}

void Ordering::push(Source& source) {
  take_key(source);
  heap_.push_back(&source);
  std::push_heap(heap_.begin(), heap_.end(), later);
}

Result<uint64_t> Ordering::add_frame(SourceId id, std::string frame, uint64_t now_ns) {
  const auto found = sources_.find(id);
  if (found == sources_.end() || found->second.leaving) return Error{"events of an unknown source"};
  uint64_t first_ns = 0, last_ns = 0;
  for (size_t at = 0; at < frame.size();) {
    const auto parsed = parse_event(std::string_view(frame).substr(at));
    const bool sane = parsed && (parsed->event->lane < kMaxLanes || parsed->event->lane == kNoLane);
    if (!sane) return Error{"malformed event at byte " + std::to_string(at) + " of a frame"};
    last_ns = parsed->event->time_ns;
    if (at == 0) first_ns = last_ns;
    at += parsed->bytes;
  }
  if (frame.empty()) return Error{"a frame without events"};

  Source& source = found->second;
  widen(source, first_ns, now_ns);
  source.held += frame.size();
  held_bytes_ += frame.size();
  const bool idle = source.frames.empty();
  source.frames.push_back(std::move(frame));
  source.arrivals.push_back(now_ns);
  if (idle) push(source);
  return last_ns;
}

// A frame that comes too late asks for a wider window, once. What happened before its recorder joined says nothing.
void Ordering::widen(const Source& source, uint64_t first_ns, uint64_t now_ns) {
  if (slaves_ == 0 || first_ns >= released_ns_ || first_ns < source.joined_ns) return;
  window_ns_ = std::min(std::max<uint64_t>(window_ns_, 1) * 2, settings_.max_window_ns);
  window_changed_ns_ = now_ns;
}

void Ordering::calm(uint64_t now_ns) {
  if (window_ns_ <= settings_.window_ns || now_ns < window_changed_ns_ + settings_.calm_ns) return;
  window_ns_ = std::max(window_ns_ / 2, settings_.window_ns);
  window_changed_ns_ = now_ns;
}

uint64_t Ordering::horizon_ns(uint64_t now_ns) const {
  if (slaves_ == 0) return std::numeric_limits<uint64_t>::max();
  uint64_t horizon = before(now_ns, window_ns_);
  if (expected_ns_ && *expected_ns_ < horizon) {
    horizon = std::max(*expected_ns_, before(now_ns, settings_.max_window_ns));
  }
  return std::max(horizon, released_ns_);
}

const std::vector<Ordering::Drained>& Ordering::release(uint64_t now_ns, const Visitor& visit) {
  calm(now_ns);
  release_until(horizon_ns(now_ns), visit);
  return drained_;
}

const std::vector<Ordering::Drained>& Ordering::release_all(const Visitor& visit) {
  release_until(std::numeric_limits<uint64_t>::max(), visit);
  return drained_;
}

void Ordering::release_until(uint64_t horizon_ns, const Visitor& visit) {
  drained_.clear();
  while (!heap_.empty() && heap_.front()->key_ns <= horizon_ns) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    Source& source = *heap_.back();
    heap_.pop_back();
    drained_.push_back({source.id, release_run(source, horizon_ns, visit)});
    if (!source.frames.empty()) {
      heap_.push_back(&source);
      std::push_heap(heap_.begin(), heap_.end(), later);
    } else if (source.leaving) {
      sources_.erase(source.id);
    }
  }
}

// The events of one source up to where another one goes first.
size_t Ordering::release_run(Source& source, uint64_t horizon_ns, const Visitor& visit) {
  size_t bytes = 0;
  do {
    const std::string& frame = source.frames.front();
    const auto parsed = parse_event(std::string_view(frame).substr(source.at));
    const bool late = parsed->event->time_ns < released_ns_;
    if (late) ++late_events_;
    released_ns_ = std::max(released_ns_, source.key_ns);
    visit({source.id, source.rec, parsed->event, late});
    bytes += parsed->bytes;
    source.at += parsed->bytes;
    if (source.at == frame.size()) {
      source.frames.pop_front();
      source.arrivals.pop_front();
      source.at = 0;
    }
    if (source.frames.empty()) break;
    take_key(source);
  } while (source.key_ns <= horizon_ns && (heap_.empty() || !later(&source, heap_.front())));
  source.held -= bytes;
  held_bytes_ -= bytes;
  return bytes;
}

std::optional<uint64_t> Ordering::next_release_ns() const {
  if (heap_.empty()) return std::nullopt;
  const uint64_t key_ns = heap_.front()->key_ns;
  if (slaves_ == 0 || key_ns <= released_ns_) return 0;
  const bool expecting = expected_ns_ && *expected_ns_ < key_ns;
  return key_ns + (expecting ? std::max(settings_.max_window_ns, window_ns_) : window_ns_);
}

std::optional<uint64_t> Ordering::oldest_held_ns() const {
  return heap_.empty() ? std::nullopt : std::optional(heap_.front()->key_ns);
}

size_t Ordering::held_bytes(SourceId id) const {
  const auto found = sources_.find(id);
  return found == sources_.end() ? 0 : found->second.held;
}

}  // namespace sidrec::link
