#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <filesystem>

#include "recorder/link/messages.h"
#include "recorder/link/socket.h"

namespace sidrec::link {
namespace {

namespace fs = std::filesystem;

class LinkSocket : public testing::Test {
 protected:
  LinkSocket() {
    char name[] = "/tmp/sidrec-link-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~LinkSocket() override { fs::remove_all(directory_); }

  std::string path(const std::string& name = "s.sock") const { return directory_ + "/" + name; }

  // A listener and one connection to it. All of it is done when connect returns: unix sockets need no waiting.
  void join() {
    auto listener = listen_at(path());
    ASSERT_TRUE(listener) << listener.error().message;
    listener_ = std::move(*listener);
    auto slave = connect_to(path());
    ASSERT_EQ(slave.result, ConnectResult::kConnected) << slave.error.message;
    slave_ = std::move(slave.fd);
    auto master = accept_one(listener_.get());
    ASSERT_TRUE(master) << master.error().message;
    master_ = std::move(*master);
    ASSERT_TRUE(master_);
  }
  std::string receive(int fd) {
    auto received = receive_message(fd, buffer_);
    if (!received) return "error: " + received.error().message;
    if (received->kind == Received::Kind::kAgain) return "again";
    if (received->kind == Received::Kind::kEnd) return "end";
    return std::string(received->datagram);
  }

  std::string directory_;
  UniqueFd listener_, slave_, master_;
  ReceiveBuffer buffer_;
};

TEST_F(LinkSocket, a_missing_path_is_absent_and_a_stale_one_refused) {
  EXPECT_EQ(connect_to(path()).result, ConnectResult::kAbsent);
  EXPECT_EQ(connect_to(path("no/such/directory")).result, ConnectResult::kAbsent);
  auto listener = listen_at(path());
  ASSERT_TRUE(listener);
  listener->reset();
  EXPECT_TRUE(fs::exists(path()));
  EXPECT_EQ(connect_to(path()).result, ConnectResult::kRefused);
}

TEST_F(LinkSocket, a_path_of_another_kind_is_nobodys_and_told) {
  UniqueFd stream(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path().copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(stream.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(::listen(stream.get(), 1), 0);
  const auto outcome = connect_to(path());
  EXPECT_EQ(outcome.result, ConnectResult::kRefused);
  EXPECT_NE(outcome.error.message.find(path()), std::string::npos);
}

TEST_F(LinkSocket, a_full_backlog_says_again) {
  // listen(2) again with a smaller backlog changes it.
  auto listener = listen_at(path());
  ASSERT_TRUE(listener);
  ASSERT_EQ(::listen(listener->get(), 0), 0);
  EXPECT_EQ(connect_to(path()).result, ConnectResult::kConnected) << "a backlog of 0 holds one";
  EXPECT_EQ(connect_to(path()).result, ConnectResult::kAgain);
}

TEST_F(LinkSocket, the_socket_belongs_to_its_owner_alone_and_replaces_a_stale_one) {
  auto first = listen_at(path());
  ASSERT_TRUE(first);
  first->reset();
  auto second = listen_at(path());
  ASSERT_TRUE(second) << second.error().message;
  struct stat facts {};
  ASSERT_EQ(::stat(path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 1) << "no temporary name left";
  EXPECT_EQ(connect_to(path()).result, ConnectResult::kConnected);
}

TEST_F(LinkSocket, a_temporary_name_left_by_a_dead_master_is_in_nobodys_way) {
  auto dead = listen_at(path());
  ASSERT_TRUE(dead);
  fs::rename(path(), path("s.sock.new"));
  EXPECT_TRUE(listen_at(path()));
}

TEST_F(LinkSocket, a_path_longer_than_an_address_is_reached_through_its_directory) {
  const std::string deep = path(std::string(100, 'd') + "/" + std::string(100, 'e'));
  fs::create_directories(deep);
  EXPECT_EQ(connect_to(deep + "/s.sock").result, ConnectResult::kAbsent);
  auto listener = listen_at(deep + "/s.sock");
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(fs::exists(deep + "/s.sock"));
  EXPECT_EQ(connect_to(deep + "/s.sock").result, ConnectResult::kConnected);
  EXPECT_EQ(connect_to(deep + "/" + std::string(200, 'n')).result, ConnectResult::kFailed);
}

TEST_F(LinkSocket, messages_keep_their_bounds_and_an_empty_queue_says_again) {
  join();
  EXPECT_EQ(receive(master_.get()), "again");
  ASSERT_EQ(*send_message(slave_.get(), "one"), SendResult::kSent);
  ASSERT_EQ(*send_message(slave_.get(), "head ", "and body"), SendResult::kSent);
  EXPECT_EQ(receive(master_.get()), "one");
  EXPECT_EQ(receive(master_.get()), "head and body");
  EXPECT_EQ(receive(master_.get()), "again");
}

TEST_F(LinkSocket, the_largest_frame_passes_and_arrives_aligned) {
  join();
  const MessageHeader header = data_header();
  const std::string body(kMaxFrameBytes, 'b');
  ASSERT_EQ(*send_message(slave_.get(), {reinterpret_cast<const char*>(&header), sizeof header}, body),
            SendResult::kSent);
  auto received = receive_message(master_.get(), buffer_);
  ASSERT_TRUE(received);
  auto message = decode(received->datagram);
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ(std::get<Data>(*message).events, body);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(std::get<Data>(*message).events.data()) % 8, 0u);
}

TEST_F(LinkSocket, one_byte_more_than_the_largest_datagram_is_an_error) {
  join();
  ASSERT_EQ(*send_message(slave_.get(), std::string(kMaxDatagramBytes, 'x')), SendResult::kSent);
  ASSERT_EQ(*send_message(slave_.get(), std::string(kMaxDatagramBytes + 1, 'x')), SendResult::kSent);
  EXPECT_EQ(receive(master_.get()).size(), kMaxDatagramBytes);
  EXPECT_EQ(receive(master_.get()), "error: oversized datagram");
}

TEST_F(LinkSocket, a_full_peer_says_again_and_loses_nothing) {
  join();
  const std::string body(64 * 1024, 'x');
  int sent = 0;
  while (sent < 1000 && *send_message(slave_.get(), body) == SendResult::kSent) ++sent;
  ASSERT_GT(sent, 0);
  ASSERT_LT(sent, 1000) << "the peer's queue has an end";
  for (int i = 0; i < sent; ++i) ASSERT_EQ(receive(master_.get()).size(), body.size());
  EXPECT_EQ(receive(master_.get()), "again");
  EXPECT_EQ(*send_message(slave_.get(), body), SendResult::kSent);
}

TEST_F(LinkSocket, a_peer_that_left_is_gone_without_a_signal) {
  join();
  master_.reset();
  EXPECT_EQ(*send_message(slave_.get(), "x"), SendResult::kGone);
  EXPECT_EQ(receive(slave_.get()), "end");
}

TEST_F(LinkSocket, what_a_peer_sent_before_it_left_is_read_although_it_had_not_read_ours) {
  join();
  ASSERT_EQ(*send_message(master_.get(), "last words"), SendResult::kSent);
  ASSERT_EQ(*send_message(slave_.get(), "never read"), SendResult::kSent);
  master_.reset();
  EXPECT_EQ(receive(slave_.get()), "last words");
  EXPECT_EQ(receive(slave_.get()), "end");
}

TEST_F(LinkSocket, a_slave_queued_at_a_master_that_dies_sees_the_end) {
  auto listener = listen_at(path());
  ASSERT_TRUE(listener);
  auto slave = connect_to(path());
  ASSERT_EQ(slave.result, ConnectResult::kConnected);
  ASSERT_EQ(*send_message(slave.fd.get(), "hello"), SendResult::kSent);
  listener->reset();
  EXPECT_EQ(receive(slave.fd.get()), "end");
}

TEST_F(LinkSocket, nothing_to_accept_is_no_error) {
  auto listener = listen_at(path());
  ASSERT_TRUE(listener);
  auto none = accept_one(listener->get());
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST_F(LinkSocket, all_descriptors_close_on_exec_and_do_not_block) {
  join();
  auto lock = lock_directory(path("lock"));
  ASSERT_TRUE(lock);
  for (const int fd : {listener_.get(), slave_.get(), master_.get(), lock->lock.get(), lock->sign.get()}) {
    EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
  }
  for (const int fd : {listener_.get(), slave_.get(), master_.get()}) EXPECT_TRUE(::fcntl(fd, F_GETFL) & O_NONBLOCK);
}

// Runs `act` as another user in a child; its exit code.
template <typename Act>
int as_another_user(Act act) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool changed = ::setgid(65534) == 0 && ::setuid(65534) == 0;
    ::_exit(changed ? act() : 99);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(LinkSocket, a_stranger_is_not_accepted_and_not_served_as_a_master) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  auto listener = listen_at(path());
  ASSERT_TRUE(listener);
  ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path().c_str(), 0666), 0) << "as if the mode had not kept him out already";
  // He refuses us, as the listener is not of his user; and we refuse him.
  EXPECT_EQ(as_another_user([&] { return connect_to(path()).error.code; }), EPERM);
  auto stranger = accept_one(listener->get());
  ASSERT_FALSE(stranger);
  EXPECT_NE(stranger.error().message.find("user 65534"), std::string::npos) << stranger.error().message;
  ASSERT_EQ(::chmod(path().c_str(), 0600), 0);
  EXPECT_EQ(as_another_user([&] { return connect_to(path()).error.code; }), EACCES);
}

TEST_F(LinkSocket, a_directory_has_one_lock_that_ends_with_its_holder) {
  auto first = lock_directory(path("audit/sid"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(*first);
  auto second = lock_directory(path("audit/sid"));
  ASSERT_TRUE(second);
  EXPECT_FALSE(*second);
  *first = {};
  auto third = lock_directory(path("audit/sid"));
  ASSERT_TRUE(third);
  EXPECT_TRUE(*third);
}

TEST_F(LinkSocket, who_may_only_read_a_directory_sees_its_lock_and_cannot_take_it) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
  const std::string locked = path("sid");
  const auto lock = lock_directory(locked);
  ASSERT_TRUE(lock && *lock);
  ASSERT_EQ(::chmod(locked.c_str(), 0755), 0);
  EXPECT_EQ(as_another_user([&] { return lock_directory(locked).error().code; }), EACCES);
  const UniqueFd reader(::open(locked.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::flock(reader.get(), LOCK_EX | LOCK_NB), 0) << "what others do to the directory is in nobody's way";
  EXPECT_FALSE(*lock_directory(locked));
}

TEST_F(LinkSocket, a_missing_directory_is_made_for_owner_and_group) {
  ASSERT_TRUE(lock_directory(path("a/b/c")));
  for (const auto* made : {"a", "a/b", "a/b/c"}) {
    struct stat facts {};
    ASSERT_EQ(::stat(path(made).c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777 & ~0750u, 0u) << made;
  }
}

TEST_F(LinkSocket, a_link_or_a_file_is_no_directory_to_lock) {
  fs::create_directory(path("real"));
  fs::create_directory_symlink(path("real"), path("link"));
  EXPECT_FALSE(lock_directory(path("link")));
  UniqueFd file(::open(path("file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  const auto refused = lock_directory(path("file"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(path("file")), std::string::npos);
}

}  // namespace
}  // namespace sidrec::link
