#include "recorder/cli/table.h"

#include <algorithm>
#include <cstdio>

#include "recorder/cli/printable.h"

namespace sidrec::cli {

void Table::put(Output& output) const {
  std::vector<Row> lines(1);
  for (const Column& column : columns_) lines[0].push_back(column.title);
  lines.insert(lines.end(), rows_.begin(), rows_.end());
  std::vector<size_t> widths(columns_.size());
  for (const Row& row : lines) {
    for (size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  for (const Row& row : lines) {
    std::string line;
    for (size_t i = 0; i < widths.size(); ++i) {
      const bool last = i + 1 == widths.size();
      const std::string padding(widths[i] - columns(row[i]), ' ');
      line += columns_[i].number ? padding + row[i] : last ? row[i] : row[i] + padding;
      line += last ? "\n" : "  ";
    }
    output.put(line);
  }
}

std::string duration_text(uint64_t ms) {
  char text[64];
  const auto seconds = static_cast<unsigned long long>(ms / 1000);
  if (seconds < 60) {
    std::snprintf(text, sizeof text, "%llu.%03us", seconds, static_cast<unsigned>(ms % 1000));
  } else if (seconds < 3600) {
    std::snprintf(text, sizeof text, "%llum%02llus", seconds / 60, seconds % 60);
  } else {
    std::snprintf(text, sizeof text, "%lluh%02llum%02llus", seconds / 3600, seconds / 60 % 60, seconds % 60);
  }
  return text;
}

std::string bytes_text(uint64_t bytes) {
  if (bytes < 10'000) return std::to_string(bytes);
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 999.5 && unit < 4; ++unit) value /= 1024;
  char text[64];
  std::snprintf(text, sizeof text, value < 9.95 ? "%.1f%c" : "%.0f%c", value, " KMGT"[unit]);
  return text;
}

std::string start_text(std::string_view ts) {
  constexpr size_t kSecond = std::string_view("2026-11-23T22:30:00").size();
  return printable(ts.size() < kSecond ? std::string(ts) : std::string(ts.substr(0, kSecond)) + "Z");
}

}  // namespace sidrec::cli
