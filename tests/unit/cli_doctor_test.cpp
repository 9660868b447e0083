// What `sidrec doctor` makes of files, of /proc and of unit files.
#include <elf.h>
#include <gmock/gmock.h>
#include <sys/auxv.h>

#include "recorder/cli/apparmor.h"
#include "recorder/cli/elf_facts.h"
#include "recorder/cli/place_check.h"
#include "recorder/cli/process_facts.h"
#include "recorder/cli/report.h"
#include "recorder/cli/system_call_filter.h"
#include "recorder/cli/unit_paths.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using trail_test::contents;
using trail_test::TempDir;
using trail_test::write_file;

std::string built(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

// -- programs

TEST(ElfFile, tells_a_dynamic_program_and_what_it_needs) {
  const auto elf = ElfFile::open("/proc/self/exe");
  ASSERT_TRUE(elf) << elf.error().message;
  EXPECT_TRUE(elf->is_native());
  EXPECT_TRUE(elf->has_interpreter());
  EXPECT_THAT(elf->needed(), ::testing::Contains("libc.so.6"));
}

TEST(ElfFile, tells_a_static_program) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "with sanitizers the recorder is dynamic";
#endif
  const auto elf = ElfFile::open(built("sidrec-recorder"));
  ASSERT_TRUE(elf) << elf.error().message;
  EXPECT_TRUE(elf->is_native());
  EXPECT_FALSE(elf->has_interpreter());
  EXPECT_THAT(elf->needed(), IsEmpty());
}

TEST(ElfFile, that_is_cut_anywhere_is_refused_or_reads_as_empty) {
  const TempDir dir;
  const std::string whole = contents("/bin/true");
  for (size_t size = 0; size < whole.size(); size += 97) {
    write_file(dir / "cut", whole.substr(0, size));
    if (const auto elf = ElfFile::open(dir / "cut")) (void)facts_of(*elf);
  }
  write_file(dir / "cut", whole.substr(0, 40));
  EXPECT_FALSE(ElfFile::open(dir / "cut"));
}

TEST(ElfFile, with_any_byte_of_its_tables_changed_is_read_without_harm) {
  const TempDir dir;
  const std::string whole = contents("/bin/true");
  const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(whole.data());
  const size_t sections = header.e_shoff, end = std::min(whole.size(), sections + header.e_shnum * sizeof(Elf64_Shdr));
  const auto with_change = [&](size_t at) {
    std::string changed = whole;
    changed[at] = '\xff';
    write_file(dir / "changed", changed);
    if (const auto elf = ElfFile::open(dir / "changed")) (void)facts_of(*elf);
  };
  for (size_t at = 0; at < 1024; ++at) with_change(at);
  for (size_t at = sections; at < end; at += 3) with_change(at);
}

TEST(ElfFacts, name_the_calls_that_a_program_makes_by_syscall) {
  const auto elf = ElfFile::open(built("victims/victim_bypassing_libc"));
  ASSERT_TRUE(elf) << elf.error().message;
  EXPECT_THAT(facts_of(*elf).raw_calls.io, ElementsAre("read", "write"));
}

TEST(ElfFacts, of_stock_programs_name_none) {
  for (const char* path : {"/usr/sbin/haproxy", "/usr/sbin/nginx", "/usr/bin/socat", "/usr/bin/redis-server"}) {
    const auto elf = ElfFile::open(path);
    if (!elf) continue;  // not installed
    const ElfFacts facts = facts_of(*elf);
    EXPECT_THAT(facts.raw_calls.io, IsEmpty()) << path;
    EXPECT_EQ(facts.raw_calls.unknown, 0u) << path;
    EXPECT_EQ(facts.own_tls, "") << path;
    EXPECT_FALSE(facts.is_go || facts.needs_liburing) << path;
  }
}

#if defined(__x86_64__)
RawCalls calls_in(std::string_view bytes) { return raw_calls_in({{0x1000, std::string(bytes)}}, {}); }
using namespace std::string_view_literals;

