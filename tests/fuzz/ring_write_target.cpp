// A ring as the shim reads it back, inside a host, with a hostile recorder that scribbles over all of it: header, lane
// control, data. No store may leave the ring, nothing of the host may be read wrongly, no call may hang.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "shim/lane.h"
#include "shim/process.h"
#include "shim/ring_file.h"
#include "shim/settings.h"
#include "tests/fuzz/target.h"

using sidrec::fuzz::expect;
using sidrec::fuzz::Input;

namespace {
uint32_t claimed = 0;
bool running = true;
}  // namespace

// What shim/process.cpp and its neighbours are to the lanes, in a process that only fuzzes.
namespace sidrec {
constinit Settings g_settings{};
constinit OwnRing g_own_ring{};
uint32_t claimed_lanes() { return claimed; }
bool claim_lane(ring::Header* ring, uint32_t lane) {
  uint32_t free = 0;
  if (!lane_control(ring, lane)->owner.compare_exchange_strong(free, 7)) return false;
  claimed |= 1u << lane;
  return true;
}
bool recorder_running() { return running; }
void restart_recorder(ring::Header*) {}
}  // namespace sidrec

using namespace sidrec;

namespace {

constexpr uint32_t kLanes = 2;
constexpr uint32_t kLaneBytes = ring::kMinLaneBytes;
constexpr size_t kBytes = ring::ring_bytes(kLanes, kLaneBytes);

char* data_of(ring::Header* header, uint32_t lane) {
  return reinterpret_cast<char*>(lane_control(header, lane)) + ring::kLaneControlBytes;
}

// The record's bytes are in some lane, behind the head that it had.
bool is_there(ring::Header* header, const std::vector<uint64_t>& heads, const ring::RecordHeader& record,
              std::string_view payload) {
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    const auto at = [&](uint64_t i) { return data_of(header, lane)[(heads[lane] + i) & (kLaneBytes - 1)]; };
    ring::RecordHeader found;
    for (size_t i = 0; i < sizeof found; ++i) reinterpret_cast<char*>(&found)[i] = at(i);
    bool same = found.payload == record.payload && found.kind == record.kind && found.subject == record.subject;
    for (size_t i = 0; same && i < payload.size(); ++i) same = at(sizeof found + i) == payload[i];
    if (same && lane_control(header, lane)->head == heads[lane] + ring::record_bytes(payload.size())) return true;
  }
  return false;
}

}  // namespace

FUZZ_TARGET(ring_write, input) {
  // Exactly as large as the ring, so that a byte beyond it is seen.
  const std::unique_ptr<char, void (*)(void*)> memory(static_cast<char*>(std::aligned_alloc(ring::kPage, kBytes)),
                                                      std::free);
  std::memset(memory.get(), 0, kBytes);
  auto* header = reinterpret_cast<ring::Header*>(memory.get());
  header->lanes = kLanes;
  header->lane_bytes = kLaneBytes;
  header->recorder.store(1);
  g_own_ring.shape = {kLanes, kLaneBytes};
  g_settings.patience_ms = 0;
  claimed = 0;

  for (int steps = 0; !input.is_empty() && steps < 200; ++steps) {
    switch (input.below(4)) {
      case 0: {
        const size_t at = input.number<uint32_t>() % kBytes;
        const auto bytes = input.some(64);
        std::memcpy(memory.get() + at, bytes.data(), std::min(bytes.size(), kBytes - at));
        break;
      }
      case 1: {
        ring::LaneControl* lane = lane_control(header, input.below(kLanes));
        const uint64_t value = input.below(2) == 0 ? input.byte() * uint64_t{8} : input.number<uint64_t>();
        switch (input.below(6)) {
          case 0: lane->head.store(value); break;
          case 1: lane->tail.store(value); break;
          case 2: lane->busy.store(static_cast<uint32_t>(value & 1)); break;
          case 3: lane->overrun.store(static_cast<uint32_t>(value)); break;
          case 4: lane->tail.store(lane->head.load()); break;
          default: header->sleep.store(static_cast<uint32_t>(value)); break;
        }
        break;
      }
      default: {
        running = input.below(2) == 0;
        const size_t size = std::min<size_t>(input.number<uint16_t>(), most_payload());
        expect(most_payload() <= ring::kMaxRecordPayload && most_payload() < kLaneBytes, "a record fits its lane");
        std::string bytes(size, static_cast<char>(input.byte()));
        iovec parts[2] = {{bytes.data(), size / 3}, {bytes.data() + size / 3, size - size / 3}};
        Bytes from(parts, 2);
        ring::RecordHeader record{};
        record.kind = input.below(2) == 0 ? ring::kData : ring::kGap;
        record.subject = input.number<uint64_t>();
        record.payload = static_cast<uint32_t>(size);
        std::vector<uint64_t> heads;
        for (uint32_t lane = 0; lane < kLanes; ++lane) heads.push_back(lane_control(header, lane)->head);
        Patience patience;
        const std::string before = bytes;
        const bool written = write_record(header, record, from, patience);
        expect(bytes == before, "the host's bytes are its own");
        if (written) {
          expect(is_there(header, heads, record, bytes), "what is said to be written is there");
        } else {
          for (uint32_t lane = 0; lane < kLanes; ++lane) {
            expect(lane_control(header, lane)->head == heads[lane], "what is not written has not moved a head");
          }
        }
      }
    }
  }
}
