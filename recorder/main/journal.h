// Journal: what a recorder that goes on with a ring must know, and neither the ring nor the trails can be believed
// about: whose ring it is, and which sessions its host's connections belong to. A file beside the ring, of JSON lines,
// that only the recorder's user can write; gone with the ring.
//
//   {"ring_id":…,"program":…,…}               what the ring's header said when it was new
//   {"sid":…,"session":…,"clock_offset_ns":…,"epoch":…}    a session, and its newest state: the last line of a SID
//   counts; the sessions of the lines before it may hold records that are still in the ring
//   {"sid":…,"left":true}      the ring holds nothing of that SID any more
//
// A line that was cut short by the recorder's death says nothing, and loses nothing: what it would have said was not
// acted upon yet.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "recorder/base/result.h"
#include "recorder/base/unique_fd.h"
#include "recorder/ring/ring_file.h"
#include "recorder/store/storage_engine.h"

namespace sidrec {

class Journal {
 public:
  // Opens the one beside `ring_path`, or begins it with `facts`.
  static Result<Journal> open(const std::string& ring_path, const RingFacts& facts);
  // What the one beside `ring_path` says of the ring.
  static std::optional<RingFacts> facts_beside(const std::string& ring_path);
  // Which sessions the one beside `ring_path` names, as far as it can be read.
  static std::map<std::string, SessionIdentity> sessions_beside(const std::string& ring_path);
  // Notes nothing, where none can be made: the recording goes on, its successor knows less.
  Journal() = default;

  // Of a ring that had a recorder before.
  bool is_continued() const { return continued_; }
  const std::map<std::string, SessionIdentity>& sessions() const { return sessions_; }
  // Those of that SID it was in before.
  const std::set<std::string>& before(const std::string& sid) { return before_[sid]; }

  // Before anything of that session is committed.
  Result<void> note(const std::string& sid, const SessionIdentity& session);
  // Everything of that SID has left the ring, and its session is over.
  Result<void> leave(const std::string& sid);
  void remove() const;

 private:
  Journal(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  static Journal beside(const std::string& ring_path);
  off_t read(const std::string& text);
  void keep(const std::string& sid, const SessionIdentity& session);
  void forget(const std::string& sid);
  Result<void> write_line(const std::string& line);

  std::string path_;
  UniqueFd fd_;
  std::optional<RingFacts> facts_;
  std::map<std::string, SessionIdentity> sessions_;
  std::map<std::string, std::set<std::string>> before_;
  bool continued_ = false;
};

}  // namespace sidrec
