// A SID, and the template that it comes of.
#include <algorithm>

#include "recorder/base/sid_path.h"
#include "recorder/session/sid_template.h"
#include "tests/fuzz/target.h"

using namespace sidrec;
using fuzz::expect;

namespace {

void check_name(const std::string& sid) {
  const std::string name = encode_sid(sid);
  expect(!name.empty() && name.size() <= kMaxEncodedSid, "a name has a bound");
  expect(name.front() != '.', "no name is hidden, none leads upwards");
  expect(std::all_of(name.begin(), name.end(),
                     [](unsigned char c) {
                       return std::isalnum(c) ||
                              std::string_view("._@:%-").find(static_cast<char>(c)) != std::string_view::npos;
                     }),
         "a name is one plain component of a path");
  expect(socket_name(sid).size() == 37, "a socket's name is a hash");
}

}  // namespace

FUZZ_TARGET(sid, input) {
  const std::string one(input.some(600)), other(input.some(600));
  check_name(one);
  check_name(other);
  if (one != other) {
    expect(encode_sid(one) != encode_sid(other), "different SIDs have different names");
    expect(socket_name(one) != socket_name(other), "and different sockets");
  }
  ConnOpen open{};
  open.family = input.byte();
  open.client_port = input.number<uint16_t>();
  const auto address = input.take(sizeof open.client_addr);
  std::copy(address.begin(), address.end(), open.client_addr);
  const std::string user(input.some(64)), env(input.some(600)), program(input.some(40));
  const SidTemplate sid_template(std::string(input.rest()), program, env);
  const std::string sid = sid_template.resolve(open, user);
  expect(sid.size() <= kMaxSidBytes, "a SID has a bound");
  expect(sid == sid_template.resolve(open, user), "a template says the same of the same");
  check_name(sid);
}
