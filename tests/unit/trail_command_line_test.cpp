// The command line as its user meets it: the built `sidrec`, beside this test program, run as a process.
#include <elf.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <chrono>
#include <functional>

#include "recorder/link/socket.h"
#include "tests/unit/command_line_vocabulary.h"

namespace sidrec::trail_test {
namespace {

TEST_F(CommandLine, shows_its_version_and_help_with_examples_for_every_verb) {
  EXPECT_TRUE(sidrec({"--version"}).out.starts_with("sidrec "));
  for (const char* verb : {"run", "ls", "tail", "cat", "verify", "prune", "doctor"}) {
    const Said said = sidrec({verb, "--help"});
    EXPECT_EQ(said.code, 0);
    EXPECT_NE(said.out.find("Examples:\n  sidrec " + std::string(verb)), std::string::npos) << said.out;
    EXPECT_NE(said.out.find("Exit codes"), std::string::npos) << said.out;
  }
}

TEST_F(CommandLine, that_makes_no_sense_ends_with_2_and_one_sentence) {
  for (const auto& said :
       {sidrec({}), sidrec({"frobnicate"}), sidrec({"cat", "x"}), sidrec({"ls", "--what"}),
        sidrec({"cat", "x", "--conn", "c1", "--dir", "up"}), sidrec({"run"}), sidrec({"run", "true"}),
        sidrec({"run", "--"}), sidrec({"doctor"}), sidrec({"doctor", "1", "--pid", "1"})}) {
    EXPECT_EQ(said.code, 2);
    EXPECT_TRUE(said.err.starts_with("sidrec: ")) << said.err;
    EXPECT_EQ(said.out, "");
  }
}

TEST_F(CommandLine, ls_shows_a_session_with_its_figures) {
  ping_and_pong();
  end();
  const Said said = sidrec({"ls"});
  EXPECT_EQ(said.code, 0);
  EXPECT_EQ(said.out,
            "SID                STARTED               DURATION  CONNS  IN  OUT  STATE  SESSION\n"
            "alice@203.0.113.7  2026-11-23T22:30:00Z    1.500s      1   6    9  ended  " +
                kSession + "\n");
}

TEST_F(CommandLine, ls_tells_live_from_unfinished) {
  ping_and_pong();
  EXPECT_EQ(nlohmann::json::parse(sidrec({"ls", "--json"}).out)["state"], "unfinished");
  const auto lock = link::lock_directory(store / kSid);
  ASSERT_TRUE(lock && *lock);
  EXPECT_EQ(nlohmann::json::parse(sidrec({"ls", "--json"}).out)["state"], "live");
}

TEST_F(CommandLine, ls_goes_on_after_a_broken_trail_and_fails_in_the_end) {
  ping_and_pong();
  write_file(store / (kSid + "/20201123T223000Z-" + kSession + ".jsonl"), "garbage\n");
  const Said said = sidrec({"ls"});
  EXPECT_EQ(said.code, 1);
  EXPECT_NE(said.err.find(".jsonl:1: not a line of a trail"), std::string::npos) << said.err;
  EXPECT_NE(said.out.find(kSession), std::string::npos);
}

TEST_F(CommandLine, ls_of_an_empty_store_says_so_and_succeeds) {
  const Said said = sidrec({"ls"});
  EXPECT_EQ(said.code, 0);
  EXPECT_EQ(said.err, "sidrec: no sessions in " + store.path() + " yet\n");
}

TEST_F(CommandLine, lets_no_control_byte_of_a_client_through) {
  Trail hostile(store.path(), "evil\x1b]0;pwned\x07\xe2\x80\xae");
  ASSERT_OK(hostile.begin(identity(), master("r\x1b[2J"), 0));
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  hostile.append("r1", data({}, Direction::kIn, 0, all), false);
  hostile.append("r1",
                 data({}, Direction::kIn, 256,
                      "\x1b[31m\xc2\x9b\xe2\x80\xae\x7f"
                      "end"),
                 false);
  ASSERT_OK(hostile.end(kSecond, "ended"));
  for (const auto& said : {sidrec({"ls"}), sidrec({"tail"})}) {
    EXPECT_EQ(said.code, 0);
    for (const char c : said.out) {
      ASSERT_TRUE(c == '\n' || (static_cast<uint8_t>(c) >= 0x20 && c != 0x7f)) << said.out;
    }
    EXPECT_EQ(said.out.find("\xc2\x9b"), std::string::npos);
    EXPECT_EQ(said.out.find("\xe2\x80\xae"), std::string::npos);
  }
  EXPECT_NE(sidrec({"tail"}).out.find("\\x1b[31m\\u{9b}\\u{202e}\\x7fend"), std::string::npos);
}

TEST_F(CommandLine, tail_shows_a_session_readably) {
  ping_and_pong();
  end();
  const Said said = sidrec({"tail", kSid});
  EXPECT_EQ(said.code, 0);
  EXPECT_EQ(said.out, "22:30:00.000000  session alice@203.0.113.7 started 2026-11-23 (UTC) on bastion1, id " +
                          kSession + "\n" +
                          "22:30:00.000098  c7f3a  open 203.0.113.7:50122 → 10.0.0.9:6380, socat[4100]\n"
                          "22:30:00.000871  c7f3a  → PING\\r\\n\n"
                          "22:30:00.001312  c7f3a  ← +PONG\\xff\\x00\\r\\n\n"
                          "22:30:00.005000  c7f3a  close in 6, out 9 bytes, complete, closed\n"
                          "22:30:01.500000  session ended: 1 connections, in 6, out 9 bytes, 0 gaps, 1500 ms\n"
                          "22:30:01.500000  sealed: " +
                          every_line(contents(trail.file())).back()["hash"].get<std::string>() + "\n");
}

TEST_F(CommandLine, tail_colours_for_a_terminal_only) {
  ping_and_pong();
  end();
  const UniqueFd terminal(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  ASSERT_TRUE(terminal && grantpt(terminal.get()) == 0 && unlockpt(terminal.get()) == 0);
  const UniqueFd screen(open(ptsname(terminal.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(screen);
  Process tail(files, command({"tail"}), {"SIDREC_AUDIT_DIR=" + store.path()}, screen.get());
  EXPECT_EQ(tail.code(), 0);
  std::string shown(65536, '\0');
  const ssize_t got = read(terminal.get(), shown.data(), shown.size());
  ASSERT_GT(got, 0);
  EXPECT_NE(shown.find("\x1b[32m→\x1b[0m PING"), std::string::npos) << shown;
  EXPECT_EQ(sidrec({"tail"}).out.find('\x1b'), std::string::npos);
}

TEST_F(CommandLine, tail_json_gives_the_lines_as_they_are) {
  ping_and_pong();
  end();
  EXPECT_EQ(sidrec({"tail", "--json"}).out, contents(trail.file()));
  EXPECT_EQ(sidrec({"tail", "--json", trail.file()}).out, contents(trail.file()));
  EXPECT_EQ(every_line(sidrec({"tail", "--json", "-n", "2"}).out).size(), 2u);
}

TEST_F(CommandLine, tail_follows_a_live_session_until_it_ends) {
  begin();
  Process tail(files, command({"tail", "-f", "--json"}), {"SIDREC_AUDIT_DIR=" + store.path()});
  EXPECT_TRUE(eventually([&] { return json_lines(tail.out()).size() == 1; }));
  append(opened({}));
  EXPECT_TRUE(eventually([&] { return json_lines(tail.out()).size() == 2; }));
  EXPECT_FALSE(tail.ended());
  end();
  EXPECT_EQ(tail.code(), 0) << tail.err();
  EXPECT_EQ(tail.out(), contents(trail.file()));
}

TEST_F(CommandLine, tail_waits_for_the_first_session_also_of_a_store_that_is_not_there_yet) {
  Process tail(files, command({"tail", "-f", "--audit-dir", store / "not/there/yet"}));
  Trail first(store / "not/there/yet", kSid);
  ASSERT_OK(first.begin(identity(), master(), 0));
  EXPECT_TRUE(eventually([&] { return tail.out().find(kSession) != std::string::npos; }));
  ASSERT_OK(first.end(kSecond, "ended"));
  EXPECT_EQ(tail.code(), 0) << tail.err();
}

TEST_F(CommandLine, tail_says_that_a_trail_became_shorter) {
  ping_and_pong();
  Process tail(files, command({"tail", "-f", "--json"}), {"SIDREC_AUDIT_DIR=" + store.path()});
  EXPECT_TRUE(eventually([&] { return json_lines(tail.out()).size() == 5; }));
  std::filesystem::resize_file(trail.file(), 10);
  EXPECT_EQ(tail.code(), 3);
  EXPECT_NE(tail.err().find("shorter"), std::string::npos) << tail.err();
}

TEST_F(CommandLine, ends_quietly_when_its_reader_goes) {
  ping_and_pong();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reading(ends[0]), writing(ends[1]);
  Process tail(files, command({"tail", "-f"}), {"SIDREC_AUDIT_DIR=" + store.path()}, writing.get());
  writing.reset();
  char byte;
  ASSERT_EQ(read(reading.get(), &byte, 1), 1);
  reading.reset();
  EXPECT_EQ(tail.code(), 0) << tail.err();
  EXPECT_EQ(tail.err(), "");
}

TEST_F(CommandLine, tail_without_a_session_names_the_place_and_a_remedy) {
  const Said said = sidrec({"tail", "nobody"});
  EXPECT_EQ(said.code, 1);
  EXPECT_EQ(said.err,
            "sidrec: no session in " + store / "nobody" + ": see \"sidrec ls\", or name the store with --audit-dir\n");
}

TEST_F(CommandLine, cat_gives_the_bytes_as_they_passed) {
  ping_and_pong();
  end();
  EXPECT_EQ(sidrec({"cat", kSid, "--conn", "c7f3a", "--dir", "in"}).out, "PING\r\n");
  const Said out = sidrec({"cat", trail.file(), "--conn", "c7f3a", "--dir", "out"});
  EXPECT_EQ(out.out, std::string("+PONG\xff\0\r\n", 9));
  EXPECT_EQ(out.code, 0);
  EXPECT_EQ(out.err, "");
}

TEST_F(CommandLine, cat_names_a_hole_and_ends_with_3) {
  begin();
  append(opened({}));
  append(data({}, Direction::kIn, 0, "01234"));
  append(gap({}, Direction::kIn, 5, 100, GapWhy::kSplice));
  const Said said = sidrec({"cat", kSid, "--conn", "c7f3a", "--dir", "in"});
  EXPECT_EQ(said.code, 3);
  EXPECT_EQ(said.out, "01234");
  EXPECT_EQ(said.err,
            "sidrec: " + trail.file() + ": c7f3a in: a gap, splice: 100 bytes at offset 5 passed unrecorded\n");
}

TEST_F(CommandLine, cat_takes_the_newest_session_or_the_one_that_is_named) {
  ping_and_pong();
  end();
  SessionIdentity newer = identity();
  newer.session = "01938a5f-7c00-7f3a-8b21-5d0c44e1a6f2";
  Trail second(store.path(), kSid);
  ASSERT_OK(second.begin(newer, master(), 60 * kSecond));
  second.append("r1", data({.time_ns = 61 * kSecond}, Direction::kIn, 0, "newer"), false);
  ASSERT_OK(second.commit(0));
  EXPECT_EQ(sidrec({"cat", kSid, "--conn", "c7f3a", "--dir", "in"}).out, "newer");
  EXPECT_EQ(sidrec({"cat", kSid, "--conn", "c7f3a", "--dir", "in", "--session", "01938a5e"}).out, "PING\r\n");
  EXPECT_EQ(sidrec({"cat", kSid, "--conn", "c7f3a", "--dir", "in", "--session", "0193"}).code, 1);
  EXPECT_EQ(sidrec({"cat", kSid, "--conn", "c7f3a", "--dir", "in", "--session", "7"}).code, 1);
}

TEST_F(CommandLine, cat_of_an_unknown_connection_fails) {
  ping_and_pong();
  const Said said = sidrec({"cat", kSid, "--conn", "c1", "--dir", "in"});
  EXPECT_EQ(said.code, 1);
  EXPECT_NE(said.err.find("no connection c1"), std::string::npos) << said.err;
}

TEST_F(CommandLine, finds_the_store_by_option_then_environment_then_file) {
  ping_and_pong();
  end();
  write_file(files / "config.json", R"({"audit_dir":")" + store.path() + R"("})");
  const std::string nowhere = "SIDREC_AUDIT_DIR=" + files / "nowhere";
  const std::string config = "SIDREC_CONFIG=" + files / "config.json";
  const auto finds = [](const Said& said) { return said.out.find(kSession) != std::string::npos; };
  EXPECT_TRUE(finds(sidrec({"ls", "--audit-dir", store.path()}, {nowhere})));
  EXPECT_FALSE(finds(sidrec({"ls"}, {nowhere, config})));
  EXPECT_TRUE(finds(sidrec({"ls"}, {config})));
  EXPECT_TRUE(finds(sidrec({"ls", "--config", files / "config.json"}, {"SIDREC_CONFIG=/absent"})));
  write_file(files / "config.json", "{oops");
  const Said broken = sidrec({"ls"}, {config});
  EXPECT_EQ(broken.code, 1);
  EXPECT_NE(broken.err.find(files / "config.json"), std::string::npos) << broken.err;
}

// sidrec in a directory of its own, beside a file of the library's name: what it does up to the exec is what counts.
struct Run : CommandLine {
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(CommandLine::SetUp());
    std::filesystem::copy_file(built_sidrec(), files / "sidrec");
    write_file(files / "libsidrec.so", "");
  }
  Said run(std::vector<std::string> arguments, std::vector<std::string> environment = {"HOME=/nowhere"}) const {
    arguments.insert(arguments.begin(), {files / "sidrec", "run"});
    Process process(files, arguments, environment);
    const int code = process.code();
    return {code, process.out(), process.err()};
  }
  std::string program(
      const std::function<void(std::string& elf)>& change = [](std::string&) {}, mode_t mode = 0755) {
    std::string elf = contents("/bin/true");
    change(elf);
    write_file(files / "program", elf, mode);
    return files / "program";
  }
  void refuses(const std::string& path, std::string_view reason) const {
    const Said said = run({"--audit-dir", store.path(), "--", path});
    EXPECT_EQ(said.code, 126) << said.err;
    EXPECT_TRUE(said.err.starts_with("sidrec: ")) << said.err;
    EXPECT_NE(said.err.find(reason), std::string::npos) << said.err;
  }
  static Elf64_Ehdr& elf_header(std::string& elf) { return *reinterpret_cast<Elf64_Ehdr*>(elf.data()); }
};

// A sanitizer's runtime refuses to come second; here it need not come first.
const std::vector<std::string> kAlreadyPreloading = {"LD_PRELOAD=libc.so.6", "ASAN_OPTIONS=verify_asan_link_order=0"};

TEST_F(Run, preloads_the_library_beside_it_and_hands_the_settings_over) {
  write_file(files / "config.json", "{}");
  const Said said = run({"--sid", "ticket-{client_ip}", "--audit-dir", store.path(), "--run-dir", store / "run",
                         "--config", files / "config.json", "--", "env", "--", "--"},
                        kAlreadyPreloading);
  const Said shown = run({"--sid", "ticket-{client_ip}", "--audit-dir", store.path(), "--run-dir", store / "run",
                          "--config", files / "config.json", "--", "env"},
                         kAlreadyPreloading);
  EXPECT_EQ(said.code, 127) << "env looked for a program named --: the command's own dashes reached it";
  EXPECT_EQ(shown.code, 0) << shown.err;
  for (const std::string& line : {std::string("SIDREC_SID=ticket-{client_ip}"), "SIDREC_AUDIT_DIR=" + store.path(),
                                  "SIDREC_RUN_DIR=" + store / "run", "SIDREC_CONFIG=" + files / "config.json",
                                  "LD_PRELOAD=" + files / "libsidrec.so" + ":libc.so.6"}) {
    EXPECT_NE(("\n" + shown.out).find("\n" + line + "\n"), std::string::npos) << line << " is not in\n" << shown.out;
  }
}

TEST_F(Run, becomes_the_command_and_ends_with_its_code) {
  EXPECT_EQ(run({"--", "/bin/sh", "-c", "exit 42"}).code, 42);
  EXPECT_EQ(run({"--", program()}).code, 0);
}

TEST_F(Run, without_its_library_says_where_it_looked) {
  std::filesystem::remove(files / "libsidrec.so");
  const Said said = run({"--", "true"});
  EXPECT_EQ(said.code, 1);
  EXPECT_NE(said.err.find("libsidrec.so is neither in " + files.path()), std::string::npos) << said.err;
}

TEST_F(Run, refuses_what_is_not_there_or_not_executable) {
  EXPECT_EQ(run({"--", "no-such-program"}).code, 127);
  EXPECT_EQ(run({"--", "/no/such/program"}).code, 127);
  EXPECT_EQ(run({"--", "/etc"}).code, 127);
  EXPECT_EQ(run({"--", program([](std::string&) {}, 0644)}).code, 126);
}

TEST_F(Run, refuses_a_program_that_no_loader_starts) {
  refuses(program([](std::string& elf) {
            const Elf64_Ehdr& header = elf_header(elf);
            auto* segments = reinterpret_cast<Elf64_Phdr*>(elf.data() + header.e_phoff);
            for (size_t i = 0; i < header.e_phnum; ++i) {
              if (segments[i].p_type == PT_INTERP) segments[i].p_type = PT_NULL;
            }
          }),
          "statically linked");
}

TEST_F(Run, refuses_a_program_of_another_architecture) {
  refuses(program([](std::string& elf) { elf_header(elf).e_machine = EM_S390; }), "architecture");
  refuses(program([](std::string& elf) { elf[EI_CLASS] = ELFCLASS32; }), "architecture");
}

TEST_F(Run, refuses_damaged_programs_without_falling_over_them) {
  refuses(program([](std::string& elf) { elf.resize(20); }), "damaged");
  refuses(program([](std::string& elf) { elf_header(elf).e_phoff = ~uint64_t{0}; }), "damaged");
  refuses(program([](std::string& elf) { elf_header(elf).e_phnum = 0xffff; }), "damaged");
}

TEST_F(Run, refuses_a_program_with_other_rights_than_its_caller) {
  refuses(program([](std::string&) {}, 04755), "set-user-id");
  refuses(program([](std::string&) {}, 02755), "set-group-id");
}

TEST_F(Run, refuses_a_program_with_file_capabilities) {
  const std::string path = program();
  // cap_net_bind_service=ep, as setcap(8) stores it (struct vfs_cap_data, version 2)
  const char capability[20] = {1, 0, 0, 2, 0, 4};
  if (setxattr(path.c_str(), "security.capability", capability, sizeof capability, 0) != 0) {
    GTEST_SKIP() << "only root may set file capabilities, where the file system keeps them";
  }
  refuses(path, "file capabilities");
}

TEST_F(Run, looks_at_the_interpreter_of_a_script) {
  const std::string interpreter = program([](std::string& elf) { elf_header(elf).e_machine = EM_S390; });
  write_file(files / "script", "#! " + interpreter + " -x\n", 0755);
  refuses(files / "script", interpreter);
  write_file(files / "good", "#!/bin/sh\nexit 7\n", 0755);
  EXPECT_EQ(run({"--", files / "good"}).code, 7);
  write_file(files / "loop", "#!" + files / "loop" + "\n", 0755);
  refuses(files / "loop", "interpreters");
}

}  // namespace
}  // namespace sidrec::trail_test
