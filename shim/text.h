// Strings without heap or stdio: a fixed buffer that knows when it ran over.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sidrec {

template <size_t N>
class Text {
 public:
  Text& operator<<(const char* s) {
    while (*s) put(*s++);
    return *this;
  }
  Text& operator<<(uint64_t value) {
    char digits[20];
    int n = 0;
    do digits[n++] = static_cast<char>('0' + value % 10);
    while (value /= 10);
    while (n) put(digits[--n]);
    return *this;
  }
  Text& hex(uint64_t value, int digits) {
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) put("0123456789abcdef"[(value >> shift) & 15]);
    return *this;
  }
  void put(char c) {
    if (size_ + 1 < N)
      bytes_[size_++] = c;
    else
      overflow_ = true;
    bytes_[size_] = '\0';
  }
  void cut(size_t size) {
    size_ = size;
    bytes_[size_] = '\0';
  }
  const char* c_str() const { return bytes_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool overflow() const { return overflow_; }

 private:
  char bytes_[N] = {};
  size_t size_ = 0;
  bool overflow_ = false;
};

}  // namespace sidrec
