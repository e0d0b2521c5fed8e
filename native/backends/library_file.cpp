#include "backends/library_file.h"

#if __has_include(<elf.h>)
#include <elf.h>
#include <link.h>

#include <cstring>
#include <fstream>
#endif

namespace silverlode {

#if __has_include(<elf.h>)

namespace {

constexpr uint64_t kMostHeaders = 64;

// The header of the binary that this code is part of.
extern "C" const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

bool read_at(std::ifstream& file, uint64_t offset, void* to, size_t bytes) {
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
  return file.good();
}

}  // namespace

std::string library_fault(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "it cannot be read";
  const uint64_t size = static_cast<uint64_t>(file.tellg());
  ElfW(Ehdr) header = {};
  if (size < SELFMAG || !read_at(file, 0, &header, size < sizeof header ? SELFMAG : sizeof header) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return "it is not a shared library";
  }
  if (size < sizeof header) return "it is cut off";
  const ElfW(Ehdr) & own = __ehdr_start;
  if (header.e_machine != own.e_machine || header.e_ident[EI_CLASS] != own.e_ident[EI_CLASS] ||
      header.e_ident[EI_DATA] != own.e_ident[EI_DATA] || header.e_type != ET_DYN) {
    return "it was built for another platform";
  }
  if (header.e_phentsize != sizeof(ElfW(Phdr)) || header.e_phnum > kMostHeaders) return "its header is damaged";
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) segment = {};
    if (!read_at(file, header.e_phoff + i * sizeof segment, &segment, sizeof segment)) return "it is cut off";
    if (segment.p_filesz > size || segment.p_offset > size - segment.p_filesz) return "it is cut off";
  }
  return "";
}

#else

std::string library_fault(const std::string&) { return ""; }  // other formats: the loader's word is enough

#endif

}  // namespace silverlode
