// A ring as its recorder reads it, with a hostile host that changes it all the time: header, lanes, records.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <set>
#include <tuple>

#include "recorder/base/unique_fd.h"
#include "recorder/ring/ring_reader.h"
#include "recorder/session/connection_tracker.h"
#include "tests/fuzz/target.h"

using namespace sidrec;
using fuzz::expect;
using fuzz::Input;

namespace {

constexpr uint32_t kLanes = 2;
constexpr uint32_t kLaneBytes = ring::kMinLaneBytes;
constexpr size_t kBytes = ring::ring_bytes(kLanes, kLaneBytes);

// One file for all inputs: made anew for each it would be most of the time.
class HostsRing {
 public:
  HostsRing() {
    path_ = "/dev/shm/sidrec-fuzz-" + std::to_string(::getpid()) + ".ring";
    fd_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    expect(::posix_fallocate(fd_.get(), 0, kBytes) == 0, "there is room for a ring");
    map_ = static_cast<char*>(::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0));
  }
  ~HostsRing() { ::unlink(path_.c_str()); }

  void begin_anew() {
    std::memset(map_, 0, kBytes);
    ring::Header& h = *reinterpret_cast<ring::Header*>(map_);
    h.magic = ring::kMagic;
    h.version = ring::kVersion;
    h.lanes = kLanes;
    h.lane_bytes = kLaneBytes;
    std::strcpy(h.ring_id, "r7-1");
    std::strcpy(h.program, "victim");
    std::strcpy(h.audit_dir, "/audit");
    std::strcpy(h.run_dir, "/run");
  }
  char* bytes() { return map_; }
  const std::string& path() const { return path_; }
  ring::LaneControl& lane(uint32_t index) {
    return *reinterpret_cast<ring::LaneControl*>(map_ + ring::kHeaderBytes + index * ring::lane_stride(kLaneBytes));
  }
  void put(uint32_t index, std::string_view bytes) {
    const uint64_t head = lane(index).head.load();
    char* data = reinterpret_cast<char*>(&lane(index)) + ring::kLaneControlBytes;
    for (size_t i = 0; i < bytes.size(); ++i) data[(head + i) & (kLaneBytes - 1)] = bytes[i];
    lane(index).head.store(head + bytes.size());
  }

 private:
  std::string path_;
  UniqueFd fd_;
  char* map_;
};

// Takes the events as a role does, and checks what a trail relies on.
struct Events : ConnectionTracker::Sink {
  std::set<OwnerId> owners;
  std::map<std::tuple<uint64_t, uint64_t, Direction>, uint64_t> offsets;
  std::map<uint32_t, uint64_t> positions;
  std::set<uint64_t> open;
  OwnerId last = kNobody;
  bool counts = false;  // the host has counted bytes without an event for them

  OwnerId owner_of(const std::string& sid) override {
    expect(sid.size() <= kMaxSidBytes, "a SID has a bound");
    owners.insert(++last);
    return last;
  }
  OwnerId owner_unknown() override { return owner_of({}); }
  void settle(OwnerId unknown, const std::string&) override {
    expect(owners.contains(unknown), "who settles is known");
  }
  void event(OwnerId owner, const EventHeader& header, std::string_view payload) override {
    expect(owners.contains(owner), "an event has an owner");
    std::string encoded;
    append_event(encoded, header, payload);
    expect(parse_event(encoded).has_value(), "whatever the ring said, what comes of it is a sound event");
    if (header.lane != kNoLane) {
      expect(header.pos > positions[header.lane], "positions grow within a lane");
      positions[header.lane] = header.pos;
    }
    if (header.kind == EventKind::kConnOpen) expect(open.insert(header.conn).second, "a connection opens once");
    expect(open.contains(header.conn), "nothing of a connection comes before its open");
    if (header.kind == EventKind::kConnClose) {
      open.erase(header.conn);
      std::erase_if(offsets, [&](const auto& flow) { return std::get<0>(flow.first) == header.conn; });
    }
    if (header.kind == EventKind::kChanOpen || header.kind == EventKind::kChanClose) {
      std::erase_if(offsets, [&](const auto& flow) {
        return std::get<0>(flow.first) == header.conn && std::get<1>(flow.first) == header.chan;
      });
    }
    const bool is_span = header.kind == EventKind::kData || header.kind == EventKind::kGap ||
                         header.kind == EventKind::kMasked || header.kind == EventKind::kFolded;
    if (!is_span) return;
    uint64_t& next = offsets[{header.conn, header.chan, header.dir}];
    expect(header.off == next || counts, "offsets have no hole");
    next = header.off + header.len;
  }
};

