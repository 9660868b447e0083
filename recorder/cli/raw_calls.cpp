#include "recorder/cli/raw_calls.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace sidrec::cli {
namespace {

constexpr std::pair<long, const char*> kIoCalls[] = {
    {SYS_read, "read"},
    {SYS_write, "write"},
    {SYS_readv, "readv"},
    {SYS_writev, "writev"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_sendto, "sendto"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_recvmmsg, "recvmmsg"},
    {SYS_sendmmsg, "sendmmsg"},
    {SYS_accept, "accept"},
    {SYS_accept4, "accept4"},
    {SYS_splice, "splice"},
    {SYS_sendfile, "sendfile"},
    {SYS_io_uring_setup, "io_uring_setup"},
    {SYS_io_uring_enter, "io_uring_enter"},
};

// How far before a call its number is looked for: the loads of six arguments take no more.
constexpr size_t kLookBack = 48;
constexpr size_t kLookBackForZero = 24;  // two bytes that mean a register is cleared are all too common

// x86-64 instructions, their first bytes.
using namespace std::string_view_literals;
constexpr auto kSyscall = "\x0f\x05"sv;
constexpr char kMovEax = '\xb8', kMovEdi = '\xbf', kCall = '\xe8', kJump = '\xe9';
constexpr auto kZeroEax = "\x31\xc0"sv, kZeroEdi = "\x31\xff"sv;
constexpr auto kCallSlot = "\xff\x15"sv, kJumpSlot = "\xff\x25"sv;  // through memory, relative to the next instruction
constexpr auto kEndBranch = "\xf3\x0f\x1e\xfa"sv;
constexpr char kBound = '\xf2';

int32_t int32_at(std::string_view bytes, size_t at) {
  int32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

// The number that was loaded last before `at`.
std::optional<long> loaded_before(std::string_view bytes, size_t at, char load, std::string_view zero) {
  const size_t begin = at > kLookBack ? at - kLookBack : 0;
  for (size_t i = at; i-- > begin;) {
    if (bytes[i] == load && i + 5 <= at) {
      const int32_t number = int32_at(bytes, i + 1);
      if (number >= 0 && number < 1024) return number;
    }
    if (bytes.substr(i, 2) == zero && i + 2 <= at && at - i <= kLookBackForZero) return 0;
  }
  return std::nullopt;
}

void note(RawCalls& calls, std::optional<long> number) {
  if (!number) ++calls.unknown;
  for (const auto& [io, name] : kIoCalls) {
    if (number == io) calls.io.insert(name);
  }
}

// The two bytes are mostly part of an address, whose upper bytes are 00 or ff.
bool is_part_of_an_address(std::string_view bytes, size_t at) {
  const std::string_view next = bytes.substr(at + kSyscall.size(), 2);
  return next.find('\0') != next.npos || next.find('\xff') != next.npos;
}

// What follows tells the instruction more surely: the result is compared, kept, or handed back.
bool looks_like_a_call(std::string_view bytes, size_t at) {
  std::string_view next = bytes.substr(at + kSyscall.size(), 4);
  if (!next.empty() && (next[0] & '\xf0') == '\x40') next.remove_prefix(1);  // REX: 64 bits, or a register from r8 on
  if (next.empty()) return false;
  constexpr auto kCompare = "\x3d\x85\x83\xf7"sv, kKeep = "\x89\x8b\x63\x98"sv, kHandBack = "\xc3\xc9\xeb\xe9"sv;
  const char opcode = next[0];
  const bool pops = opcode >= '\x58' && opcode <= '\x5f';
  return pops || kCompare.find(opcode) != kCompare.npos || kKeep.find(opcode) != kKeep.npos ||
         kHandBack.find(opcode) != kHandBack.npos;
}

// A wrapper for any call: its number comes in a register or from the stack.
bool moves_to_eax(std::string_view bytes, size_t at) {
  const std::string_view before = bytes.substr(at - std::min(at, kLookBack), std::min(at, kLookBack));
  for (size_t i = 0; i + 1 < before.size(); ++i) {
    const auto operands = static_cast<uint8_t>(before[i + 1]);
    if (before[i] == '\x89' && operands >= 0xc0 && (operands & 7) == 0) return true;
    if (before[i] == '\x8b' && (operands & 0x38) == 0) return true;
  }
  return false;
}

void find_instructions(std::string_view bytes, RawCalls& calls) {
  for (size_t at = bytes.find(kSyscall); at != bytes.npos; at = bytes.find(kSyscall, at + 1)) {
    const auto number = loaded_before(bytes, at, kMovEax, kZeroEax);
    const bool constant = number.value_or(0) > 0;
    const bool likely = number || moves_to_eax(bytes, at);
    if (constant ? !is_part_of_an_address(bytes, at) : likely && looks_like_a_call(bytes, at)) note(calls, number);
  }
}

// What `call` and `jmp` name to reach a slot: the stubs of the procedure linkage table.
std::set<uint64_t> stubs_of(const std::vector<Code>& code, const std::set<uint64_t>& slots) {
  std::set<uint64_t> stubs;
  for (const Code& each : code) {
    const std::string_view bytes = each.bytes;
    for (size_t at = bytes.find(kJumpSlot); at != bytes.npos && at + 6 <= bytes.size();
         at = bytes.find(kJumpSlot, at + 1)) {
      if (!slots.contains(each.address + at + 6 + static_cast<int64_t>(int32_at(bytes, at + 2)))) continue;
      size_t start = at;
      if (start >= 1 && bytes[start - 1] == kBound) --start;
      if (start >= 4 && bytes.substr(start - 4, 4) == kEndBranch) start -= 4;
      stubs.insert(each.address + start);
    }
  }
  return stubs;
}

void find_calls(const Code& code, const std::set<uint64_t>& stubs, const std::set<uint64_t>& slots, RawCalls& calls) {
  const std::string_view bytes = code.bytes;
  for (size_t at = 0; at + 6 <= bytes.size(); ++at) {
    const bool direct = bytes[at] == kCall || bytes[at] == kJump;
    if (!direct && bytes.substr(at, 2) != kCallSlot) continue;
    const size_t opcode = direct ? 1 : 2;
    const uint64_t target = code.address + at + opcode + 4 + static_cast<int64_t>(int32_at(bytes, at + opcode));
    if ((direct ? stubs : slots).contains(target)) note(calls, loaded_before(bytes, at, kMovEdi, kZeroEdi));
  }
}

}  // namespace

RawCalls raw_calls_in([[maybe_unused]] const std::vector<Code>& code,
                      [[maybe_unused]] const std::set<uint64_t>& slots) {
  RawCalls calls;
#if defined(__x86_64__)
  const std::set<uint64_t> stubs = slots.empty() ? slots : stubs_of(code, slots);
  for (const Code& each : code) {
    find_instructions(each.bytes, calls);
    if (!slots.empty()) find_calls(each, stubs, slots, calls);
  }
#endif
  return calls;
}

}  // namespace sidrec::cli
