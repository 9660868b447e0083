#include "recorder/session/socket_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <cstring>

namespace sidrec {
namespace {

struct Question {
  nlmsghdr header;
  inet_diag_req_v2 request;
};

Question question_about(uint64_t cookie, const ConnOpen& open) {
  Question question{};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  inet_diag_req_v2& request = question.request;
  request.sdiag_family = open.family;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = ~0u;
  request.id.idiag_sport = htons(open.server_port);
  request.id.idiag_dport = htons(open.client_port);
  std::memcpy(request.id.idiag_src, open.server_addr, sizeof request.id.idiag_src);
  std::memcpy(request.id.idiag_dst, open.client_addr, sizeof request.id.idiag_dst);
  request.id.idiag_cookie[0] = static_cast<uint32_t>(cookie);
  request.id.idiag_cookie[1] = static_cast<uint32_t>(cookie >> 32);
  return question;
}

}  // namespace

bool SocketDiag::is_held(uint64_t cookie, const ConnOpen& open) {
  if (open.family != AF_INET && open.family != AF_INET6) return true;
  if (!socket_) socket_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!socket_) return true;
  const Question question = question_about(cookie, open);
  if (::send(socket_.get(), &question, sizeof question, 0) < 0) return true;
  // The kernel answers before send returns, with one message: the connection, or an error.
  alignas(nlmsghdr) char answer[8192];
  const ssize_t got = ::recv(socket_.get(), answer, sizeof answer, MSG_DONTWAIT);
  if (got < static_cast<ssize_t>(sizeof(nlmsghdr))) return true;
  nlmsghdr header{};
  std::memcpy(&header, answer, sizeof header);
  if (header.nlmsg_type == NLMSG_ERROR) {
    nlmsgerr error{};
    if (static_cast<size_t>(got) >= NLMSG_HDRLEN + sizeof error) {
      std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
    }
    return error.error != -ENOENT && error.error != -ESTALE;
  }
  inet_diag_msg found{};
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY || static_cast<size_t>(got) < NLMSG_HDRLEN + sizeof found) return true;
  std::memcpy(&found, answer + NLMSG_HDRLEN, sizeof found);
  return found.idiag_inode != 0;  // an orphan belongs to the kernel alone
}

}  // namespace sidrec