std::string some_record(Input& input, uint64_t now_ns) {
  ring::RecordHeader header{};
  header.kind = static_cast<uint8_t>(input.byte() % 16);
  header.dir = input.below(4);
  header.why = input.byte();
  header.pid = input.below(4);
  header.age_ns = input.below(8) == 0 ? input.number<uint32_t>() : 0;
  header.time_ns = input.below(16) == 0 ? input.number<uint64_t>() : now_ns + input.number<uint16_t>();
  header.subject = input.below(4) + (input.below(3) == 0 ? ring::kChannelBit : 0);
  std::string payload(input.some(300));
  if (header.kind != ring::kData && input.below(8) != 0) payload.resize(72);  // of the size that its kind has
  static const std::map<uint8_t, size_t> kSizes = {
      {ring::kOpen, sizeof(ring::Open)},         {ring::kGap, sizeof(ring::Gap)},
      {ring::kRelease, sizeof(ring::Release)},   {ring::kSeen, sizeof(ring::Seen)},
      {ring::kMasked, sizeof(ring::Seen)},       {ring::kChanOpen, sizeof(ring::ChanOpen)},
      {ring::kIdentity, sizeof(ring::Identity)}, {ring::kResize, sizeof(ring::Resize)}};
  if (const auto size = kSizes.find(header.kind); size != kSizes.end() && payload.size() == 72) {
    payload.resize(size->second);
  }
  header.payload = static_cast<uint32_t>(payload.size());
  std::string record(reinterpret_cast<const char*>(&header), sizeof header);
  record += payload;
  record.resize(ring::record_bytes(payload.size()));
  return record;
}

}  // namespace

FUZZ_TARGET(ring_read, input) {
  static HostsRing host;
  host.begin_anew();
  if (input.below(4) == 0) {  // before the recorder has come
    const size_t at = input.number<uint16_t>() % sizeof(ring::Header);
    const auto bytes = input.some(64);
    std::memcpy(host.bytes() + at, bytes.data(), std::min(bytes.size(), sizeof(ring::Header) - at));
  }
  auto opened = RingFile::open(host.path());
  if (!opened) return;
  const RingFacts facts = opened->facts();
  expect(facts.lanes <= ring::kMaxLanes && ring::ring_bytes(facts.lanes, facts.lane_bytes) <= kBytes,
         "no more is mapped than there is");

  RingReader reader(*opened, [](const std::string& why) { expect(!why.empty(), "an error says why"); });
  Events events;
  const Fold fold = static_cast<Fold>(input.below(3));
  const bool held = input.below(2) == 1;
  ConnectionTracker tracker(
      SidTemplate(facts.sid_template, facts.program, facts.env), {7, facts.program, "env"}, events,
      [held](uint64_t, const ConnOpen&) { return held; }, fold);
  Outstanding outstanding(facts.lanes);
  std::vector<uint64_t> last(facts.lanes);
  uint64_t now_ns = kSecond;
  size_t records = 0;
  const auto take = [&](const RingRecord& record) {
    expect(record.payload.size() <= ring::kMaxRecordPayload, "a record has a bound");
    expect(record.pos > last[record.lane], "positions grow within a lane");
    last[record.lane] = record.pos;
    ++records;
    events.counts = events.counts || record.header.kind == ring::kSeen;
    outstanding.add(record.lane, record.pos, tracker.take(record));
  };
  for (int steps = 0; !input.is_empty() && steps < 300; ++steps) {
    const uint32_t lane = input.below(kLanes);
    switch (input.below(8)) {
      case 0:
      case 1:
      case 2: host.put(lane, some_record(input, now_ns)); break;
      case 3: {  // anywhere, behind the recorder's back
        const size_t at = input.number<uint32_t>() % kBytes;
        const auto bytes = input.some(32);
        std::memcpy(host.bytes() + at, bytes.data(), std::min(bytes.size(), kBytes - at));
        break;
      }
      case 4: {
        ring::LaneControl& control = host.lane(lane);
        const uint64_t value = input.below(2) == 0 ? input.byte() * uint64_t{8} : input.number<uint64_t>();
        switch (input.below(4)) {
          case 0: control.head.store(value); break;
          case 1: control.tail.store(value); break;
          case 2: control.floor_ns.store(value); break;
          default: control.busy.store(static_cast<uint32_t>(value)); break;
        }
        break;
      }
      case 5: now_ns += input.number<uint16_t>() * kMillisecond; break;
      case 6:
        for (uint32_t each = 0; each < facts.lanes; ++each) {
          const auto safe = [](OwnerId, uint32_t) { return ~uint64_t{0}; };
          const uint64_t tail = outstanding.advance(each, reader.tail(each), safe);
          expect(tail >= reader.tail(each), "room is given back once");
          reader.give_back(each, tail);
        }
        break;
      default: {
        const size_t before = records;
        expect(reader.pass(now_ns, false, take) == records - before, "a pass says how much it has read");
        expect(records - before <= kPassBytes / sizeof(ring::RecordHeader) + 1, "a pass has a bound");
        tracker.on_timer(now_ns);
        (void)reader.has_news(1);
      }
    }
  }
  for (int passes = 0; passes < 100; ++passes) {
    now_ns += kSecond;
    reader.pass(now_ns, true, take);
    if (reader.is_drained()) break;
  }
  expect(reader.is_drained(), "a dead ring comes to an end");
  tracker.host_died(now_ns);
  expect(events.open.empty() && tracker.open_connections() == 0, "everything is closed when the host has died");
}
