// What a fuzz target is written with. The same function is run by libFuzzer (scripts/fuzz) and, over the checked-in
// corpus, by a plain test (corpus_test.cpp).
//
//   FUZZ_TARGET(name, input) { ... expect(condition, "sentence"); ... }
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>

namespace sidrec::fuzz {

// Takes an input apart from its front. What is not there any more is 0, so that every input means something.
class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}

  bool is_empty() const { return rest_.empty(); }
  std::string_view rest() { return take(rest_.size()); }
  std::string_view take(size_t bytes) {
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // At most so many bytes, by the number in front of them.
  std::string_view some(size_t most) {
    return take(most < 256 ? byte() % (most + 1) : number<uint16_t>() % (most + 1));
  }
  template <typename T>
  T number() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    const std::string_view taken = take(sizeof value);
    if (!taken.empty()) std::memcpy(&value, taken.data(), taken.size());
    return value;
  }
  uint8_t byte() { return number<uint8_t>(); }
  uint8_t below(uint8_t bound) { return static_cast<uint8_t>(byte() % bound); }

 private:
  std::string_view rest_;
};

// A sentence that every input must leave true.
inline void expect(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", sentence);
  std::abort();
}

using Target = void (*)(Input);
std::map<std::string, Target>& targets();

}  // namespace sidrec::fuzz

#ifdef SIDREC_FUZZ
#define FUZZ_TARGET(name, input)                                                     \
  static void fuzz_##name(::sidrec::fuzz::Input input);                              \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {          \
    fuzz_##name(::sidrec::fuzz::Input({reinterpret_cast<const char*>(data), size})); \
    return 0;                                                                        \
  }                                                                                  \
  static void fuzz_##name(::sidrec::fuzz::Input input)
#else
#define FUZZ_TARGET(name, input)                                                                    \
  static void fuzz_##name(::sidrec::fuzz::Input input);                                             \
  static const bool name##_is_known = ::sidrec::fuzz::targets().emplace(#name, fuzz_##name).second; \
  static void fuzz_##name(::sidrec::fuzz::Input input)
#endif
