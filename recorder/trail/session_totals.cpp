#include "recorder/trail/session_totals.h"

namespace sidrec {

std::set<std::string> TotalsCounter::recorders_at_work() const {
  std::set<std::string> recorders;
  for (const auto& [conn, rec] : open_) recorders.insert(rec);
  return recorders;
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
