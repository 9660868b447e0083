// sidrec verify, run as a process; the keys it and the recorder take; its progress.
#include <fcntl.h>

#include "recorder/cli/progress.h"
#include "recorder/link/socket.h"
#include "tests/unit/command_line_vocabulary.h"
#include "tests/unit/seal_keys.h"

namespace sidrec::trail_test {
namespace {

struct Verify : CommandLine {
  std::string file() const { return trail.file(); }
  void ended_session() {
    ping_and_pong();
    end();
  }
};

TEST_F(Verify, says_of_a_sound_trail_what_it_has_proven) {
  ended_session();
  const Said said = sidrec({"verify"});
  EXPECT_EQ(said.code, 0) << said.out << said.err;
  EXPECT_EQ(said.out,
            "ok     " + file() + ": 7 lines, " + std::to_string(contents(file()).size()) + " bytes, 1 seal, ended\n");
  EXPECT_EQ(said.err, "");
  EXPECT_EQ(sidrec({"verify", file()}).out, said.out);
  EXPECT_EQ(sidrec({"verify", kSid, "--session", kSession.substr(0, 9)}).out, said.out);
}

TEST_F(Verify, names_the_first_line_that_is_wrong_and_ends_with_3) {
  ended_session();
  std::string text = contents(file());
  text.replace(text.find("PING"), 4, "PONG");
  write_file(file(), text);
  const Said said = sidrec({"verify"});
  EXPECT_EQ(said.code, 3);
  EXPECT_EQ(said.out,
            "wrong  " + file() + ":7: this seal does not fit: a byte has been changed since the first line\n");
}

TEST_F(Verify, of_all_sessions_says_each_and_ends_with_the_worst) {
  ended_session();
  std::string other = file();
  other.replace(other.find(kSession), kSession.size(), "01938a5e-7c00-7f3a-8b21-5d0c44e1a6f3");
  write_file(other, contents(file()).substr(0, 500));
  const Said said = sidrec({"verify", "--all"});
  EXPECT_EQ(said.code, 3);
  EXPECT_TRUE(said.out.starts_with("ok     " + file())) << said.out;
  EXPECT_NE(said.out.find("wrong  " + other + ":1: no session.end follows"), std::string::npos) << said.out;
  EXPECT_EQ(sidrec({"verify", "--all", "nobody"}).out, "");
}

TEST_F(Verify, of_a_live_trail_says_how_much_is_not_sealed_yet) {
  ping_and_pong();
  const auto lock = link::lock_directory(store / kSid);
  ASSERT_TRUE(lock && *lock);
  const Said said = sidrec({"verify"});
  EXPECT_EQ(said.code, 0) << said.err;
  const std::string bytes = std::to_string(contents(file()).size()) + " bytes";
  EXPECT_EQ(said.out,
            "ok     " + file() + ": 5 lines, " + bytes + ", no seals, live, its last " + bytes + " not sealed yet\n");
}

TEST_F(Verify, with_a_public_key_wants_every_byte_signed) {
  const SealKeys keys(files);
  ended_session();
  EXPECT_EQ(sidrec({"verify", "--public-key", keys.open_path()}).code, 3);
  Trail other(store / "signed", kSid, {.seal_key = &keys.secret()});
  ASSERT_OK(other.begin(identity(), master(), 0));
  ASSERT_OK(other.end(kSecond, "ended"));
  const Said said = sidrec({"verify", other.file(), "--public-key", keys.open_path()});
  EXPECT_EQ(said.code, 0);
  EXPECT_NE(said.out.find(", 1 seal, signed, ended"), std::string::npos) << said.out;
  const SealKeys others(store);
  const Said wrong = sidrec({"verify", other.file(), "--public-key", others.open_path()});
  EXPECT_EQ(wrong.code, 3);
  EXPECT_NE(wrong.out.find(":3: this seal is signed with another key"), std::string::npos) << wrong.out;
}

TEST_F(Verify, ends_with_1_and_one_sentence_where_it_cannot_read) {
  ended_session();
  for (const Said& said : {sidrec({"verify", "/nowhere/x.jsonl"}), sidrec({"verify", "--public-key", "/nowhere.pub"}),
                           sidrec({"verify", "--public-key", file()}), sidrec({"verify", "nobody"})}) {
    EXPECT_EQ(said.code, 1) << said.out;
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1) << said.err;
  }
}

TEST_F(Verify, takes_a_signature_that_openssl_takes) {
  const SealKeys keys(files);
  const std::string hash(64, 'a');
  write_file(files / "hash", hash);
  write_file(files / "sig64", keys.secret().sign(hash) + "\n");
  const std::string in = files.path();
  const std::string command = "cd " + in + " && openssl base64 -d -A -in sig64 -out sig && " +
                              "openssl pkeyutl -verify -pubin -inkey seal.pub -rawin -in hash -sigfile sig >/dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST_F(Verify, and_recorder_refuse_a_key_that_others_can_read_or_that_is_none) {
  const SealKeys keys(files);
  for (const mode_t mode : {0640, 0604, 0610}) {
    chmod(keys.secret_path().c_str(), mode);
    const auto key = SealKey::load(keys.secret_path());
    ASSERT_FALSE(key) << mode;
    EXPECT_NE(key.error().message.find("mode 0600 or 0400"), std::string::npos) << key.error().message;
  }
  chmod(keys.secret_path().c_str(), 0400);
  EXPECT_TRUE(SealKey::load(keys.secret_path()));
  const std::string pem = contents(keys.secret_path());
  for (const std::string& broken : {std::string(), pem.substr(0, 60), pem.substr(0, 40) + "!" + pem.substr(41)}) {
    const std::string path = files / "broken.pem";
    write_file(path, broken, 0600);
    EXPECT_FALSE(SealKey::load(path)) << broken;
  }
  EXPECT_FALSE(SealPublicKey::load(keys.secret_path()));
  chmod(keys.open_path().c_str(), 0600);
  EXPECT_FALSE(SealKey::load(keys.open_path()));
}

// A terminal of the test's own.
struct ATerminal {
  ATerminal() : master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)) {
    EXPECT_EQ(grantpt(master.get()) | unlockpt(master.get()), 0);
    slave.reset(open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  }
  std::string shown() const {
    std::string text(4096, '\0');
    const ssize_t got = read(master.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return text;
  }
  UniqueFd master, slave;
};

TEST(Progress, is_shown_on_a_terminal_after_two_seconds_and_goes_away) {
  const ATerminal terminal;
  {
    cli::Progress progress("file", 1000, 0, terminal.slave.get());
    progress.at(100, 1999 * kMillisecond);
    EXPECT_EQ(terminal.shown(), "");
    progress.at(500, 2 * kSecond);
    EXPECT_EQ(terminal.shown(), "\r\x1b[K[===============               ] 50% of 1000  file");
    progress.at(510, 2 * kSecond + kMillisecond);
    EXPECT_EQ(terminal.shown(), "") << "not more often than it can be read";
  }
  EXPECT_EQ(terminal.shown(), "\r\x1b[K");
}

TEST(Progress, is_never_shown_where_there_is_no_terminal) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd out(ends[0]), in(ends[1]);
  { cli::Progress("file", 1000, 0, in.get()).at(500, 9 * kSecond); }
  char byte;
  EXPECT_EQ(read(out.get(), &byte, 1), -1);
}

}  // namespace
}  // namespace sidrec::trail_test
