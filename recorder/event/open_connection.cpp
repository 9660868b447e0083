#include "recorder/event/open_connection.h"

#include <algorithm>

namespace sidrec {

void OpenConnections::note(const EventView& event) {
  const auto newest = in_trail.find(event->lane);
  if (newest != in_trail.end() && event->pos <= newest->second) return;
  const auto at =
      std::find_if(open.begin(), open.end(), [&](const OpenConnection& each) { return each.conn == event->conn; });
  if (event->kind == EventKind::kConnOpen) {
    if (at != open.end()) return;
    OpenConnection connection;
    connection.conn = event->conn;
    connection.facts = conn_open_of(event);
    open.push_back(std::move(connection));
    return;
  }
  if (at == open.end()) return;
  const auto channel = at->channels.find(event->chan);
  OpenFlow* flow = event->chan == 0 ? &at->flow : channel == at->channels.end() ? nullptr : &channel->second.flow;
  const auto dir = static_cast<size_t>(event->dir);
  switch (event->kind) {
    case EventKind::kConnClose: open.erase(at); return;
    case EventKind::kChanOpen: at->channels[event->chan].facts = chan_open_of(event); return;
    case EventKind::kChanClose: at->channels.erase(event->chan); return;
    case EventKind::kIdentity: at->user = identity_of(event).user; return;
    case EventKind::kGap:
    case EventKind::kData:
    case EventKind::kMasked:
    case EventKind::kFolded:
      if (flow == nullptr) return;
      flow->offset[dir] += event->len;
      if (event->kind == EventKind::kGap) flow->missing[dir] += event->len;
      return;
    default: return;
  }
}

}  // namespace sidrec
