// System calls that a program makes past libc, where LD_PRELOAD cannot see them: by an instruction of its own, or by
// libc's syscall(2). Found by looking at machine code without disassembling it, so it errs now and then: towards
// calls that are not there only where bytes look exactly like one. x86-64; on other machines nothing is found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sidrec::cli {

struct RawCalls {
  std::set<std::string> io;  // those that can carry a client's bytes: "read", "io_uring_enter" …
  size_t unknown = 0;        // whose number is not loaded in sight
};

// One executable segment as it is in memory from `address` on.
struct Code {
  uint64_t address;
  std::string bytes;
};

// `slots`: addresses that the loader fills with that of libc's syscall(2).
RawCalls raw_calls_in(const std::vector<Code>& code, const std::set<uint64_t>& slots);

}  // namespace sidrec::cli
