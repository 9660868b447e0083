#include <algorithm>
#include <cctype>

#include "recorder/cli/apparmor.h"
#include "recorder/cli/diagnosis.h"
#include "recorder/cli/elf_facts.h"
#include "recorder/cli/library.h"
#include "recorder/cli/place_check.h"
#include "recorder/cli/preload_check.h"
#include "recorder/cli/printable.h"

namespace sidrec::cli {
namespace {

constexpr const char* kPastLibc =
    "The library sees libc's calls only: what passes by others is missing, and conn.close says \"complete\":false.";

std::string as_sentence(std::string text) {
  if (!text.empty()) text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  return text + ".";
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& each : words) text += (text.empty() ? "" : ", ") + each;
  return text;
}

// -N, also among other letters: squid -NYC
bool squid_stays_one_process(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [](const std::string& each) {
    return each == "--no-daemon" ||
           (each.size() > 1 && each[0] == '-' && each[1] != '-' && each.find('N') != std::string::npos);
  });
}

// What these programs do to their own environment or rights shows only when they run.
void check_known_habits(Findings& findings, const std::string& path, const std::vector<std::string>& arguments) {
  const std::string name = name_of(path);
  if (name == "squid" && !squid_stays_one_process(arguments)) {
    findings.problem("secure execution", "squid starts its worker with another real than effective user.",
                     "The loader preloads nothing in such a process (AT_SECURE), and that one serves the clients.",
                     "Start it with -N (in a service: Type=simple, ExecStart=… -N).");
  }
  if (name == "nginx") {
    findings.note("environment", "nginx hands LD_PRELOAD on at a binary upgrade (USR2) only if told to.",
                  "After an upgrade its connections would not be recorded.",
                  "Put \"env LD_PRELOAD;\" into the main part of nginx.conf, and one line for each SIDREC_ variable.");
  }
}

void check_raw_calls(Findings& findings, const ElfFacts& facts) {
  std::set<std::string> io = facts.raw_calls.io;
  if (facts.has_jemalloc) {  // which reads its settings that way
    io.erase("read");
    io.erase("write");
  }
  std::erase_if(io, [](const std::string& each) { return each.starts_with("io_uring"); });
  if (facts.is_go) {
    findings.problem("system calls", "It is a Go program, which makes its system calls itself.", kPastLibc,
                     "Put a proxy that can be recorded in front of it.");
  } else if (!io.empty()) {
    findings.problem("system calls", "It makes calls past libc: " + joined(io) + ".", kPastLibc,
                     "Use a build without them, or prove by a trial that its connections are \"complete\":true.");
  } else if (facts.raw_calls.unknown > 0) {
    findings.note("system calls",
                  "It makes " + std::to_string(facts.raw_calls.unknown) + " calls past libc that cannot be named.",
                  kPastLibc, "Make a trial, and see that its connections are \"complete\":true.");
  } else {
    findings.ok("system calls", "None is seen that passes a client's bytes by libc.");
  }
}

void check_io_uring(Findings& findings, const ElfFacts& facts) {
  const auto& io = facts.raw_calls.io;
  const bool own = std::any_of(io.begin(), io.end(), [](const auto& each) { return each.starts_with("io_uring"); });
  if (!own && !facts.needs_liburing) return;
  findings.problem("io_uring", own ? "It sets up io_uring itself." : "It is linked to liburing.", kPastLibc,
                   "Turn io_uring off in its settings; or start it and ask \"sidrec doctor PID\" whether it uses it.");
}

}  // namespace

void check_program_contents(Findings& findings, const std::string& path, bool shows_io_uring) {
  const auto elf = ElfFile::open(path);
  if (!elf) {
    return findings.note("system calls", as_sentence(printable(elf.error().message)),
                         "Calls past libc cannot be looked for.", "Run sidrec doctor as root.");
  }
  const ElfFacts facts = facts_of(*elf);
  // A static program has its own libc, and more to complain of than its calls.
  if (elf->has_interpreter() || facts.is_go) check_raw_calls(findings, facts);
  if (shows_io_uring) check_io_uring(findings, facts);
  if (!facts.own_tls.empty()) {
    findings.note("TLS", "TLS is linked into the program itself (" + facts.own_tls + ").",
                  "TLS that ends there is in the trail as ciphertext.",
                  "Where plaintext is wanted, end TLS in a proxy that links libssl dynamically.");
  }
}

void check_program_file(Findings& findings, const std::string& path, const std::vector<std::string>& arguments) {
  const PreloadCheck check = check_program(path);
  if (check.refusal) {
    const Refusal& refusal = *check.refusal;
    findings.problem("program", printable(refusal.path) + ": " + refusal.what + ".", as_sentence(refusal.why),
                     as_sentence(refusal.remedy));
  } else {
    findings.ok("program", printable(check.executable) + " is dynamic, native and without special rights.");
  }
  check_known_habits(findings, path, arguments);
  check_program_contents(findings, check.executable, true);
  if (!apparmor_is_enabled()) return;
  if (const auto profile = profile_for(check.executable)) report_profile(findings, *profile);
}

Result<Diagnosis> diagnose_program(const std::string& path, const std::vector<std::string>& arguments,
                                   const StoreOptions& options) {
  const auto store = locate_store(options);
  if (!store) return store.error();
  Diagnosis diagnosis{"program", {}, path, "\"sidrec run\" will record it.", {}};
  Findings& findings = diagnosis.findings;
  check_program_file(findings, path, arguments);
  const Identity who = own_identity();
  RecorderFile recorder;
  if (const auto library = find_library()) {
    findings.ok("library", printable(*library) + " is there.");
    check_recorder(findings, *library, who);
    recorder = RecorderFile::beside(*library);
  } else {
    findings.problem("library", as_sentence(library.error().message), "It is what records.",
                     "Install it beside sidrec, or in its lib directory.");
  }
  const auto writer = [&](const std::string& place) { return writer_of(recorder, who, place); };
  check_directory(findings, Directory::kAudit, store->audit_dir, writer(store->audit_dir));
  check_directory(findings, Directory::kRun, store->run_dir, writer(store->run_dir));
  return diagnosis;
}

}  // namespace sidrec::cli