TEST(RawCalls, are_named_by_the_number_that_was_loaded_last) {
  EXPECT_THAT(calls_in("\xb8\x2d\0\0\0\x31\xff\x0f\x05\xc3"sv).io, ElementsAre("recvfrom"));
  EXPECT_THAT(calls_in("\xb8\x2d\0\0\0\xb8\x27\0\0\0\x0f\x05\xc3"sv).io, IsEmpty()) << "getpid";
  EXPECT_THAT(calls_in("\x31\xc0\x0f\x05\x48\x89\xc2"sv).io, ElementsAre("read"));
  EXPECT_THAT(calls_in("\xb8\xaa\x01\0\0\x0f\x05\xc3"sv).io, ElementsAre("io_uring_enter"));
}

TEST(RawCalls, of_a_wrapper_cannot_be_named_but_are_counted) {
  const RawCalls calls = calls_in("\x48\x89\xf8\x48\x89\xf7\x0f\x05\x48\x3d\x01\xf0\xff\xff"sv);
  EXPECT_THAT(calls.io, IsEmpty());
  EXPECT_EQ(calls.unknown, 1u);
}

TEST(RawCalls, are_not_seen_in_addresses) {
  for (const auto bytes : {"\xe8\x31\x0f\x05\0\x48\x89\xc2"sv, "\x0f\x84\x0f\x05\0\0\xc3"sv,
                           "\x48\x8d\x05\x1f\x0f\x05\0\xc3"sv, "\xb8\x2d\0\0\0\xe8\x0f\x05\xff\xff\xc3"sv}) {
    const RawCalls calls = calls_in(bytes);
    EXPECT_THAT(calls.io, IsEmpty());
    EXPECT_EQ(calls.unknown, 0u);
  }
}
#endif

// -- processes

constexpr std::string_view kMaps =
    "55d0c0a00000-55d0c0a20000 r-xp 00000000 08:01 100 /usr/bin/socat\n"
    "7f0000000000-7f0000003000 rw-s 00000000 00:19 7 /run/sidrec/rings/r41-0011aabb.ring\n"
    "7f0000003000-7f0000008000 ---p 00000000 00:00 0 \n"
    "7f0000008000-7f0000009000 rw-s 00008000 00:19 7 /run/sidrec/rings/r41-0011aabb.ring\n"
    "7f1000000000-7f1000001000 r-xp 00000000 08:01 200 /usr/lib/x86_64-linux-gnu/sidrec/libsidrec.so (deleted)\n"
    "7f2000000000-7f2000001000 rw-s 00000000 00:19 9 /srv/other.ring\n";

TEST(ProcessFacts, find_library_and_ring_among_the_mappings) {
  const Mappings found = mappings_of(kMaps);
  EXPECT_EQ(found.library, "/usr/lib/x86_64-linux-gnu/sidrec/libsidrec.so");
  EXPECT_TRUE(found.library_replaced);
  ASSERT_EQ(found.rings.size(), 1u) << "one ring in two pieces";
  EXPECT_EQ(found.rings[0].inode, 7u);
  EXPECT_EQ(found.rings[0].range, "7f0000000000-7f0000003000");
  EXPECT_EQ(found.rings[0].run_dir(), "/run/sidrec");
}

TEST(ProcessFacts, tell_secure_execution_from_the_auxiliary_vector) {
  const auto vector_with = [](uint64_t secure) {
    const Elf64_auxv_t entries[] = {{AT_PAGESZ, {4096}}, {AT_SECURE, {secure}}, {AT_NULL, {0}}};
    return std::string(reinterpret_cast<const char*>(entries), sizeof entries);
  };
  EXPECT_EQ(secure_of_auxv(vector_with(1)), true);
  EXPECT_EQ(secure_of_auxv(vector_with(0)), false);
  EXPECT_EQ(secure_of_auxv("short"), std::nullopt);
  EXPECT_EQ(is_secure(getpid()), getauxval(AT_SECURE) != 0);
}

TEST(ProcessFacts, take_the_effective_user_and_all_groups) {
  const Identity who = identity_of_status("Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \n");
  EXPECT_EQ(who.uid, 2u);
  EXPECT_EQ(who.gid, 6u);
  EXPECT_THAT(who.groups, ElementsAre(9, 10));
}

TEST(ProcessFacts, read_limits_and_variables) {
  const std::string limits = "Limit   Soft Limit  Hard Limit  Units\nMax file size             ";
  EXPECT_EQ(file_size_of_limits(limits + "4096                 unlimited            bytes"), 4096u);
  EXPECT_EQ(file_size_of_limits(limits + "unlimited            unlimited            bytes"), std::nullopt);
  EXPECT_EQ(variable_of("XSIDREC_SID=no\0SIDREC_SID=yes\0"sv, "SIDREC_SID"), "yes");
  EXPECT_EQ(variable_of("SIDREC_SIDE=no"sv, "SIDREC_SID"), "");
}

