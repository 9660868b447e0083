#include "recorder/main/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace sidrec {
namespace {

using nlohmann::json;

// Template and environment may be any bytes: as Latin-1, a byte a character, they survive.
std::string as_text(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xc0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return text;
}

std::string as_bytes(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80 || i + 1 == text.size()) {
      bytes += text[i];
    } else {
      bytes += static_cast<char>((byte & 0x03) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f));
    }
  }
  return bytes;
}

json json_of(const RingFacts& facts) {
  return {{"ring_id", facts.ring_id},
          {"lanes", facts.lanes},
          {"lane_bytes", facts.lane_bytes},
          {"host_pid", facts.host_pid},
          {"program", as_text(facts.program)},
          {"sid_source", as_text(facts.sid_source)},
          {"sid_template", as_text(facts.sid_template)},
          {"audit_dir", as_text(facts.audit_dir)},
          {"run_dir", as_text(facts.run_dir)},
          {"config", as_text(facts.config)},
          {"env", as_text(facts.env)}};
}

RingFacts facts_of(const json& line) {
  const auto text = [&line](const char* key) { return as_bytes(line.value(key, std::string())); };
  return {line.value("lanes", 0u),
          line.value("lane_bytes", 0u),
          line.value("host_pid", 0u),
          text("ring_id"),
          text("program"),
          text("sid_source"),
          text("sid_template"),
          text("audit_dir"),
          text("run_dir"),
          text("config"),
          text("env")};
}

std::string path_beside(const std::string& ring_path) { return ring_path + ".journal"; }

std::string contents_of(int fd) {
  std::string text;
  char part[4096];
  for (ssize_t got; (got = ::pread(fd, part, sizeof part, static_cast<off_t>(text.size()))) > 0;) {
    text.append(part, static_cast<size_t>(got));
  }
  return text;
}

}  // namespace

// The bytes of its whole lines.
off_t Journal::read(const std::string& text) {
  off_t whole = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && !lines.eof(); whole += static_cast<off_t>(line.size() + 1)) {
    try {
      const json said = json::parse(line);
      if (said.contains("ring_id")) {
        facts_ = facts_of(said);
      } else if (said.contains("left")) {
        forget(as_bytes(said.at("sid").get<std::string>()));
      } else if (said.contains("sid")) {
        keep(
            as_bytes(said.at("sid").get<std::string>()),
            {said.value("session", std::string()), said.value("clock_offset_ns", int64_t{0}), said.value("epoch", 0u)});
      }
    } catch (const json::exception&) {
      // a line that is not ours says nothing
    }
  }
  return whole;
}

void Journal::keep(const std::string& sid, const SessionIdentity& session) {
  SessionIdentity& now = sessions_[sid];
  if (!now.session.empty() && now.session != session.session) before_[sid].insert(now.session);
  now = session;
}

void Journal::forget(const std::string& sid) {
  sessions_.erase(sid);
  before_.erase(sid);
}

Journal Journal::beside(const std::string& ring_path) {
  const UniqueFd fd(::open(path_beside(ring_path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  Journal journal;
  if (fd) journal.read(contents_of(fd.get()));
  return journal;
}

std::optional<RingFacts> Journal::facts_beside(const std::string& ring_path) { return beside(ring_path).facts_; }

std::map<std::string, SessionIdentity> Journal::sessions_beside(const std::string& ring_path) {
  return beside(ring_path).sessions_;
}

Result<Journal> Journal::open(const std::string& ring_path, const RingFacts& facts) {
  const std::string path = path_beside(ring_path);
  Journal journal(path, UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)));
  if (!journal.fd_) return errno_error("cannot make " + path);
  const off_t whole = journal.read(contents_of(journal.fd_.get()));
  // Behind a torn line nothing could be read.
  if (::ftruncate(journal.fd_.get(), whole) != 0 || ::lseek(journal.fd_.get(), whole, SEEK_SET) != whole) {
    return errno_error("cannot use " + path);
  }
  journal.continued_ = journal.facts_.has_value();
  if (journal.continued_) return journal;
  journal.facts_ = facts;
  if (auto begun = journal.write_line(json_of(facts).dump()); !begun) return begun.error();
  return journal;
}

Result<void> Journal::write_line(const std::string& line) {
  if (!fd_) return {};
  const std::string whole = line + "\n";
  if (::write(fd_.get(), whole.data(), whole.size()) == static_cast<ssize_t>(whole.size())) return {};
  return errno_error("cannot write " + path_, errno == 0 ? ENOSPC : errno);
}

Result<void> Journal::note(const std::string& sid, const SessionIdentity& session) {
  const auto known = sessions_.find(sid);
  if (known != sessions_.end() && known->second.session == session.session && known->second.epoch == session.epoch) {
    return {};
  }
  keep(sid, session);
  return write_line(json{
      {"sid", as_text(sid)},
      {"session", session.session},
      {"clock_offset_ns", session.clock_offset_ns},
      {"epoch",
       session.epoch}}.dump());
}

Result<void> Journal::leave(const std::string& sid) {
  if (!sessions_.contains(sid)) return {};
  forget(sid);
  return write_line(json{{"sid", as_text(sid)}, {"left", true}}.dump());
}

void Journal::remove() const {
  if (fd_) ::unlink(path_.c_str());
}

}  // namespace sidrec
