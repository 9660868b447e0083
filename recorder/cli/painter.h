// Colours, for a terminal only: without them a text passes as it is.
#pragma once

#include <string>
#include <string_view>

namespace sidrec::cli {

// Select graphic rendition (ECMA-48), as every terminal has it.
inline constexpr std::string_view kDim = "2", kBold = "1", kRed = "1;31", kGreen = "32", kCyan = "36", kYellow = "33";

class Painter {
 public:
  explicit Painter(bool colour) : colour_(colour) {}
  std::string operator()(std::string_view style, std::string_view text) const {
    if (!colour_) return std::string(text);
    return std::string("\x1b[").append(style).append("m").append(text).append("\x1b[0m");
  }

 private:
  bool colour_;
};

}  // namespace sidrec::cli
