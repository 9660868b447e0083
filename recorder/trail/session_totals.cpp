#include "recorder/trail/session_totals.h"

namespace sidrec {

std::set<std::string> TotalsCounter::recorders_at_work() const {
  std::set<std::string> recorders;
  for (const auto& [conn, rec] : open_) recorders.insert(rec);
  return recorders;
}

void TotalsCounter::line(const LineFacts& facts) {
  switch (facts.kind) {
    case LineKind::kData: return data(facts.dir, facts.len);
    case LineKind::kGap: return gap(facts.dir, facts.len);
    case LineKind::kConnOpen: return opened(facts.rec, conn_of(facts.conn).value_or(0));
    case LineKind::kConnClose: return closed(facts.rec, conn_of(facts.conn).value_or(0));
    default:
      if (facts.lane) other();
  }
}

void TotalsCounter::opened(std::string_view rec, uint64_t conn) {
  ++totals_.records;
  const auto any = open_.lower_bound({conn, std::string()});
  if (any == open_.end() || any->first != conn) ++totals_.connections;
  open_.emplace(conn, rec);
}

void TotalsCounter::closed(std::string_view rec, uint64_t conn) {
  ++totals_.records;
  open_.erase({conn, std::string(rec)});
}

}  // namespace sidrec
