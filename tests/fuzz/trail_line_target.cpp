// Events, whatever they say, as lines of a trail: each one line of JSON, from which a reader gets back what went in.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "recorder/trail/line.h"
#include "recorder/trail/line_facts.h"
#include "recorder/trail/reader.h"
#include "tests/fuzz/events.h"

using namespace sidrec;
using fuzz::expect;

FUZZ_TARGET(trail_line, input) {
  const std::string sid(input.some(40)), rec(input.some(40));
  LineWriter writer(sid, {"01a21b36-ee0e-7536-899d-7026b859a086", input.number<int64_t>(), 1u + input.byte()});
  LineFactsReader reader;
  std::string out;
  for (uint64_t seq = 1; !input.is_empty() && seq < 100; ++seq) {
    auto made = fuzz::made_event(input);
    made.header.lane = input.below(4) == 0 ? kNoLane : input.below(64);
    made.header.pos = input.number<uint64_t>();
    std::string encoded;
    append_event(encoded, made.header, made.payload);
    const auto event = parse_event(encoded);
    if (!event) continue;
    out.clear();
    writer.event(out, seq, rec, event->event, input.below(2) == 1);
    expect(!out.empty() && out.back() == '\n', "a line has an end");
    out.pop_back();
    expect(std::none_of(out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
           "a line is one line, and nothing a terminal obeys");
    const auto json = nlohmann::json::parse(out, nullptr, false);
    expect(json.is_object(), "a line is JSON");
    expect(number_at(json, "seq") == seq && json.contains("ev"), "with what every line has");
    LineFacts facts;
    expect(reader.read(out, facts), "we read what we write");
    expect(facts.seq == seq && facts.lane == made.header.lane && facts.pos == made.header.pos,
           "and an event is itself");
    expect(conn_of(facts.conn) == made.header.conn, "of its connection");
    if (made.header.kind != EventKind::kData) continue;
    expect(facts.off == made.header.off && facts.len == made.header.len, "at its place");
    expect(payload_of(json) == made.payload, "no byte of a client is changed");
  }
}
