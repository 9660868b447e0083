#include "recorder/trail/open_connections.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "recorder/trail/line_facts.h"
#include "recorder/trail/reader.h"

namespace sidrec {
namespace {

using nlohmann::json;

template <size_t N>
void copy_text(char (&to)[N], const std::string& from) {
  std::memcpy(to, from.data(), std::min(from.size(), N - 1));
}

uint8_t read_address(const std::string& text, uint8_t (&address)[16]) {
  if (::inet_pton(AF_INET, text.c_str(), address) == 1) return AF_INET;
  return ::inet_pton(AF_INET6, text.c_str(), address) == 1 ? AF_INET6 : 0;
}

Via via_of(const std::string& word) {
  constexpr std::pair<const char*, Via> kWords[] = {
      {"accept", Via::kAccept}, {"inherited", Via::kInherited}, {"passed", Via::kPassed}, {"connect", Via::kConnect}};
  for (const auto& [each, via] : kWords) {
    if (word == each) return via;
  }
  return Via::kUnknown;
}

ChanKind kind_of(const std::string& word) {
  constexpr std::pair<const char*, ChanKind> kWords[] = {
      {"pty", ChanKind::kPty}, {"exec", ChanKind::kExec}, {"agent", ChanKind::kAgent}, {"x11", ChanKind::kX11}};
  for (const auto& [each, kind] : kWords) {
    if (word == each) return kind;
  }
  return ChanKind::kForward;
}

ConnOpen conn_open_of(const json& line) {
  ConnOpen open{};
  open.family = read_address(string_at(line, "client_ip"), open.client_addr);
  read_address(string_at(line, "server_ip"), open.server_addr);
  open.client_port = static_cast<uint16_t>(number_at(line, "client_port"));
  open.server_port = static_cast<uint16_t>(number_at(line, "server_port"));
  open.pid = static_cast<uint32_t>(number_at(line, "pid"));
  open.via = via_of(string_at(line, "via"));
  open.counted = string_at(line, "content") == "counted";
  copy_text(open.program, string_at(line, "program"));
  copy_text(open.sid_source, string_at(line, "sid_source"));
  return open;
}

ChanOpen chan_open_of(const json& line) {
  ChanOpen open{};
  open.kind = kind_of(string_at(line, "kind"));
  open.via = via_of(string_at(line, "via"));
  open.family = read_address(string_at(line, "peer_ip"), open.peer_addr);
  open.peer_port = static_cast<uint16_t>(number_at(line, "peer_port"));
  open.pid = static_cast<uint32_t>(number_at(line, "pid"));
  open.counted = string_at(line, "content") == "counted";
  return open;
}

class OpenOnes {
 public:
  OpenOnes(std::string_view rec, const CountsLine& counts) : rec_(rec), counts_(counts) {}

  void line(const TrailReader& reader) {
    if (!facts_.read(reader.line(), line_) || !line_.lane || (!rec_.empty() && line_.rec != rec_)) return;
    if (*line_.lane != kNoLane) found_.in_trail[*line_.lane] = line_.pos;
    if (!counts_(*line_.lane, line_.pos)) return;
    const auto conn = conn_of(line_.conn);
    if (!conn) return;
    if (line_.kind == LineKind::kConnOpen) return open(*conn, reader);
    const auto at = find(*conn);
    if (at == found_.open.end()) return;
    switch (line_.kind) {
      case LineKind::kData:
      case LineKind::kGap: return pass(*at);
      case LineKind::kConnClose: found_.open.erase(at); return;
      case LineKind::kChanOpen: return open_channel(*at, reader);
      case LineKind::kChanClose: at->channels.erase(channel()); return;
      case LineKind::kIdentity: return identify(*at, reader);
      default: return;
    }
  }

  OpenConnections found_;

 private:
  using Iterator = std::vector<OpenConnection>::iterator;

  Iterator find(uint64_t conn) {
    return std::find_if(found_.open.begin(), found_.open.end(),
                        [&](const OpenConnection& each) { return each.conn == conn && each.rec == line_.rec; });
  }

  uint64_t channel() const { return std::strtoull(std::string(line_.chan).c_str(), nullptr, 16); }

  void open(uint64_t conn, const TrailReader& reader) {
    const auto parsed = reader.parsed();
    if (!parsed || find(conn) != found_.open.end()) return;
    OpenConnection connection;
    connection.conn = conn;
    connection.rec = line_.rec;
    connection.facts = conn_open_of(*parsed);
    found_.open.push_back(std::move(connection));
  }

  void open_channel(OpenConnection& connection, const TrailReader& reader) {
    if (const auto parsed = reader.parsed()) connection.channels[channel()].facts = chan_open_of(*parsed);
  }

  void identify(OpenConnection& connection, const TrailReader& reader) {
    const auto parsed = reader.parsed();
    if (!parsed) return;
    connection.user = string_at(*parsed, "user");
    connection.uid_told = parsed->contains("uid");
  }

  void pass(OpenConnection& connection) {
    OpenFlow* flow = &connection.flow;
    if (!line_.chan.empty()) {
      const auto at = connection.channels.find(channel());
      if (at == connection.channels.end()) return;
      flow = &at->second.flow;
    }
    const auto dir = static_cast<size_t>(line_.dir);
    flow->offset[dir] += line_.len;
    if (line_.kind == LineKind::kGap) flow->missing[dir] += line_.len;
  }

  std::string_view rec_;
  const CountsLine& counts_;
  LineFactsReader facts_;
  LineFacts line_;
};

}  // namespace

Result<OpenConnections> open_connections(const std::string& file, std::string_view rec, const CountsLine& counts) {
  auto reader = TrailReader::open(file);
  if (!reader) return reader.error();
  OpenOnes ones(rec, counts);
  while (true) {
    const auto more = reader->next();
    if (!more) return more.error();
    if (!*more) break;
    ones.line(*reader);
  }
  return ones.found_;
}

}  // namespace sidrec
