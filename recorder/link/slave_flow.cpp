#include "recorder/link/slave_flow.h"

#include <algorithm>
#include <iterator>

#include "recorder/base/clock.h"

namespace sidrec::link {

// Bytes. An empty flow keeps this much, so that keystrokes need no allocation; a burst's buffer is given back.
static constexpr size_t kKeptCapacity = 8 * 1024;

template <typename Marks>
static auto mark_of(Marks& marks, uint32_t lane) {
  return std::find_if(marks.begin(), marks.end(), [lane](const CommitMark& mark) { return mark.lane == lane; });
}

std::string& SlaveFlow::room_in(std::deque<std::string>& chunks, size_t bytes) {
  if (chunks.empty() || chunks.back().size() + bytes > kMaxFrameBytes) {
    const bool in_flow = !chunks.empty();
    chunks.emplace_back();
    if (in_flow) chunks.back().reserve(kMaxFrameBytes);
  }
  return chunks.back();
}

void SlaveFlow::append(const EventHeader& header, std::string_view payload) {
  const size_t bytes = event_bytes(payload.size());
  append_event(room_in(spooling_ ? chunks_behind_ : chunks_, bytes), header, payload);
  if (spooling_) {
    behind_.add(bytes);
  } else {
    kept_.add(bytes);
    unsent_.add(bytes);
  }
}

// The event at `place`, which moves on to the next chunk at the end of one.
std::optional<ParsedEvent> SlaveFlow::event_at(Place& place) const {
  while (place.chunk < chunks_.size() && place.at == chunks_[place.chunk].size()) {
    if (place.chunk + 1 == chunks_.size()) return std::nullopt;
    place = {place.chunk + 1, 0};
  }
  if (place.chunk >= chunks_.size()) return std::nullopt;
  return parse_event(std::string_view(chunks_[place.chunk]).substr(place.at));
}

std::optional<uint64_t> SlaveFlow::oldest_unsent_ns() const {
  Place place = sent_;
  if (const auto event = event_at(place)) return event->event->time_ns;
  if (chunks_behind_.empty()) return std::nullopt;
  return parse_event(chunks_behind_.front())->event->time_ns;
}

std::optional<Request> SlaveFlow::request(uint64_t now_ns, uint64_t spooled) {
  if (state_ == State::kAsked) return std::nullopt;
  if (unsent_.bytes == 0) {
    // What was to be sent went to the spool, and none of it comes back now: give back the credit, leave the line.
    const bool holds = state_ == State::kWaiting || credit_ > 0;
    return holds && spooled == 0 ? std::optional(Request{request_ + 1, 0, 0, 0}) : std::nullopt;
  }
  if (state_ == State::kWaiting && now_ns < retry_ns_) return std::nullopt;
  if (state_ == State::kPassed && !data().empty()) return std::nullopt;
  return Request{request_ + 1, unsent_.bytes + spooled, unsent_.records, *oldest_unsent_ns()};
}

void SlaveFlow::greeted() {
  requested_bytes_ = kFirstBytes;
  state_ = State::kAsked;
}

void SlaveFlow::requested(const Request& request) {
  request_ = request.request;
  requested_bytes_ = request.bytes;
  credit_ = 0;
  state_ = request.bytes > 0 ? State::kAsked : State::kIdle;
}

std::string_view SlaveFlow::data() {
  frame_ = {};
  const uint64_t limit = std::min<uint64_t>(credit_, kMaxFrameBytes);
  event_at(sent_);
  Place place = sent_;
  while (const auto event = event_at(place)) {
    if (place.chunk != sent_.chunk || frame_.bytes + event->bytes > limit) break;
    frame_.add(event->bytes);
    place.at += event->bytes;
  }
  if (frame_.bytes == 0) return {};
  return std::string_view(chunks_[sent_.chunk]).substr(sent_.at, frame_.bytes);
}

void SlaveFlow::sent() {
  sent_.at += frame_.bytes;
  credit_ = request_ == 0 ? 0 : credit_ - frame_.bytes;
  unsent_.remove(frame_);
  frame_ = {};
}

Result<void> SlaveFlow::on_pass(const Pass& pass) {
  if (pass.request < request_) return {};  // crossed with a newer request, which ended it
  if (pass.request > request_) return Error{"PASS for a request that was never made"};
  if (state_ != State::kAsked && state_ != State::kWaiting) return Error{"PASS for a request that is answered"};
  if (pass.credit > requested_bytes_) return Error{"PASS of more than was asked for"};
  state_ = State::kPassed;
  credit_ = pass.credit;
  return {};
}

Result<void> SlaveFlow::on_wait(const Wait& wait, uint64_t now_ns) {
  if (wait.request < request_) return {};
  if (wait.request > request_) return Error{"WAIT for a request that was never made"};
  if (state_ != State::kAsked) return Error{"WAIT for a request that is answered"};
  state_ = State::kWaiting;
  retry_ns_ = now_ns + wait.retry_ms * kMillisecond;
  return {};
}

Result<void> SlaveFlow::on_commit(const Commit& commit) {
  const bool sound = std::all_of(commit.marks.begin(), commit.marks.end(),
                                 [](const CommitMark& mark) { return mark.lane == kNoLane || mark.lane < kMaxLanes; });
  if (!sound) return Error{"COMMIT of a lane that cannot be"};
  for (const CommitMark& mark : commit.marks) {
    if (mark.lane == kNoLane) {
      if (std::find(no_lane_marks_.begin(), no_lane_marks_.end(), mark.pos) == no_lane_marks_.end()) {
        no_lane_marks_.push_back(mark.pos);
      }
      continue;
    }
    const auto known = mark_of(marks_, mark.lane);
    if (known == marks_.end()) {
      marks_.push_back(mark);
    } else {
      known->pos = std::max(known->pos, mark.pos);
    }
  }
  drop_committed();
  return {};
}

bool SlaveFlow::covered(const EventHeader& event) {
  if (event.lane == kNoLane) {
    const auto mark = std::find(no_lane_marks_.begin(), no_lane_marks_.end(), event.pos);
    if (mark == no_lane_marks_.end()) return false;
    no_lane_marks_.erase(mark);
    return true;
  }
  return std::any_of(marks_.begin(), marks_.end(),
                     [&event](const CommitMark& m) { return m.lane == event.lane && event.pos <= m.pos; });
}

uint64_t SlaveFlow::committed(uint32_t lane) const {
  const auto mark = mark_of(marks_, lane);
  return mark == marks_.end() ? 0 : mark->pos;
}

void SlaveFlow::start_over() {
  chunks_.resize(std::min<size_t>(chunks_.size(), 1));
  if (!chunks_.empty()) chunks_.front().clear();
  if (!chunks_.empty() && chunks_.front().capacity() > kKeptCapacity) chunks_.clear();
  committed_ = sent_ = {};
}

// A commit may cover what was not sent to this master: the one before had written it.
void SlaveFlow::drop_committed() {
  event_at(sent_);
  while (const auto event = event_at(committed_)) {
    if (!covered(*event->event.header)) break;
    if (committed_ == sent_) {
      sent_.at += event->bytes;
      unsent_.remove(event->bytes);
    }
    committed_.at += event->bytes;
    kept_.remove(event->bytes);
    event_at(sent_);
  }
  frame_ = {};
  if (kept_.bytes == 0) {
    start_over();
    if (behind_.bytes == 0) no_lane_marks_.clear();
    return;
  }
  for (; committed_.chunk > 0; --committed_.chunk, --sent_.chunk) chunks_.pop_front();
}

void SlaveFlow::on_master_lost() {
  state_ = State::kIdle;
  request_ = 0;
  credit_ = 0;
  frame_ = {};
  sent_ = committed_;
  unsent_ = kept_;
}

std::vector<std::string_view> SlaveFlow::sent_events() const {
  std::vector<std::string_view> pieces;
  for (size_t chunk = committed_.chunk; chunk <= sent_.chunk && chunk < chunks_.size(); ++chunk) {
    const size_t from = chunk == committed_.chunk ? committed_.at : 0;
    const size_t to = chunk == sent_.chunk ? sent_.at : chunks_[chunk].size();
    pieces.push_back(std::string_view(chunks_[chunk]).substr(from, to - from));
  }
  return pieces;
}

std::vector<std::string> SlaveFlow::take_unsent() {
  std::vector<std::string> taken;
  frame_ = {};
  if (spooling_) {
    std::move(chunks_behind_.begin(), chunks_behind_.end(), std::back_inserter(taken));
    chunks_behind_.clear();
    behind_ = {};
    return taken;
  }
  if (kept_.bytes == 0) return taken;
  event_at(sent_);
  if (sent_.at < chunks_[sent_.chunk].size()) taken.push_back(chunks_[sent_.chunk].substr(sent_.at));
  std::move(chunks_.begin() + static_cast<std::ptrdiff_t>(sent_.chunk) + 1, chunks_.end(), std::back_inserter(taken));
  chunks_.resize(sent_.chunk + 1);
  chunks_.back().resize(sent_.at);
  kept_.remove(unsent_);
  unsent_ = {};
  spooling_ = true;
  if (kept_.bytes == 0) start_over();
  return taken;
}

Result<void> SlaveFlow::prepend(std::string spooled, bool last) {
  Amount whole;
  for (std::string_view rest = spooled; !rest.empty();) {
    const auto event = parse_event(rest);
    if (!event) return Error{"no whole event at byte " + std::to_string(whole.bytes) + " of the spooled bytes"};
    whole.add(event->bytes);
    rest.remove_prefix(event->bytes);
  }
  if (!spooled.empty()) chunks_.push_back(std::move(spooled));
  kept_.add(whole);
  unsent_.add(whole);
  if (!last) return {};
  std::move(chunks_behind_.begin(), chunks_behind_.end(), std::back_inserter(chunks_));
  chunks_behind_.clear();
  kept_.add(behind_);
  unsent_.add(behind_);
  behind_ = {};
  spooling_ = false;
  return {};
}

std::string SlaveFlow::take_uncommitted() {
  std::string taken;
  event_at(committed_);
  for (size_t chunk = committed_.chunk; chunk < chunks_.size(); ++chunk) {
    taken.append(chunks_[chunk], chunk == committed_.chunk ? committed_.at : 0);
  }
  start_over();
  kept_ = unsent_ = {};
  frame_ = {};
  return taken;
}

std::optional<uint64_t> SlaveFlow::deadline_ns() const {
  if (state_ != State::kWaiting || unsent_.bytes == 0) return std::nullopt;
  return retry_ns_;
}

}  // namespace sidrec::link
