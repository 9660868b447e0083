// Utf8Joiner: bytes that come in pieces as UTF-8 text. A character that is split between two pieces comes whole, with
// the second; what can never become one is U+FFFD. So this is for views only: evidence is never altered.
#pragma once

#include <string>
#include <string_view>

namespace sidrec::cli {

class Utf8Joiner {
 public:
  // The text up to the last whole character; the beginning of another is kept, at most three bytes.
  std::string join(std::string_view bytes);

  // Nothing more comes: what was kept is U+FFFD.
  std::string finish();

 private:
  std::string kept_;
};

}  // namespace sidrec::cli
