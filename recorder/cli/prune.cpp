// sidrec prune: the store's limits. Removes trails of sessions that have ended and writes down which; compresses what
// is written no more.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "recorder/base/clock.h"
#include "recorder/base/settings.h"
#include "recorder/base/sid_path.h"
#include "recorder/base/unique_fd.h"
#include "recorder/cli/compress.h"
#include "recorder/cli/exit_code.h"
#include "recorder/cli/output.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/quantity.h"
#include "recorder/cli/store_location.h"
#include "recorder/cli/stored_trail.h"
#include "recorder/cli/table.h"
#include "recorder/cli/verbs.h"
#include "recorder/trail/timestamp.h"

namespace sidrec::cli {
namespace {

struct PruneOptions {
  StoreOptions store;
  std::string older_than, max_size;
  bool compress = false;
  bool dry_run = false;
};

std::string timestamp_now() {
  std::array<char, kTimestampLength> ts;
  TimestampWriter().write(ts.data(), clock_ns(CLOCK_REALTIME));
  return {ts.data(), ts.size()};
}

// <audit_dir>/.pruned.jsonl: one line for each trail that was removed, written before it is. No SID's directory can
// have this name. Holding it open keeps a second prune out.
class RemovalRecord {
 public:
  static Result<RemovalRecord> open(const std::string& audit_dir) {
    RemovalRecord record(audit_dir + "/.pruned.jsonl");
    constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_DSYNC | O_CLOEXEC | O_NOFOLLOW;
    record.fd_.reset(::open(record.path_.c_str(), kFlags, 0640));
    if (!record.fd_) return errno_error("cannot write " + record.path_);
    if (::flock(record.fd_.get(), LOCK_EX | LOCK_NB) != 0) return Error{"another sidrec prune is at work there"};
    // Made by root, it is still for those who may read the trails.
    struct stat store {};
    if (::stat(audit_dir.c_str(), &store) == 0 && ::geteuid() == 0) {
      if (::fchown(record.fd_.get(), store.st_uid, store.st_gid) != 0)
        return errno_error("cannot write " + record.path_);
    }
    return record;
  }

