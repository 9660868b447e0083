#include "recorder/main/status.h"

#include <poll.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <variant>
#include <vector>

#include "recorder/link/messages.h"
#include "recorder/link/socket.h"

namespace sidrec {
namespace {

namespace fs = std::filesystem;

constexpr int kPatienceMs = 2000;

Result<std::string> answer_of(int socket) {
  if (auto sent = link::send_message(socket, link::encode(link::Status{})); !sent) return sent.error();
  link::ReceiveBuffer buffer;
  pollfd wait{socket, POLLIN, 0};
  if (::poll(&wait, 1, kPatienceMs) <= 0) return Error{"does not answer: it is stopped, or has no time"};
  const auto received = link::receive_message(socket, buffer);
  if (!received) return received.error();
  if (received->kind != link::Received::Kind::kMessage) return Error{"has just ended", ENOENT};
  const auto message = link::decode(received->datagram);
  if (!message) return message.error();
  if (const auto* report = std::get_if<link::Report>(&*message)) return report->text;
  if (const auto* refused = std::get_if<link::Refuse>(&*message)) return Error{refused->reason};
  return Error{"answers something else"};
}

}  // namespace

bool show_status(const std::string& run_dir) {
  std::vector<std::string> sockets;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(run_dir, failed)) {
    if (entry.path().extension() == ".sock") sockets.push_back(entry.path());
  }
  if (failed && failed != std::errc::no_such_file_or_directory) {
    std::cerr << "sidrec: cannot read " << run_dir << ": " << failed.message() << "\n";
    return false;
  }
  bool good = true;
  for (const std::string& path : sockets) {
    auto master = link::connect_to(path);
    const bool gone = master.result == link::ConnectResult::kAbsent || master.result == link::ConnectResult::kRefused;
    if (gone) continue;  // died, or ended meanwhile
    const Result<std::string> answer =
        master.fd ? answer_of(master.fd.get())
                  : Error{master.error.message.empty() ? "has no time for us" : master.error.message};
    if (answer) {
      std::cout << *answer << "\n";
    } else if (answer.error().code != ENOENT) {
      std::cerr << "sidrec: the master at " << path << " " << answer.error().message << "\n";
      good = false;
    }
  }
  return good;
}

}  // namespace sidrec
