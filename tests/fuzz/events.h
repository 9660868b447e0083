// Events out of an input: mostly sound ones, so that what reads them gets beyond its first check.
#pragma once

#include <algorithm>
#include <string>

#include "recorder/event/event.h"
#include "tests/fuzz/target.h"

namespace sidrec::fuzz {

struct MadeEvent {
  EventHeader header{};
  std::string payload;
};

inline MadeEvent made_event(Input& input) {
  MadeEvent made;
  EventHeader& header = made.header;
  header.kind = static_cast<EventKind>(input.byte() % 12);
  header.dir = static_cast<Direction>(input.below(3));
  header.why = input.byte();
  header.time_ns = input.number<uint32_t>();
  header.conn = input.byte();
  header.chan = input.below(4);
  header.off = input.number<uint16_t>();
  header.len = input.number<uint16_t>();
  header.records = input.byte();
  size_t bytes = 0;
  switch (header.kind) {
    case EventKind::kConnOpen: bytes = sizeof(ConnOpen); break;
    case EventKind::kConnClose: bytes = sizeof(ConnClose); break;
    case EventKind::kChanOpen: bytes = sizeof(ChanOpen); break;
    case EventKind::kChanClose: bytes = sizeof(ChanClose); break;
    case EventKind::kIdentity: bytes = sizeof(Identity); break;
    case EventKind::kResize: bytes = sizeof(TerminalSize); break;
    case EventKind::kTransfer: bytes = sizeof(Transfer) + input.byte(); break;
    case EventKind::kData: bytes = header.len = 1 + input.number<uint16_t>() % 600; break;
    default: break;
  }
  made.payload.assign(input.take(bytes));
  made.payload.resize(bytes);
  return made;
}

}  // namespace sidrec::fuzz
