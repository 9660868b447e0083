// The verbs of `sidrec`, one a file. Each add_ function declares its options and returns what to do when it was named.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace sidrec::cli {

struct Verb {
  CLI::App* app;
  std::function<int()> run;  // returns the exit code
};

// `command`: what stood behind "--", untouched by the option parser.
Verb add_run(CLI::App& app, const std::vector<std::string>& command);
Verb add_doctor(CLI::App& app, const std::vector<std::string>& command);
Verb add_ls(CLI::App& app);
Verb add_tail(CLI::App& app);
Verb add_cat(CLI::App& app);
Verb add_play(CLI::App& app);
Verb add_export(CLI::App& app);
Verb add_status(CLI::App& app);
Verb add_recover(CLI::App& app);
Verb add_verify(CLI::App& app);
Verb add_prune(CLI::App& app);
Verb add_install(CLI::App& app);
Verb add_uninstall(CLI::App& app);

}  // namespace sidrec::cli
