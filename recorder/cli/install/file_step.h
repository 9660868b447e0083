// Files that `sidrec install` writes, which can be told from others by their first line, and their removal.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "recorder/cli/install/step.h"

namespace sidrec::cli {

inline constexpr std::string_view kWrittenByUs = "# Written by \"sidrec install\"; \"sidrec uninstall\" removes it.\n";

bool is_written_by_us(const std::string& path);

// Below kWrittenByUs. A file of that name that is somebody else's, or a link in its way, is an error.
std::unique_ptr<Step> write_our_file(const std::string& path, const std::string& text);
// As it is, and only where there is none.
std::unique_ptr<Step> write_new_file(const std::string& path, const std::string& text);
std::unique_ptr<Step> make_link(const std::string& path, const std::string& target);
std::unique_ptr<Step> remove_file(const std::string& path);
// These leave alone what is not ours.
std::unique_ptr<Step> remove_our_file(const std::string& path);
std::unique_ptr<Step> remove_our_file_and_folder(const std::string& path);  // the folder if it has become empty
std::unique_ptr<Step> remove_link(const std::string& path);

}  // namespace sidrec::cli
