#include "recorder/main/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <utility>

namespace sidrec {

Log::Log(std::string path, bool debug) : path_(std::move(path)), debug_(debug) {}

Log::~Log() = default;

void Log::write(int level, std::string_view line) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::warn, spdlog::level::err};
  if (failed_) return;
  try {
    if (!logger_) {
      logger_ = std::make_shared<spdlog::logger>("sidrec", std::make_shared<spdlog::sinks::basic_file_sink_st>(path_));
      logger_->set_pattern("%Y-%m-%dT%H:%M:%S.%f %P %^%l%$ %v");
      logger_->set_level(spdlog::level::debug);
      logger_->flush_on(spdlog::level::debug);
      logger_->set_error_handler([](const std::string&) {});
    }
    logger_->log(kLevels[level], line);
  } catch (const spdlog::spdlog_ex&) {
    failed_ = true;  // no file: then nobody can be told
  }
}

}  // namespace sidrec