TEST(ProcessFacts, count_connections_at_ports_that_somebody_listens_on) {
  const std::string head =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  const auto line = [](const std::string& local, const std::string& state, int inode) {
    return "   0: 0100007F:" + local + " 0100007F:C350 " + state +
           " 00000000:00000000 00:00000000 00000000     0        0 " + std::to_string(inode) + " 1 0 100 0 0 10 0\n";
  };
  const std::string tables = head + line("18EC", "0A", 1) + line("18EC", "01", 2) + line("18EC", "01", 3) +
                             line("9999", "01", 4) + head + line("18EC", "08", 5);
  EXPECT_EQ(count_client_connections(tables, {1, 2, 4, 5}), 1u) << "3 is another's, 4 goes out, 5 is closing";
}

// -- units

Unit unit_of(std::string_view text, const std::string& name = "x.service") {
  Unit unit;
  unit.apply(text, name);
  return unit;
}

TEST(UnitFile, joins_lines_leaves_comments_out_and_takes_assignments_back) {
  const Unit unit = unit_of(
      "[Unit]\nUser=wrong\n[Service]\n# User=comment\nUser = redis\nExecStart=/bin/a one \\\n# between\n  two\n"
      "Environment=A=1 \"B=2 3\"\nEnvironment='C=4'\nReadWritePaths=/a\nReadWritePaths=\nReadWritePaths=/b\n");
  EXPECT_EQ(unit.last("User"), "redis");
  EXPECT_EQ(unit.last("ExecStart"), "/bin/a one  two");
  EXPECT_THAT(unit.words("Environment"), ElementsAre("A=1", "B=2 3", "C=4"));
  EXPECT_THAT(unit.values("ReadWritePaths"), ElementsAre("/b"));
}

TEST(UnitFile, takes_drop_ins_in_the_order_of_their_names_and_of_the_directories) {
  const TempDir high, low;
  for (const auto* dir : {&high, &low}) std::filesystem::create_directories(*dir / "web.service.d");
  std::filesystem::create_directories(low / "service.d");
  write_file(low / "web.service", "[Service]\nUser=low\nGroup=low\n");
  write_file(low / "web.service.d/20-b.conf", "[Service]\nUser=twenty\n");
  write_file(low / "web.service.d/10-a.conf", "[Service]\nUser=hidden\nGroup=hidden\n");
  write_file(high / "web.service.d/10-a.conf", "[Service]\nUser=ten\n");
  write_file(low / "service.d/05-all.conf", "[Service]\nUMask=027\n");
  const auto unit = Unit::load("web.service", {high.path(), low.path()});
  ASSERT_TRUE(unit) << unit.error().message;
  EXPECT_EQ(unit->last("User"), "twenty");
  EXPECT_EQ(unit->last("Group"), "low") << "10-a.conf of the higher directory takes the other's place";
  EXPECT_EQ(unit->last("UMask"), "027");
}

TEST(UnitFile, follows_aliases_and_templates_and_refuses_masked_units) {
  const TempDir dir;
  write_file(dir / "real.service", "[Service]\nUser=real\n");
  std::filesystem::create_symlink("real.service", dir / "alias.service");
  std::filesystem::create_directories(dir / "real.service.d");
  write_file(dir / "real.service.d/a.conf", "[Service]\nGroup=of-real\n");
  write_file(dir / "vpn@.service", "[Service]\nExecStart=/bin/vpn %i of %p at 100%%\n");
  std::filesystem::create_symlink("/dev/null", dir / "masked.service");
  EXPECT_EQ(Unit::load("alias.service", {dir.path()})->last("Group"), "of-real");
  EXPECT_EQ(Unit::load("vpn@home.service", {dir.path()})->last("ExecStart"), "/bin/vpn home of vpn at 100%");
  EXPECT_THAT(Unit::load("masked.service", {dir.path()}).error().message, HasSubstr("masked"));
  EXPECT_EQ(Unit::load("absent.service", {dir.path()}).error().code, ENOENT);
}

