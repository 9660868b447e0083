#include <algorithm>

#include "recorder/cli/command_line.h"

int main(int argc, char** argv) { return sidrec::cli::run_command_line({argv + std::min(argc, 1), argv + argc}); }
