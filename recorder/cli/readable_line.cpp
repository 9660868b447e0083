#include "recorder/cli/readable_line.h"

#include <functional>
#include <string_view>

#include "recorder/cli/painter.h"
#include "recorder/cli/printable.h"
#include "recorder/trail/reader.h"

namespace sidrec::cli {
namespace {

// Of one data line; the rest is for --json or `sidrec cat`.
constexpr size_t kShownBytes = 4096;

// What tells connections apart: none of the colours that mean something.
constexpr std::string_view kConnColours[] = {"34", "35", "94", "95", "96", "93"};

std::string text_at(const nlohmann::json& line, const char* key) { return printable(string_at(line, key)); }
std::string count_at(const nlohmann::json& line, const char* key) { return std::to_string(number_at(line, key)); }

// "2026-11-23T22:30:00.000098Z" -> "22:30:00.000098"
std::string time_of(const nlohmann::json& line) {
  const std::string ts = string_at(line, "ts");
  return printable(ts.size() == 27 ? std::string_view(ts).substr(11, 15) : std::string_view(ts));
}

std::string endpoint(const nlohmann::json& line, const char* ip_key, const char* port_key) {
  const std::string ip = text_at(line, ip_key);
  if (ip.empty()) return "?";
  return (ip.find(':') == std::string::npos ? ip : "[" + ip + "]") + ":" + count_at(line, port_key);
}

std::string arrow(const nlohmann::json& line, const Painter& paint) {
  const std::string dir = string_at(line, "dir");
  return dir == "in" ? paint(kGreen, "→") : dir == "out" ? paint(kCyan, "←") : paint(kYellow, "⇐");
}

std::string data_text(const nlohmann::json& line, const Painter& paint) {
  if (line.contains("masked"))
    return arrow(line, paint) + " " + paint(kDim, count_at(line, "masked") + " bytes masked");
  if (line.contains("folded"))
    return arrow(line, paint) + " " + paint(kDim, count_at(line, "folded") + " bytes folded");
  const auto payload = payload_of(line);
  return arrow(line, paint) + " " + (payload ? printable(*payload, kShownBytes) : paint(kRed, "(bytes unreadable)"));
}

std::string open_text(const nlohmann::json& line, const Painter& paint) {
  std::string text = paint(kBold, "open") + " " + endpoint(line, "client_ip", "client_port") + " → " +
                     endpoint(line, "server_ip", "server_port");
  if (line.contains("program")) text += ", " + text_at(line, "program") + "[" + count_at(line, "pid") + "]";
  const std::string via = string_at(line, "via");
  return via.empty() || via == "accept" ? text : text + ", " + printable(via);
}

std::string close_text(const nlohmann::json& line, const Painter& paint) {
  std::string text =
      paint(kBold, "close") + " in " + count_at(line, "bytes_in") + ", out " + count_at(line, "bytes_out") + " bytes, ";
  const auto complete = line.find("complete");
  if (complete == line.end() || !complete->is_boolean()) {
    text += "completeness unknown";
  } else {
    text += complete->get<bool>() ? "complete" : paint(kRed, "INCOMPLETE");
  }
  return text + ", " + text_at(line, "why");
}

std::string chan_open_text(const nlohmann::json& line, const Painter& paint) {
  std::string text = paint(kBold, text_at(line, "kind"));
  if (line.contains("tty")) text += " on " + text_at(line, "tty");
  if (line.contains("peer_ip")) text += " " + text_at(line, "via") + " " + endpoint(line, "peer_ip", "peer_port");
  return line.contains("content") ? text + ", counted only" : text;
}

std::string chan_close_text(const nlohmann::json& line, const Painter& paint) {
  std::string text = paint(kBold, "end") + " in " + count_at(line, "bytes_in") + ", out " + count_at(line, "bytes_out");
  if (number_at(line, "bytes_err") > 0) text += ", err " + count_at(line, "bytes_err");
  return text + " bytes";
}

std::string identity_text(const nlohmann::json& line, const Painter& paint) {
  std::string text = "is user " + paint(kBold, text_at(line, "user"));
  if (line.contains("uid")) text += ", uid " + count_at(line, "uid");
  return text + ", by " + text_at(line, "how");
}

std::string gap_text(const nlohmann::json& line, const Painter& paint) {
  return arrow(line, paint) + " " +
         paint(kRed, "GAP of " + count_at(line, "len") + " bytes at offset " + count_at(line, "off")) + ", " +
         text_at(line, "why");
}

std::string transfer_text(const nlohmann::json& line, const Painter& paint) {
  std::string text = arrow(line, paint) + " " + paint(kBold, text_at(line, "protocol")) + " ";
  if (line.contains("name")) text += text_at(line, "name") + ", ";
  text += count_at(line, "len") + " bytes, sha256 " + text_at(line, "sha256");
  const auto finished = line.find("finished");
  return finished != line.end() && *finished == true ? text : text + paint(kRed, ", not finished");
}

std::string start_text(const nlohmann::json& line, const Painter& paint) {
  return paint(kBold, "session " + text_at(line, "sid")) + " started " +
         printable(string_at(line, "ts").substr(0, 10)) + " (UTC) on " + text_at(line, "host") + ", id " +
         text_at(line, "session");
}

std::string end_text(const nlohmann::json& line, const Painter& paint) {
  return paint(kBold, "session " + text_at(line, "why")) + ": " + count_at(line, "connections") + " connections, in " +
         count_at(line, "bytes_in") + ", out " + count_at(line, "bytes_out") + " bytes, " + count_at(line, "gaps") +
         " gaps, " + count_at(line, "duration_ms") + " ms";
}

std::string change_text(const nlohmann::json& line, const Painter& paint) {
  return paint(kYellow, "master") + " " + text_at(line, "from") + " → " + text_at(line, "to") + ", " +
         text_at(line, "why") + ", " + count_at(line, "repaired_bytes") + " bytes of a torn line cut";
}

std::string seal_text(const nlohmann::json& line, const Painter& paint) {
  return paint(kDim, "sealed" + std::string(line.contains("sig") ? ", signed" : "") + ": " + text_at(line, "hash"));
}

std::string what_happened(const nlohmann::json& line, const Painter& paint) {
  const std::string ev = string_at(line, "ev");
  if (ev == "data") return data_text(line, paint);
  if (ev == "conn.open") return open_text(line, paint);
  if (ev == "conn.close") return close_text(line, paint);
  if (ev == "gap") return gap_text(line, paint);
  if (ev == "chan.open") return chan_open_text(line, paint);
  if (ev == "chan.close") return chan_close_text(line, paint);
  if (ev == "identity") return identity_text(line, paint);
  if (ev == "tty.resize") return "terminal " + count_at(line, "cols") + "x" + count_at(line, "rows");
  if (ev == "transfer") return transfer_text(line, paint);
  if (ev == "session.start") return start_text(line, paint);
  if (ev == "session.end") return end_text(line, paint);
  if (ev == "master.change") return change_text(line, paint);
  if (ev == "store.full") return paint(kRed, "nothing could be written any more") + ": " + text_at(line, "why");
  if (ev == "store.room") return paint(kYellow, "could be written again");
  if (ev == "seal") return seal_text(line, paint);
  // A later version's: as it is.
  return printable(line.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace), kShownBytes);
}

}  // namespace

std::string readable_line(const nlohmann::json& line, bool colour) {
  const Painter paint(colour);
  const std::string conn = text_at(line, "conn");
  std::string text = paint(kDim, time_of(line)) + "  ";
  if (!conn.empty()) {
    text += paint(kConnColours[std::hash<std::string>{}(conn) % std::size(kConnColours)], conn) + "  ";
  }
  if (line.contains("chan")) text += paint(kDim, text_at(line, "chan")) + "  ";
  text += what_happened(line, paint);
  const auto late = line.find("late");
  if (late != line.end() && *late == true) text += paint(kYellow, "  (late)");
  return text + "\n";
}

}  // namespace sidrec::cli