TEST(UnitPaths, the_nearest_setting_decides) {
  const UnitPaths paths(
      unit_of("[Service]\nProtectSystem=strict\nReadWritePaths=-/var/lib/x\nInaccessiblePaths=/var/lib/x/secret\n"
              "PrivateTmp=yes\nProtectHome=read-only\nRuntimeDirectory=x sidrec\nTemporaryFileSystem=/opt:ro\n"
              "BindReadOnlyPaths=/opt/sidrec\n"));
  EXPECT_EQ(paths.rule_for("/var/log/sidrec").access, PathAccess::kReadOnly);
  EXPECT_EQ(paths.rule_for("/var/log/sidrec").setting, "ProtectSystem=strict");
  EXPECT_EQ(paths.rule_for("/var/lib/x/audit").access, PathAccess::kUnchanged);
  EXPECT_EQ(paths.rule_for("/var/lib/xy").access, PathAccess::kReadOnly);
  EXPECT_EQ(paths.rule_for("/var/lib/x/secret/a").access, PathAccess::kInaccessible);
  EXPECT_EQ(paths.rule_for("/tmp/sidrec-1000").access, PathAccess::kPrivate);
  EXPECT_EQ(paths.rule_for("/home/a").setting, "ProtectHome=read-only");
  EXPECT_EQ(paths.rule_for("/run/sidrec/rings").access, PathAccess::kMade);
  EXPECT_EQ(paths.rule_for("/dev/shm/sidrec").access, PathAccess::kUnchanged);
  EXPECT_EQ(paths.rule_for("/opt/other").access, PathAccess::kPrivate);
  EXPECT_EQ(paths.rule_for("/opt/sidrec/libsidrec.so").access, PathAccess::kReadOnly);
}

TEST(UnitPaths, full_protection_leaves_var_and_run_alone) {
  const UnitPaths paths(unit_of("[Service]\nProtectSystem=full\n"));
  EXPECT_EQ(paths.rule_for("/var/log/sidrec").access, PathAccess::kUnchanged);
  EXPECT_EQ(paths.rule_for("/etc/sidrec").access, PathAccess::kReadOnly);
  EXPECT_EQ(UnitPaths(unit_of("[Service]\n")).rule_for("/etc/sidrec").setting, "");
}

TEST(UnitPaths, know_what_may_not_be_executed) {
  const UnitPaths paths(unit_of("[Service]\nNoExecPaths=/\nExecPaths=/usr/bin/redis-server /usr/lib\n"));
  EXPECT_EQ(paths.what_forbids_execution("/usr/lib/x86_64-linux-gnu/sidrec/sidrec-recorder"), "");
  EXPECT_EQ(paths.what_forbids_execution("/opt/sidrec/sidrec-recorder"), "NoExecPaths=/");
}

// -- seccomp

TEST(SystemCallFilter, of_debians_redis_denies_one_call_of_the_recorder) {
  EXPECT_THAT(denied_calls({"@system-service", "~ @privileged @resources"}), ElementsAre("setpriority"));
  EXPECT_THAT(denied_calls({"@system-service", "~ @privileged @resources", "setpriority"}), IsEmpty());
}

TEST(SystemCallFilter, the_first_assignment_decides_what_the_others_add_to) {
  EXPECT_THAT(denied_calls({}), IsEmpty());
  EXPECT_THAT(denied_calls({"@system-service"}), IsEmpty());
  EXPECT_THAT(denied_calls({"~flock connect:EPERM", "connect"}), ElementsAre("flock"));
  EXPECT_THAT(denied_calls({"@system-service", "~@network-io", "socket"}),
              ::testing::AllOf(::testing::Contains("bind"), ::testing::Not(::testing::Contains("socket"))));
  EXPECT_THAT(denied_calls({"@basic-io"}), ::testing::Contains("openat"));
}

TEST(AddressFamilies, are_allowed_or_denied) {
  EXPECT_TRUE(allows_family({}, "AF_UNIX"));
  EXPECT_FALSE(allows_family({"AF_INET AF_INET6"}, "AF_UNIX"));
  EXPECT_TRUE(allows_family({"AF_INET", "AF_UNIX"}, "AF_UNIX"));
  EXPECT_FALSE(allows_family({"~AF_NETLINK"}, "AF_NETLINK"));
  EXPECT_TRUE(allows_family({"~AF_PACKET"}, "AF_UNIX"));
  EXPECT_FALSE(allows_family({"none"}, "AF_UNIX"));
}

