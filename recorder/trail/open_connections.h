// What is open in a trail, by its lines: for the recorder that goes on with a ring, and for who ends a session that
// nobody else can end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/event/open_connection.h"

namespace sidrec {

// Whether a line counts, by the record of the ring that has caused it (kNoLane: none has). One that does not will be
// told again.
using CountsLine = std::function<bool(uint32_t lane, uint64_t pos)>;

// Those of one recorder, `rec`, or with "" of all. Reads the whole file, as trail_scan.h does.
Result<OpenConnections> open_connections(const std::string& file, std::string_view rec, const CountsLine& counts);

}  // namespace sidrec
