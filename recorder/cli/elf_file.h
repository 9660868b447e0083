// One 64-bit ELF file (elf(5)), read piece by piece. It may be damaged or hostile: every offset is checked against the
// file's size before it is used, and what makes no sense reads as empty.
#pragma once

#include <elf.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/base/result.h"
#include "recorder/base/unique_fd.h"

namespace sidrec::cli {

struct ElfSymbol {
  std::string name;
  bool defined;
  bool is_function;
};

// A jump or data slot that the loader fills with the address of `symbol`.
struct ElfSlot {
  uint64_t address;
  std::string symbol;
};

struct ElfSection {
  std::string name;
  Elf64_Shdr header;
};

class ElfFile {
 public:
  static Result<ElfFile> of(const std::string& path, UniqueFd file);
  static Result<ElfFile> open(const std::string& path);

  // For the machine that this program runs on.
  bool is_native() const;
  bool has_interpreter() const;  // else it is static, or a library

  const std::vector<Elf64_Phdr>& segments() const { return segments_; }
  std::vector<ElfSection> sections() const;
  // Of .symtab and .dynsym.
  std::vector<ElfSymbol> symbols() const;
  std::vector<ElfSlot> slots() const;
  std::vector<std::string> needed() const;

  // What is in the file of a part; "" if it is not in the file.
  std::string bytes(uint64_t offset, uint64_t size) const;

 private:
  ElfFile(UniqueFd file, uint64_t size, const Elf64_Ehdr& header);
  bool read_segments();
  template <typename T>
  std::vector<T> table(uint64_t offset, uint64_t size) const;
  std::optional<uint64_t> offset_of(uint64_t address) const;

  UniqueFd file_;
  uint64_t size_;
  Elf64_Ehdr header_;
  std::vector<Elf64_Phdr> segments_;
};

}  // namespace sidrec::cli
