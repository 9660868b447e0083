// The vocabulary of the link's tests: events with an identity, frames of them, a clock in milliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/clock.h"
#include "recorder/event/event.h"

namespace sidrec::link {

inline constexpr uint64_t ms(uint64_t n) { return n * kMillisecond; }

// "r1"; append, since g++ 12 warns wrongly of "r" + std::string at -O3.
inline std::string rec_named(uint64_t n) { return std::string("r").append(std::to_string(n)); }

inline EventHeader data_event(uint64_t time_ns, uint64_t pos, size_t bytes = 8, uint32_t lane = 0) {
  EventHeader header{};
  header.kind = EventKind::kData;
  header.time_ns = time_ns;
  header.lane = lane;
  header.pos = pos;
  header.len = bytes;
  return header;
}

inline void add_event(std::string& frame, uint64_t time_ns, uint64_t pos, size_t bytes = 8, uint32_t lane = 0) {
  append_event(frame, data_event(time_ns, pos, bytes, lane), std::string(bytes, 'x'));
}

inline std::string frame_of(std::vector<uint64_t> times_ns, uint64_t first_pos = 1) {
  std::string frame;
  for (const uint64_t time_ns : times_ns) add_event(frame, time_ns, first_pos++);
  return frame;
}

// An EventHeader as it may come from the end of a host: of no lane, named by its connection.
inline EventHeader host_died(uint64_t time_ns, uint64_t conn) {
  EventHeader header{};
  header.kind = EventKind::kConnClose;
  header.why = static_cast<uint8_t>(CloseWhy::kHostDied);
  header.time_ns = time_ns;
  header.conn = header.pos = conn;
  header.lane = kNoLane;
  return header;
}
inline std::string no_close_facts() { return std::string(sizeof(ConnClose), '\0'); }

inline std::string joined(const auto& pieces) {
  std::string all;
  for (const auto& piece : pieces) all += piece;
  return all;
}

inline std::vector<uint64_t> positions_in(std::string_view bytes) {
  const std::string aligned(bytes);
  std::vector<uint64_t> positions;
  for (std::string_view rest = aligned; !rest.empty();) {
    const auto event = parse_event(rest);
    if (!event) return {~0ull};
    positions.push_back(event->event->pos);
    rest.remove_prefix(event->bytes);
  }
  return positions;
}

}  // namespace sidrec::link
