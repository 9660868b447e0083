#include "recorder/cli/elf_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

namespace sidrec::cli {
namespace {

constexpr size_t kMaxProgramHeaders = 1024;
constexpr uint64_t kMaxPiece = uint64_t{1} << 30;  // no program's single segment or table is larger

std::string name_at(const std::string& strings, uint64_t offset) {
  return offset < strings.size() ? std::string(strings.c_str() + offset) : std::string();
}

bool read_all(int fd, void* to, size_t bytes, uint64_t offset) {
  return pread(fd, to, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

// What this very program runs on is what the library was built for.
uint16_t own_machine() {
  const UniqueFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  Elf64_Ehdr header{};
  return read_all(self.get(), &header, sizeof header, 0) ? header.e_machine : static_cast<uint16_t>(EM_NONE);
}

}  // namespace

ElfFile::ElfFile(UniqueFd file, uint64_t size, const Elf64_Ehdr& header)
    : file_(std::move(file)), size_(size), header_(header) {}

Result<ElfFile> ElfFile::of(const std::string& path, UniqueFd file) {
  struct stat found {};
  Elf64_Ehdr header{};
  if (fstat(file.get(), &found) != 0) return errno_error("cannot look at " + path);
  if (!read_all(file.get(), &header, sizeof header, 0) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return Error{path + " is no ELF file"};
  }
  ElfFile elf(std::move(file), static_cast<uint64_t>(found.st_size), header);
  if (elf.is_native() && !elf.read_segments()) return Error{path + " is a damaged ELF file"};
  return elf;
}

Result<ElfFile> ElfFile::open(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return errno_error("cannot open " + path);
  return of(path, std::move(file));
}

bool ElfFile::read_segments() {
  if (header_.e_phentsize != sizeof(Elf64_Phdr) || header_.e_phnum > kMaxProgramHeaders) return false;
  segments_ = table<Elf64_Phdr>(header_.e_phoff, header_.e_phnum * sizeof(Elf64_Phdr));
  return segments_.size() == header_.e_phnum;
}

bool ElfFile::is_native() const {
  return header_.e_ident[EI_CLASS] == ELFCLASS64 && header_.e_machine == own_machine();
}

bool ElfFile::has_interpreter() const {
  return std::any_of(segments_.begin(), segments_.end(), [](const auto& each) { return each.p_type == PT_INTERP; });
}

std::string ElfFile::bytes(uint64_t offset, uint64_t size) const {
  if (size > kMaxPiece || offset > size_ || size > size_ - offset) return {};
  std::string piece(size, '\0');
  return read_all(file_.get(), piece.data(), size, offset) ? piece : std::string();
}

template <typename T>
std::vector<T> ElfFile::table(uint64_t offset, uint64_t size) const {
  const std::string raw = bytes(offset, size);
  std::vector<T> entries(raw.size() / sizeof(T));
  if (entries.empty()) return entries;  // whose data() may be null, which memcpy(3) may not be given
  std::memcpy(static_cast<void*>(entries.data()), raw.data(), entries.size() * sizeof(T));
  return entries;
}

std::optional<uint64_t> ElfFile::offset_of(uint64_t address) const {
  for (const Elf64_Phdr& each : segments_) {
    if (each.p_type != PT_LOAD || address < each.p_vaddr || address - each.p_vaddr >= each.p_filesz) continue;
    return each.p_offset + (address - each.p_vaddr);
  }
  return std::nullopt;
}

std::vector<ElfSection> ElfFile::sections() const {
  if (header_.e_shentsize != sizeof(Elf64_Shdr)) return {};
  const auto headers = table<Elf64_Shdr>(header_.e_shoff, uint64_t{header_.e_shnum} * sizeof(Elf64_Shdr));
  if (header_.e_shstrndx >= headers.size()) return {};
  const Elf64_Shdr& names = headers[header_.e_shstrndx];
  const std::string strings = bytes(names.sh_offset, names.sh_size);
  std::vector<ElfSection> result;
  for (const Elf64_Shdr& each : headers) result.push_back({name_at(strings, each.sh_name), each});
  return result;
}

std::vector<ElfSymbol> ElfFile::symbols() const {
  const auto all = sections();
  std::vector<ElfSymbol> result;
  for (const ElfSection& each : all) {
    const Elf64_Shdr& header = each.header;
    const bool symbols = header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM;
    if (!symbols || header.sh_link >= all.size()) continue;
    const Elf64_Shdr& names = all[header.sh_link].header;
    const std::string strings = bytes(names.sh_offset, names.sh_size);
    for (const Elf64_Sym& symbol : table<Elf64_Sym>(header.sh_offset, header.sh_size)) {
      result.push_back(
          {name_at(strings, symbol.st_name), symbol.st_shndx != SHN_UNDEF, ELF64_ST_TYPE(symbol.st_info) == STT_FUNC});
    }
  }
  return result;
}

std::vector<ElfSlot> ElfFile::slots() const {
  const auto all = sections();
  std::vector<ElfSlot> result;
  for (const ElfSection& each : all) {
    if (each.header.sh_type != SHT_RELA || each.header.sh_link >= all.size()) continue;
    const Elf64_Shdr& symbols = all[each.header.sh_link].header;
    if (symbols.sh_type != SHT_DYNSYM || symbols.sh_link >= all.size()) continue;
    const auto dynamic = table<Elf64_Sym>(symbols.sh_offset, symbols.sh_size);
    const Elf64_Shdr& names = all[symbols.sh_link].header;
    const std::string strings = bytes(names.sh_offset, names.sh_size);
    for (const Elf64_Rela& relocation : table<Elf64_Rela>(each.header.sh_offset, each.header.sh_size)) {
      const uint64_t symbol = ELF64_R_SYM(relocation.r_info);
      if (symbol == STN_UNDEF || symbol >= dynamic.size()) continue;
      result.push_back({relocation.r_offset, name_at(strings, dynamic[symbol].st_name)});
    }
  }
  return result;
}

std::vector<std::string> ElfFile::needed() const {
  std::multimap<int64_t, uint64_t> entries;
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type != PT_DYNAMIC) continue;
    for (const Elf64_Dyn& entry : table<Elf64_Dyn>(segment.p_offset, segment.p_filesz)) {
      entries.emplace(entry.d_tag, entry.d_un.d_val);
    }
  }
  const auto address = entries.find(DT_STRTAB), size = entries.find(DT_STRSZ);
  if (address == entries.end() || size == entries.end()) return {};
  const auto offset = offset_of(address->second);
  const std::string strings = offset ? bytes(*offset, size->second) : std::string();
  std::vector<std::string> names;
  for (auto [each, end] = entries.equal_range(DT_NEEDED); each != end; ++each) {
    names.push_back(name_at(strings, each->second));
  }
  return names;
}

}  // namespace sidrec::cli