  Result<void> note(const StoredTrail& stored, const char* why, const std::string& limit) {
    nlohmann::ordered_json line = {{"ev", "pruned"},
                                   {"ts", timestamp_now()},
                                   {"sid", stored.sid},
                                   {"session", stored.trail.session},
                                   {"file", stored.trail.path()},
                                   {"segments", stored.files.size()},
                                   {"bytes", stored.bytes},
                                   {"ended", stored.ended}};
    if (!stored.hash.empty()) line["hash"] = stored.hash;
    line.update({{"why", why}, {"limit", limit}, {"uid", ::getuid()}});
    const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    if (::write(fd_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
    return errno_error("cannot write " + path_);
  }

 private:
  explicit RemovalRecord(std::string path) : path_(std::move(path)) {}

  std::string path_;
  UniqueFd fd_;
};

class Pruning {
 public:
  Pruning(const PruneOptions& options, std::string audit_dir) : options_(options), audit_dir_(std::move(audit_dir)) {}

  int run(RetentionLimits limits, bool compresses) {
    if (auto opened = open_record(); !opened) return fail(opened.error().message);
    if (auto seen = look(); !seen) return fail(seen.error().message);
    // By age first: what goes need not be compressed; by size last, when it is known what is won.
    remove({limits.older_than_s, std::nullopt});
    if (compresses) compress();
    remove({std::nullopt, limits.max_bytes});
    return std::max(code_, output_.finish());
  }

 private:
  Result<void> open_record() {
    if (options_.dry_run) return {};
    auto record = RemovalRecord::open(audit_dir_);
    if (!record) return record.error();
    record_.emplace(std::move(*record));
    return {};
  }

  Result<void> look() {
    const auto found = trails_of_store(audit_dir_);
    if (!found) return found.error();
    for (const TrailFile& trail : *found) {
      auto stored = look_at(trail);
      if (stored)
        trails_.push_back(std::move(*stored));
      else
        complain_of(stored.error());
    }
    return {};
  }

  void remove(const RetentionLimits& limits) {
    auto removals = choose_removals(trails_, limits, clock_ns(CLOCK_REALTIME));
    for (const Removal& removal : removals) {
      StoredTrail& stored = trails_[removal.index];
      const std::string& limit = limits.max_bytes ? options_.max_size : options_.older_than;
      if (!options_.dry_run && !remove_one(stored, removal.why, limit)) continue;
      output_.put(done("removed", "would remove") + printable(stored.trail.path()) + ": ended " +
                  start_text(stored.ended) + ", " + bytes_text(stored.bytes) + " bytes, for its " + removal.why + "\n");
      stored.files.clear();
    }
    std::erase_if(trails_, [](const StoredTrail& stored) { return stored.files.empty(); });
  }

  // The first segment first: what a death leaves of it is still a trail that has ended, and the next prune's.
  bool remove_one(const StoredTrail& stored, const char* why, const std::string& limit) {
    if (auto noted = record_->note(stored, why, limit); !noted) {
      complain_of(noted.error());
      return false;
    }
    for (const std::string& file : stored.files) {
      // Both, where one who compressed it has died.
      const std::string twin = file + std::string(kCompressedSuffix);
      if (is_gone(file) && is_gone(twin)) continue;
      complain_of(errno_error("cannot remove " + file));
      return false;
    }
    return true;
  }

  static bool is_gone(const std::string& file) { return ::unlink(file.c_str()) == 0 || errno == ENOENT; }

  void compress() {
    for (StoredTrail& stored : trails_) {
      for (size_t index = 0; index < stored.files.size(); ++index) {
        const bool closed = stored.has_ended() || index + 1 < stored.files.size();
        std::string& file = stored.files[index];
        if (!closed || file.ends_with(kCompressedSuffix)) continue;
        compress_one(file);
      }
      stored.bytes = bytes_of(stored.files);
    }
  }

  void compress_one(std::string& file) {
    const uint64_t before = bytes_of({file});
    if (before == 0) return;
    if (!options_.dry_run) {
      if (auto compressed = compress_file(file); !compressed) return complain_of(compressed.error());
    }
    output_.put(done("compressed", "would compress") + printable(file) + ": " + bytes_text(before) + " bytes");
    if (!options_.dry_run) {
      file += kCompressedSuffix;
      output_.put(" now " + bytes_text(bytes_of({file})));
    }
    output_.put("\n");
  }

  std::string done(const std::string& was, const std::string& would_be) const {
    return (options_.dry_run ? would_be : was) + "  ";
  }

  void complain_of(const Error& error) { code_ = fail(error.message); }

  const PruneOptions& options_;
  const std::string audit_dir_;
  std::optional<RemovalRecord> record_;
  std::vector<StoredTrail> trails_;
  Output output_;
  int code_ = kOk;
};

int prune(const PruneOptions& options) {
  RetentionLimits limits;
  if (!options.older_than.empty() && !(limits.older_than_s = seconds_in(options.older_than))) {
    return fail("--older-than is a number and a unit, as 30d: not " + printable(options.older_than), kUsage);
  }
  if (!options.max_size.empty() && !(limits.max_bytes = bytes_in(options.max_size))) {
    return fail("--max-size is a number and a unit, as 10G: not " + printable(options.max_size), kUsage);
  }
  const auto store = locate_store(options.store);
  if (!store) return fail(store.error().message);
  const bool compresses = options.compress || load_settings(store->config).settings.compress;
  if (!limits.older_than_s && !limits.max_bytes && !compresses) {
    return fail("nothing to do: give --older-than, --max-size or --compress (see \"sidrec prune --help\")", kUsage);
  }
  return Pruning(options, store->audit_dir).run(limits, compresses);
}

}  // namespace

Verb add_prune(CLI::App& app) {
  auto options = std::make_shared<PruneOptions>();
  CLI::App* verb = app.add_subcommand("prune", "Remove old trails, compress what is written no more");
  verb->add_option("--older-than", options->older_than, "Remove sessions that ended longer ago: 30d (s, m, h, d, w)");
  verb->add_option("--max-size", options->max_size,
                   "Then remove the oldest until the store is no larger: 10G (K, M, G, T)");
  verb->add_flag("--compress", options->compress, "Compress whole segments (default: the setting \"compress\")");
  verb->add_flag("--dry-run", options->dry_run, "Only say what would be done");
  add_store_options(*verb, options->store);
  verb->footer(
      "\nOnly sessions that have ended are removed. What was removed, why, and the hash of its last seal, is a line "
      "in\n"
      ".pruned.jsonl in the store.\n"
      "\nExamples:\n"
      "  sidrec prune --older-than 30d --max-size 10G --dry-run\n"
      "  sidrec prune --older-than 1w --compress\n" +
      std::string(kExitCodes));
  return {verb, [options] { return prune(*options); }};
}

}  // namespace sidrec::cli
