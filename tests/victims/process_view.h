// What a process can see of itself from outside its memory: descriptors, threads, children.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace victim {

inline std::vector<int> numbers_in(const char* directory) {
  std::vector<int> numbers;
  DIR* entries = ::opendir(directory);
  if (entries == nullptr) return numbers;
  const int self = ::dirfd(entries);
  while (const dirent* entry = ::readdir(entries)) {
    const int number = std::atoi(entry->d_name);
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && number != self) numbers.push_back(number);
  }
  ::closedir(entries);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

inline std::string descriptors() {
  std::string list;
  for (const int fd : numbers_in("/proc/self/fd")) list += std::to_string(fd) + " ";
  return list;
}

inline size_t tasks() { return numbers_in("/proc/self/task").size(); }

// The state letter in /proc/<path>/stat, and the parent.
inline char state_of(const std::string& process, int* parent) {
  FILE* file = std::fopen(("/proc/" + process + "/stat").c_str(), "re");
  if (file == nullptr) return '?';
  char text[512];
  const size_t size = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  text[size] = '\0';
  const std::string stat(text);
  const size_t end = stat.rfind(')');  // a program's name may hold anything, a parenthesis too
  char state = '?';
  if (end == std::string::npos || std::sscanf(text + end + 1, " %c %d", &state, parent) != 2) return '?';
  return state;
}

// How many processes, dead or alive, have this one for a parent.
inline size_t children() {
  size_t count = 0;
  for (const int pid : numbers_in("/proc")) {
    int parent = 0;
    if (state_of(std::to_string(pid), &parent) != '?' && parent == ::getpid()) ++count;
  }
  return count;
}

}  // namespace victim
