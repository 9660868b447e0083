// Log: what a recorder says of its own doings, in <run_dir>/recorder-<ring id>.log. Quiet by default: the file appears
// with the first line that is to be kept, so that a recorder that had nothing to say leaves nothing behind.
// One thread. Never to stdout or stderr: those may be somebody's connection.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace sidrec {

class Log {
 public:
  // `debug`: everything, else warnings and errors.
  Log(std::string path, bool debug);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool is_debugging() const { return debug_; }
  void debug(std::string_view line) {
    if (debug_) write(0, line);
  }
  void warn(std::string_view line) { write(1, line); }
  void error(std::string_view line) { write(2, line); }

 private:
  void write(int level, std::string_view line);

  std::string path_;
  bool debug_;
  bool failed_ = false;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace sidrec
