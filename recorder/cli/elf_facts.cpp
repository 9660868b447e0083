#include "recorder/cli/elf_facts.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sidrec::cli {
namespace {

// Functions by which a TLS library hands out plaintext.
constexpr std::array<std::string_view, 5> kTlsFunctions = {"SSL_read", "gnutls_record_recv", "mbedtls_ssl_read",
                                                           "wolfSSL_read", "s2n_recv"};
// What their error messages hold, also in a stripped program: OpenSSL and BoringSSL, rustls, Mbed TLS.
constexpr std::array<std::string_view, 3> kTlsSources = {"ssl/ssl_lib.c", "/rustls-", "library/ssl_tls.c"};

std::vector<Code> code_of(const ElfFile& elf) {
  std::vector<Code> code;
  for (const Elf64_Phdr& each : elf.segments()) {
    if (each.p_type == PT_LOAD && (each.p_flags & PF_X) != 0) {
      code.push_back({each.p_vaddr, elf.bytes(each.p_offset, each.p_filesz)});
    }
  }
  return code;
}

std::set<uint64_t> syscall_slots(const ElfFile& elf) {
  std::set<uint64_t> addresses;
  for (const ElfSlot& slot : elf.slots()) {
    if (slot.symbol == "syscall") addresses.insert(slot.address);
  }
  return addresses;
}

void look_at_symbols(const ElfFile& elf, ElfFacts& facts) {
  for (const ElfSymbol& symbol : elf.symbols()) {
    if (!symbol.defined || !symbol.is_function) continue;
    if (std::find(kTlsFunctions.begin(), kTlsFunctions.end(), symbol.name) != kTlsFunctions.end()) {
      facts.own_tls = symbol.name;
    }
  }
}

void look_at_data(const ElfFile& elf, ElfFacts& facts) {
  for (const Elf64_Phdr& each : elf.segments()) {
    if (each.p_type != PT_LOAD || (each.p_flags & PF_X) != 0) continue;
    const std::string data = elf.bytes(each.p_offset, each.p_filesz);
    if (data.find("<jemalloc>") != data.npos) facts.has_jemalloc = true;
    for (const std::string_view source : kTlsSources) {
      if (facts.own_tls.empty() && data.find(source) != data.npos) facts.own_tls = source;
    }
  }
}

}  // namespace

ElfFacts facts_of(const ElfFile& elf) {
  ElfFacts facts;
  const auto sections = elf.sections();
  facts.is_go = std::any_of(sections.begin(), sections.end(), [](const auto& each) {
    return each.name == ".go.buildinfo" || each.name == ".note.go.buildid";
  });
  const auto needed = elf.needed();
  facts.needs_liburing =
      std::any_of(needed.begin(), needed.end(), [](const auto& each) { return each.starts_with("liburing"); });
  look_at_symbols(elf, facts);
  look_at_data(elf, facts);
  if (facts.is_go && facts.own_tls.empty()) facts.own_tls = "crypto/tls";
  facts.raw_calls = raw_calls_in(code_of(elf), syscall_slots(elf));
  return facts;
}

}  // namespace sidrec::cli
