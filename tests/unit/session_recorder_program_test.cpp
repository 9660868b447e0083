// The recorder program itself, on a ring that the test writes: what comes out is a trail, or goes to a master that the
// test plays. Needs sidrec-recorder beside the test program.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <variant>
#include <vector>

#include "recorder/base/sid_path.h"
#include "recorder/link/messages.h"
#include "recorder/link/socket.h"
#include "tests/unit/ring_producer.h"

namespace sidrec::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

void until(const char* what, const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << what << " did not come about";
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

class SessionRecorderProgram : public testing::Test {
 protected:
  void SetUp() override { configure(R"({"linger_ms": 50})"); }
  void TearDown() override {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  void configure(const std::string& json) { std::ofstream(folder / "config.json") << json; }
  void make_host(uint32_t lane_bytes = ring::kMinLaneBytes) {
    host = std::make_unique<RingProducer>(
        folder, RingShape{.lanes = 2, .lane_bytes = lane_bytes, .config = folder / "config.json"});
  }
  void start() {
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "sidrec-recorder";
    ASSERT_TRUE(std::filesystem::exists(program)) << program << " is not built";
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execl(program.c_str(), program.c_str(), host->path().c_str(), nullptr);
      ::_exit(127);
    }
  }
  int exit_code() {
    int status = -1;
    until("the recorder's end", [&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::vector<std::string> trail_paths() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "audit")) {
      if (entry.path().extension() == ".jsonl") paths.push_back(entry.path());
    }
    return paths;
  }
  // All lines but the seals.
  std::vector<nlohmann::json> trail() const {
    std::vector<nlohmann::json> lines;
    for (const std::string& path : trail_paths()) {
      std::ifstream file(path);
      for (std::string line; std::getline(file, line) && !file.eof();) {
        auto parsed = nlohmann::json::parse(line);
        if (parsed["ev"] != "seal") lines.push_back(std::move(parsed));
      }
    }
    return lines;
  }
  std::vector<std::string> evs() const {
    std::vector<std::string> names;
    for (const auto& line : trail()) names.push_back(line["ev"]);
    return names;
  }
  size_t logs() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      count += entry.path().extension() == ".log";
    }
    return count;
  }
  std::vector<std::string> spool_files() const {
    std::vector<std::string> paths;
    if (!std::filesystem::exists(folder / "spool")) return paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "spool")) paths.push_back(entry.path());
    return paths;
  }

  void open(uint64_t conn = 1) {
    host->put(0, record(ring::kOpen, monotonic_ns(), conn), bytes_of(some_client()));
    host->wake();
  }
  void data(std::string_view bytes, uint64_t conn = 1) {
    host->put(0, record(ring::kData, monotonic_ns(), conn), bytes);
    host->wake();
  }
  void release() {
    host->put(0, record(ring::kRelease, monotonic_ns()), bytes_of(ring::Release{}));
    host->wake();
  }
  // As a host with all the patience in the world.
  void data_when_there_is_room(std::string_view bytes) {
    auto& lane = host->lane(0);
    const size_t needed = ring::record_bytes(bytes.size());
    until("room", [&] { return lane.head + needed - lane.tail <= host->header().lane_bytes; });
    data(bytes);
  }

  Folder folder;
  std::unique_ptr<RingProducer> host;
  pid_t pid_ = 0;
};

using Names = std::vector<std::string>;

TEST_F(SessionRecorderProgram, makes_a_trail_of_a_ring_and_leaves_nothing_else_behind) {
  make_host();
  start();
  open(), data("hello"), release();
  until("the end", [this] { return evs().size() == 5; });
  EXPECT_EQ(evs(), (Names{"session.start", "conn.open", "data", "conn.close", "session.end"}));
  EXPECT_EQ(trail()[1]["client_ip"], "198.51.100.9");
  EXPECT_EQ(trail()[2]["text"], "hello");
  EXPECT_EQ(trail()[4]["why"], "ended");
  host->die();
  EXPECT_EQ(exit_code(), 0);
  EXPECT_FALSE(std::filesystem::exists(host->path()));
  EXPECT_FALSE(std::filesystem::exists(socket_path(folder.path(), "demo")));
  EXPECT_EQ(logs(), 0u);
}

