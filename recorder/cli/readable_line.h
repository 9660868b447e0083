// A trail line for people: time, connection, direction, what passed. Everything that came from outside goes through
// printable(); colours only where asked for.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace sidrec::cli {

// With its '\n'.
std::string readable_line(const nlohmann::json& line, bool colour);

}  // namespace sidrec::cli
