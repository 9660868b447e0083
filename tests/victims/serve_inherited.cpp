// Not a victim by itself: what an inetd starts. Answers on descriptor 1 what it reads from descriptor 0.
#include <unistd.h>

int main() {
  char buffer[512];
  ssize_t got;
  while ((got = ::read(0, buffer, sizeof buffer)) > 0) {
    if (::write(1, "you said: ", 10) != 10 || ::write(1, buffer, static_cast<size_t>(got)) != got) return 1;
  }
  return got == 0 ? 0 : 2;
}
