// Poller: what the recorder's one thread sleeps on (epoll(7)). A Watch is a registration: it ends with its object,
// which must go before its descriptor is closed. Handlers only note what happened; the work is done in the turns that
// follow, so that nothing ends while it is being called.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <unordered_map>

#include "recorder/base/result.h"
#include "recorder/base/unique_fd.h"

namespace sidrec {

class Poller {
 public:
  using Handler = std::function<void(uint32_t events)>;

  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& other) noexcept { *this = std::move(other); }
    Watch& operator=(Watch&& other) noexcept;
    ~Watch() { end(); }
    void end();
    // EPOLLIN, EPOLLOUT; level-triggered.
    void want(uint32_t events);

   private:
    friend class Poller;
    Poller* poller_ = nullptr;
    int fd_ = -1;
    uint64_t id_ = 0;
    uint32_t events_ = 0;
  };

  static Result<Poller> make();

  Watch watch(int fd, uint32_t events, Handler handler);
  // For ever with a negative timeout.
  void wait(int timeout_ms);

 private:
  explicit Poller(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  uint64_t last_id_ = 0;
  std::unordered_map<uint64_t, Handler> handlers_;
};

}  // namespace sidrec
