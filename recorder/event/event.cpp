#include "recorder/event/event.h"

namespace sidrec {

void append_event(std::string& out, const EventHeader& header, std::string_view payload) {
  const size_t start = out.size();
  out.reserve(start + event_bytes(payload.size()));
  EventHeader copy = header;
  copy.payload = static_cast<uint32_t>(payload.size());
  out.append(reinterpret_cast<const char*>(&copy), sizeof copy);
  out.append(payload);
  out.append(start + event_bytes(payload.size()) - out.size(), '\0');
}

static bool payload_fits(const EventHeader& header) {
  switch (header.kind) {
    case EventKind::kConnOpen: return header.payload == sizeof(ConnOpen);
    case EventKind::kConnClose: return header.payload == sizeof(ConnClose);
    case EventKind::kData: return header.payload == header.len && header.len > 0;
    case EventKind::kGap:
    case EventKind::kMasked:
    case EventKind::kFolded: return header.payload == 0;
    case EventKind::kChanOpen: return header.payload == sizeof(ChanOpen);
    case EventKind::kChanClose: return header.payload == sizeof(ChanClose);
    case EventKind::kIdentity: return header.payload == sizeof(Identity);
    case EventKind::kResize: return header.payload == sizeof(TerminalSize);
    case EventKind::kTransfer:
      return header.payload >= sizeof(Transfer) && header.payload <= sizeof(Transfer) + kMaxTransferName;
  }
  return false;
}

std::optional<ParsedEvent> parse_event(std::string_view bytes) {
  if (bytes.size() < sizeof(EventHeader)) return std::nullopt;
  const auto* header = reinterpret_cast<const EventHeader*>(bytes.data());
  if (header->payload > kMaxEventPayload || header->dir > Direction::kErr) return std::nullopt;
  const size_t size = event_bytes(header->payload);
  if (bytes.size() < size || !payload_fits(*header)) return std::nullopt;
  return ParsedEvent{{header, bytes.substr(sizeof(EventHeader), header->payload)}, size};
}

template <typename T>
static T payload_of(const EventView& event) {
  T value{};
  std::memcpy(&value, event.payload.data(), sizeof value);
  return value;
}

ConnOpen conn_open_of(const EventView& event) {
  auto open = payload_of<ConnOpen>(event);
  open.program[sizeof open.program - 1] = '\0';
  open.sid_source[sizeof open.sid_source - 1] = '\0';
  return open;
}

ConnClose conn_close_of(const EventView& event) { return payload_of<ConnClose>(event); }
ChanOpen chan_open_of(const EventView& event) { return payload_of<ChanOpen>(event); }
ChanClose chan_close_of(const EventView& event) { return payload_of<ChanClose>(event); }
TerminalSize terminal_size_of(const EventView& event) { return payload_of<TerminalSize>(event); }
Transfer transfer_of(const EventView& event) { return payload_of<Transfer>(event); }
std::string_view transfer_name_of(const EventView& event) { return event.payload.substr(sizeof(Transfer)); }

Identity identity_of(const EventView& event) {
  auto identity = payload_of<Identity>(event);
  identity.user[sizeof identity.user - 1] = '\0';
  return identity;
}

}  // namespace sidrec