// The host wakes a recorder once for each announced sleep: a wake that is missed while the recorder is still starting
// would be the last.
TEST_F(SessionRecorderProgram, hears_the_first_wake_however_early_it_comes) {
  for (int round = 0; round < 20; ++round) {
    make_host();
    start();
    until("the first sleep", [&] { return host->header().sleep == ring::kDeep; });
    host->put(0, record(ring::kOpen, monotonic_ns(), 1), bytes_of(some_client()));
    if (host->header().sleep.exchange(ring::kAwake) != ring::kAwake) host->wake();
    until("the commit", [&] { return host->lane(0).tail > 0; });
    host->die();
    ASSERT_EQ(exit_code(), 0);
  }
}

TEST_F(SessionRecorderProgram, records_what_a_dead_host_left) {
  make_host();
  open(), data("last words");
  host->die();
  start();
  EXPECT_EQ(exit_code(), 0);
  EXPECT_EQ(evs(), (Names{"session.start", "conn.open", "data", "conn.close", "session.end"}));
  EXPECT_EQ(trail()[3]["why"], "host died");
}

TEST_F(SessionRecorderProgram, only_takes_note_of_sigterm_while_its_host_lives) {
  configure(R"({"linger_ms": 600000})");
  make_host();
  start();
  open(), data("before");
  until("the record", [this] { return evs().size() == 3; });
  ASSERT_EQ(::kill(pid_, SIGTERM), 0);
  data("after");
  until("the record", [this] { return evs().size() == 4; });
  host->die();
  EXPECT_EQ(exit_code(), 0) << "without lingering";
  EXPECT_EQ(evs().back(), "session.end");
}

