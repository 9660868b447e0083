// What of a program's file bears on its recording.
#pragma once

#include <string>
#include <vector>

#include "recorder/cli/elf_file.h"
#include "recorder/cli/raw_calls.h"

namespace sidrec::cli {

struct ElfFacts {
  bool is_go = false;         // Go makes its system calls itself, also where it is linked dynamically
  bool has_jemalloc = false;  // which reads its settings past libc, and nothing else
  bool needs_liburing = false;
  std::string own_tls;  // what shows that TLS is linked into it: a symbol or a source file's name; "" if nothing does
  RawCalls raw_calls;
};

ElfFacts facts_of(const ElfFile& elf);

}  // namespace sidrec::cli
