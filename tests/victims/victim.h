// What every victim speaks: expectations about libc, and the statement of what it did.
//
// A victim is a small server that does not know it is recorded. It exercises one libc behaviour on connections it
// accepted, says on stdout in JSON which bytes passed, and what it observed of itself; the driver (tests/preload)
// runs it with and without the shim and compares both runs and the trail with the statement.
//
//  1. Every expected call runs with errno set to a mark, which a success must leave alone.
//  2. A failure is printed to stderr at once, so that forked children need no way home but their exit status.
//  3. Only one process of a victim calls finish(); a forked child ends by end_child().
//  4. Statements are in bytes; a gap's offset is the number of bytes of that direction before it.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace victim {

inline constexpr int kUntouchedErrno = 4242;

struct Gap {
  const char* dir;
  uint64_t off;
  uint64_t len;
  const char* why;  // as in the trail: splice, sendfile, discarded
};

// One accepted connection as the victim states it. `fd` is the host's descriptor and is recorded; `client` is the
// client's end, made by connect(2) in the same process, and must never be.
struct Connection {
  int fd = -1;
  int client = -1;
  uint16_t client_port = 0;
  uint16_t server_port = 0;
  std::string client_ip = "127.0.0.1";
  const char* via = "accept";
  const char* complete = "true";  // of conn.close: true, false, or unknown (true or null)
  std::string in, out;            // bytes that passed through memory, without those of the gaps
  uint64_t in_bytes = 0, out_bytes = 0;
  std::vector<Gap> gaps;
  std::vector<uint16_t> ends_before;  // client ports of connections whose first bytes come after this one's close

  void consumed(std::string_view bytes) {
    in += bytes;
    in_bytes += bytes.size();
  }
  void produced(std::string_view bytes) {
    out += bytes;
    out_bytes += bytes.size();
  }
  void consumed_unseen(uint64_t len, const char* why) {
    gaps.push_back({"in", in_bytes, len, why});
    in_bytes += len;
    complete = "false";
  }
  void produced_unseen(uint64_t len, const char* why) {
    gaps.push_back({"out", out_bytes, len, why});
    out_bytes += len;
    complete = "false";
  }

  void client_sends(std::string_view bytes);  // and waits until all of it can be read from fd
  std::string client_receives(size_t size);
  void hang_up();  // closes the client's end

  // The host takes exactly `want` from the client by `call`, which fills `buffer`.
  template <typename Call>
  void takes(const char* what, std::string_view want, const void* buffer, Call call);
  // The host gives exactly `bytes` to the client by `call`; the client receives them.
  template <typename Call>
  void gives(const char* what, std::string_view bytes, Call call);
};

inline std::mutex statement_lock;
inline std::deque<Connection> connections;
inline std::map<std::string, std::string> observations;
inline std::atomic<int> failures{0};

__attribute__((format(printf, 1, 2))) inline void failed(const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int size = std::vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  const size_t end = size < 0 ? 0 : std::min<size_t>(static_cast<size_t>(size), sizeof line - 2);
  line[end] = '\n';
  failures.fetch_add(1);
  if (::write(2, line, end + 1) < 0) failures.fetch_add(1);
}

inline void check(const char* what, bool held) {
  if (!held) failed("%s: does not hold", what);
}

// A fact that the driver compares between the bare and the recorded run.
inline void observed(const char* what, std::string value) { observations[what] = std::move(value); }

// Runs `call`, which must return `want` and leave errno alone.
template <typename Call>
long expect(const char* what, long want, Call call) {
  errno = kUntouchedErrno;
  const long result = static_cast<long>(call());
  const int error = errno;
  if (result != want) {
    failed("%s: returned %ld (errno %d), expected %ld", what, result, error, want);
  } else if (error != kUntouchedErrno) {
    failed("%s: succeeded, but errno became %d", what, error);
  }
  return result;
}

// Runs `call`, which must return -1 with errno `want`.
template <typename Call>
void expect_error(const char* what, int want, Call call) {
  errno = kUntouchedErrno;
  const long result = static_cast<long>(call());
  const int error = errno;
  if (result != -1 || error != want)
    failed("%s: returned %ld, errno %d, expected -1 and %d", what, result, error, want);
}

template <typename Call>
void Connection::takes(const char* what, std::string_view want, const void* buffer, Call call) {
  const long result = expect(what, static_cast<long>(want.size()), call);
  const std::string_view got(static_cast<const char*>(buffer), result > 0 ? static_cast<size_t>(result) : 0);
  if (result == static_cast<long>(want.size()) && got != want) failed("%s: returned other bytes", what);
  consumed(got);
}

template <typename Call>
void Connection::gives(const char* what, std::string_view bytes, Call call) {
  const long result = expect(what, static_cast<long>(bytes.size()), call);
  if (result <= 0) return;
  const auto size = static_cast<size_t>(result);
  produced(bytes.substr(0, size));
  if (client_receives(size) != bytes.substr(0, size)) failed("%s: the client received other bytes", what);
}

inline Connection& state_connection(Connection connection) {
  const std::lock_guard guard(statement_lock);
  return connections.emplace_back(std::move(connection));
}

[[noreturn]] inline void end_child() { ::_exit(failures == 0 ? 0 : 1); }

inline void expect_child_succeeds(const char* what, pid_t child) {
  int status = -1;
  if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) failed("%s: child status %d", what, status);
}

// Bytes of every value, different for each seed.
inline std::string pattern(size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  uint32_t state = seed * 2654435761u + 1;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

inline std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

inline std::string to_json(const Connection& c) {
  std::string json = "{\"client_port\":" + std::to_string(c.client_port) +
                     ",\"server_port\":" + std::to_string(c.server_port) + ",\"client_ip\":\"" + c.client_ip +
                     "\",\"via\":\"" + c.via + "\",\"complete\":\"" + c.complete + "\",\"in\":\"" + hex(c.in) +
                     "\",\"out\":\"" + hex(c.out) + "\",\"gaps\":[";
  for (const Gap& gap : c.gaps) {
    if (&gap != &c.gaps.front()) json += ',';
    json += std::string("{\"dir\":\"") + gap.dir + "\",\"off\":" + std::to_string(gap.off) +
            ",\"len\":" + std::to_string(gap.len) + ",\"why\":\"" + gap.why + "\"}";
  }
  json += "],\"ends_before\":[";
  for (size_t i = 0; i < c.ends_before.size(); ++i) json += (i ? "," : "") + std::to_string(c.ends_before[i]);
  return json + "]}";
}

// Prints the statement; the result is main's.
inline int finish() {
  std::string json = "{\"connections\":[";
  for (const Connection& connection : connections) {
    if (&connection != &connections.front()) json += ",\n";
    json += to_json(connection);
  }
  json += "],\"observed\":{";
  bool first = true;
  for (const auto& [what, value] : observations) {
    json += (first ? "\"" : ",\"") + what + "\":\"" + value + "\"";
    first = false;
  }
  json += "},\"failures\":" + std::to_string(failures.load()) + "}\n";
  std::fwrite(json.data(), 1, json.size(), stdout);
  std::fflush(stdout);
  return failures == 0 ? 0 : 1;
}

}  // namespace victim
