// sidrec verify: whether trails are what their recorders wrote.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "recorder/base/clock.h"
#include "recorder/cli/exit_code.h"
#include "recorder/cli/output.h"
#include "recorder/cli/printable.h"
#include "recorder/cli/progress.h"
#include "recorder/cli/table.h"
#include "recorder/cli/trail_choice.h"
#include "recorder/cli/verbs.h"
#include "recorder/trail/trail_check.h"
#include "recorder/trail/trail_store.h"

namespace sidrec::cli {
namespace {

struct VerifyOptions {
  TrailChoice trail;
  bool all = false;
  std::string public_key;
};

std::string counted(uint64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

std::string seals_of(const TrailCheck& check) {
  if (check.seals == 0) return "no seals";
  const bool all_signed = check.signed_seals == check.seals;
  const std::string signature = check.signed_seals == 0 ? "" : all_signed ? ", signed" : ", some signed";
  return counted(check.seals, "seal") + signature;
}

class Verification {
 public:
  explicit Verification(std::optional<SealPublicKey> key) : key_(key) {}

  void trail(const std::string& path) {
    auto reader = TrailReader::open(path);
    if (!reader) return unreadable(reader.error());
    const TrailFile file = trail_file(path);
    const bool was_live = is_live(file);
    const auto check = read(*reader);
    if (!check) return unreadable(check.error());
    // It may have begun or ended meanwhile.
    const bool live = !check->ended && (was_live || is_live(file));
    const std::string wrong = fault_of(*check, live);
    if (!wrong.empty()) code_ = kIncomplete;
    output_.put(wrong.empty() ? "ok     " + printable(path) + ": " + facts(*check) + "\n"
                              : "wrong  " + printable(wrong) + "\n");
    output_.flush();
  }

  int finish() { return std::max(code_, output_.finish()); }

 private:
  Result<TrailCheck> read(TrailReader& reader) const {
    const auto size = reader.bytes().size();
    if (!size) return size.error();
    Progress progress(printable(reader.path()), *size, clock_ns(CLOCK_MONOTONIC));
    return check_trail(reader, key_ ? &*key_ : nullptr,
                       [&progress](uint64_t bytes) { progress.at(bytes, clock_ns(CLOCK_MONOTONIC)); });
  }

  static std::string facts(const TrailCheck& check) {
    const std::string all = counted(check.lines, "line") + ", " + counted(check.bytes, "byte") + ", " + seals_of(check);
    if (check.ended) return all + ", ended";
    if (check.unsealed_bytes == 0) return all + ", live";
    return all + ", live, its last " + counted(check.unsealed_bytes, "byte") + " not sealed yet";
  }

  void unreadable(const Error& error) {
    if (error.code != EBADMSG) {
      code_ = std::max<int>(code_, fail(error.message));
      return;
    }
    code_ = kIncomplete;  // compressed, and changed since
    output_.put("wrong  " + printable(error.message) + "\n");
  }

  const std::optional<SealPublicKey> key_;
  Output output_;
  int code_ = kOk;
};

Result<std::vector<std::string>> paths_of(const VerifyOptions& options) {
  if (!options.all) {
    auto path = path_of(options.trail);
    if (!path) return path.error();
    return std::vector{*path};
  }
  return all_paths_of(options.trail);
}

int verify(const VerifyOptions& options) {
  std::optional<SealPublicKey> key;
  if (!options.public_key.empty()) {
    auto loaded = SealPublicKey::load(options.public_key);
    if (!loaded) return fail(loaded.error().message);
    key = *loaded;
  }
  const auto paths = paths_of(options);
  if (!paths) return fail(paths.error().message);
  Verification verification(key);
  for (const std::string& path : *paths) verification.trail(path);
  return verification.finish();
}

}  // namespace

Verb add_verify(CLI::App& app) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* verb = app.add_subcommand("verify", "Check that trails are what their recorders wrote");
  add_trail_choice(*verb, options->trail);
  verb->add_flag("--all", options->all, "Every session of the store, or of the SID");
  verb->add_option("--public-key", options->public_key,
                   "The public half (PEM) of the key that the seals must be signed with");
  verb->footer(
      "\nChecks every seal, that lines and bytes follow each other without a hole, and the session's sums; a wrong "
      "trail\n"
      "is named with its first line that is wrong. A live trail is ok as far as its last seal. One that has ended and "
      "is\n"
      "not sealed to its last byte is not ok, nor is one that has not ended and that nobody writes.\n"
      "\nExamples:\n"
      "  sidrec verify\n"
      "  sidrec verify alice@203.0.113.7 --all\n"
      "  sidrec verify --all --public-key /etc/sidrec-seal.pub\n" +
      std::string(kExitCodes));
  return {verb, [options] { return verify(*options); }};
}

}  // namespace sidrec::cli