TEST_F(SessionRecorderProgram, all_room_is_given_back_when_all_is_committed) {
  make_host();
  start();
  open();
  for (int i = 0; i < 200; ++i) data_when_there_is_room(std::string(1000, 'x'));
  until("room", [this] { return host->lane(0).tail == host->lane(0).head; });
  host->die();
  EXPECT_EQ(exit_code(), 0);
  EXPECT_EQ(trail().back()["bytes_in"], 200'000);
  EXPECT_EQ(trail().back()["gaps"], 0);
}

TEST_F(SessionRecorderProgram, a_lane_of_nonsense_is_logged_and_the_rest_recorded) {
  make_host();
  start();
  open(), data("hello");
  host->put(1, record(static_cast<ring::Kind>(77), monotonic_ns()), "nonsense");
  release();
  until("the end", [this] { return evs().size() == 5; });
  host->die();
  EXPECT_EQ(exit_code(), 0);
  EXPECT_EQ(logs(), 1u);
}

TEST_F(SessionRecorderProgram, something_that_is_no_ring_is_refused) {
  make_host();
  host->header().magic = 0;
  start();
  EXPECT_EQ(exit_code(), 3);
}

// The test as the master of the session, who lets the recorder wait.
class SessionRecorderWaits : public SessionRecorderProgram {
 protected:
  void play_master() {
    auto listening = link::listen_at(socket_path(folder.path(), "demo"));
    ASSERT_TRUE(listening) << listening.error().message;
    listener = std::move(*listening);
  }
  void say(const link::Message& message) {
    const auto sent = link::send_message(connection.get(), link::encode(message));
    ASSERT_TRUE(sent && *sent == link::SendResult::kSent);
  }
  // Answers what is there: WELCOME, WAIT or PASS, COMMIT.
  void serve(bool pass) {
    if (!connection) {
      auto accepted = link::accept_one(listener.get());
      ASSERT_TRUE(accepted);
      connection = std::move(*accepted);
      if (!connection) return;
    }
    for (;;) {
      auto received = link::receive_message(connection.get(), buffer);
      ASSERT_TRUE(received);
      if (received->kind != link::Received::Kind::kMessage) return;
      auto message = link::decode(received->datagram);
      ASSERT_TRUE(message) << message.error().message;
      answer(*message, pass);
    }
  }
  void answer(const link::Message& message, bool pass) {
    if (const auto* hello = std::get_if<link::Hello>(&message)) {
      say(link::Welcome{{new_session_id(1), 0, 1}, 1});
      ASSERT_NE(hello->oldest_ns, 0u);
      answer(link::Request{0, link::kFirstBytes, 1, hello->oldest_ns}, pass);
    } else if (const auto* request = std::get_if<link::Request>(&message)) {
      if (request->bytes == 0) return;
      if (pass) {
        say(link::Pass{request->request, request->bytes});
      } else {
        say(link::Wait{request->request, 1});
      }
    } else if (const auto* sent = std::get_if<link::Data>(&message)) {
      take(sent->events);
    } else if (std::holds_alternative<link::Bye>(message)) {
      left = true;
      say(link::ByeAck{});
    }
  }
  void take(std::string_view events) {
    link::Commit commit;
    while (const auto parsed = parse_event(events)) {
      const EventHeader& event = *parsed->event.header;
      if (event.kind == EventKind::kData || event.kind == EventKind::kGap) {
        EXPECT_EQ(event.off, offset);
        offset += event.len;
      }
      if (event.kind == EventKind::kGap) {
        ++gaps;
        EXPECT_EQ(static_cast<GapWhy>(event.why), GapWhy::kSpoolFull);
      }
      if (event.lane != kNoLane) {
        EXPECT_GT(event.pos, last_pos) << "positions grow, or a master would take the event for an old one";
        last_pos = event.pos;
      }
      last_kind = event.kind;
      commit.marks.push_back({event.lane, event.pos});
      events.remove_prefix(parsed->bytes);
    }
    say(commit);
  }
  void fill_many_lanes_while_it_waits() {
    make_host();
    play_master();
    start();
    open();
    until("the hand-over begins", [this] { return serve(false), static_cast<bool>(connection); });
    for (uint64_t written = 0; written < 20 * ring::kMinLaneBytes; written += 1000) {
      auto& lane = host->lane(0);
      until("room", [&] { return serve(false), lane.head + 1040 - lane.tail <= ring::kMinLaneBytes; });
      if (HasFatalFailure()) return;
      data(std::string(1000, 'x'));
      total += 1000;
    }
    release();
  }
  void pass_everything() {
    until("BYE", [this] { return serve(true), left; });
    connection.reset();
    host->die();
    EXPECT_EQ(exit_code(), 0);
    EXPECT_EQ(offset, total);
    EXPECT_EQ(last_kind, EventKind::kConnClose);
    EXPECT_TRUE(spool_files().empty());
    EXPECT_EQ(logs(), 0u);
  }

  UniqueFd listener, connection;
  link::ReceiveBuffer buffer;
  uint64_t offset = 0, total = 0, last_pos = 0;
  size_t gaps = 0;
  EventKind last_kind{};
  bool left = false;
};

TEST_F(SessionRecorderWaits, in_its_spool_file_and_frees_its_ring_and_loses_nothing) {
  fill_many_lanes_while_it_waits();
  ASSERT_FALSE(HasFatalFailure());
  EXPECT_EQ(offset, 0u) << "nothing was passed yet";
  EXPECT_EQ(spool_files().size(), 1u);
  pass_everything();
  EXPECT_EQ(gaps, 0u);
}

TEST_F(SessionRecorderWaits, beyond_the_spools_bound_with_a_gap_in_its_exact_place) {
  configure(R"({"linger_ms": 50, "spool_bytes": 65536})");
  fill_many_lanes_while_it_waits();
  ASSERT_FALSE(HasFatalFailure());
  pass_everything();
  EXPECT_EQ(gaps, 1u);
}

TEST_F(SessionRecorderWaits, and_as_master_itself_writes_what_was_spooled) {
  fill_many_lanes_while_it_waits();
  ASSERT_FALSE(HasFatalFailure());
  listener.reset();
  connection.reset();
  until("the end", [this] { return !trail_paths().empty() && !evs().empty() && evs().back() == "session.end"; });
  host->die();
  EXPECT_EQ(exit_code(), 0);
  EXPECT_EQ(trail().back()["bytes_in"], total);
  EXPECT_EQ(trail().back()["gaps"], 0);
  uint64_t off = 0;
  for (const auto& line : trail()) {
    if (line["ev"] != "data") continue;
    EXPECT_EQ(line["off"], off);
    off += line["len"].get<uint64_t>();
  }
  EXPECT_TRUE(spool_files().empty());
}

}  // namespace
}  // namespace sidrec::test
