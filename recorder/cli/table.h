// What `sidrec ls` and its like list: aligned columns, and figures as a person reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/cli/output.h"

namespace sidrec::cli {

class Table {
 public:
  struct Column {
    std::string title;
    bool number = false;  // aligned to the right
  };
  using Row = std::vector<std::string>;  // one cell for each column, each printable()

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(Row row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  void put(Output& output) const;

 private:
  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

std::string duration_text(uint64_t ms);
std::string bytes_text(uint64_t bytes);
// A line's ts without its microseconds.
std::string start_text(std::string_view ts);

}  // namespace sidrec::cli
