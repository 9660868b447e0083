// Accept, fork, dup2 onto 0 and 1, exec: another program serves the connection without ever having accepted it.
#include "tests/victims/loopback.h"
#include "tests/victims/partner.h"

using namespace victim;

int main() {
  const std::string server = partner("victim_serve_inherited");
  const Loopback loopback;
  for (unsigned i = 0; i < 3; ++i) {
    Connection& c = loopback.connect();
    c.via = "inherited";
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(c.fd, 0);
      ::dup2(c.fd, 1);
      ::close(c.fd);
      ::close(loopback.fd);
      ::execl(server.c_str(), server.c_str(), nullptr);
      ::_exit(127);
    }
    close_host_end(c);
    const std::string question = "who are you, number " + std::to_string(i);
    send_all(c.client, question);
    check("the server answers", c.client_receives(question.size() + 10) == "you said: " + question);
    ::shutdown(c.client, SHUT_WR);
    check("the server ends", receive_until_end(c.client).empty());
    expect_child_succeeds("exec'd server", child);
    c.consumed(question);
    c.produced("you said: " + question);
  }
  return finish();
}