// -- AppArmor

TEST(AppArmor, finds_the_profile_that_attaches_to_a_program) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "local");
  write_file(dir / "usr.sbin.named", "#include <tunables/global>\n/usr/sbin/named flags=(attach_disconnected) {\n}\n");
  write_file(dir / "proxy", "profile proxy /usr/{bin,sbin}/prox* flags=(complain) {\n  /usr/sbin/other {\n}\n");
  EXPECT_TRUE(profile_for("/usr/sbin/named", dir.path())->enforced);
  EXPECT_FALSE(profile_for("/usr/sbin/named", dir.path())->knows_us);
  EXPECT_EQ(profile_for("/usr/bin/proxy", dir.path())->name, "proxy");
  EXPECT_FALSE(profile_for("/usr/bin/proxy", dir.path())->enforced);
  EXPECT_FALSE(profile_for("/usr/bin/sub/proxy", dir.path()));
  write_file(dir / "local/usr.sbin.named", "/run/sidrec/** rwkl,\n");
  EXPECT_TRUE(profile_for("/usr/sbin/named", dir.path())->knows_us);
}

TEST(AppArmor, reads_the_label_of_a_process) {
  EXPECT_EQ(profile_of_label("/usr/sbin/named (enforce)\n")->name, "/usr/sbin/named");
  EXPECT_TRUE(profile_of_label("/usr/sbin/named (enforce)\n")->enforced);
  EXPECT_FALSE(profile_of_label("x (complain)\n")->enforced);
  EXPECT_FALSE(profile_of_label("unconfined\n"));
  EXPECT_FALSE(profile_of_label(""));
}

// -- places

TEST(Places, the_obstacle_to_writing_is_named) {
  const TempDir dir;  // of mode 0700
  const Identity stranger{getuid() + 12345, getgid() + 12345, {}};
  EXPECT_EQ(obstacle_to_writing(dir / "audit/deeper", own_identity()), std::nullopt);
  EXPECT_EQ(obstacle_to_writing(dir / "audit", stranger), dir.path());
  write_file(dir / "file", "");
  EXPECT_EQ(obstacle_to_writing(dir / "file/below", own_identity()), dir / "file");
  EXPECT_FALSE(may_access(stranger, dir / "file", R_OK)) << "readable, in a directory that is not";
  chmod(dir.path().c_str(), 0770);
  const Identity member{stranger.uid, stranger.gid, {getegid()}};
  EXPECT_EQ(obstacle_to_writing(dir / "audit", member), std::nullopt);
  EXPECT_TRUE(may_access(member, dir / "file", R_OK));
}

// -- report

TEST(Report, aligns_and_colours_for_a_terminal_only) {
  Diagnosis diagnosis{"program", "x", "/bin/x", "It will be recorded.", {}};
  diagnosis.findings.ok("program", "Fine.");
  diagnosis.findings.note("audit directory", "What.", "Why.", "Remedy.");
  EXPECT_EQ(readable(diagnosis, false),
            "/bin/x\n"
            "ok       program          Fine.\n"
            "note     audit directory  What.\n"
            "                          Why.\n"
            "                          Remedy.\n"
            "It will be recorded.\n");
  EXPECT_THAT(readable(diagnosis, true), HasSubstr("\x1b[33mnote\x1b[0m     audit directory  What."));
  diagnosis.findings.problem("a", "b", "c", "d");
  EXPECT_THAT(readable(diagnosis, false), ::testing::EndsWith("\nNot recorded, or not wholly: 1 problem.\n"));
}

TEST(Report, as_json_holds_everything_also_names_that_are_not_utf8) {
  Diagnosis diagnosis{"program", "x\xff", "/bin/x\xff", "", {}};
  diagnosis.findings.problem("a", "b", "c", "d");
  const auto object = nlohmann::json::parse(json(diagnosis));
  EXPECT_EQ(object["recordable"], false);
  EXPECT_EQ(object["findings"][0]["severity"], "problem");
  EXPECT_EQ(object["findings"][0]["remedy"], "d");
}

}  // namespace
}  // namespace sidrec::cli
