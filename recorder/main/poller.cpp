#include "recorder/main/poller.h"

#include <array>
#include <utility>

namespace sidrec {

Poller::Watch& Poller::Watch::operator=(Watch&& other) noexcept {
  if (this == &other) return *this;
  end();
  poller_ = std::exchange(other.poller_, nullptr);
  fd_ = std::exchange(other.fd_, -1);
  id_ = other.id_;
  events_ = other.events_;
  return *this;
}

void Poller::Watch::end() {
  if (poller_ == nullptr) return;
  ::epoll_ctl(poller_->fd_.get(), EPOLL_CTL_DEL, fd_, nullptr);
  poller_->handlers_.erase(id_);
  poller_ = nullptr;
}

void Poller::Watch::want(uint32_t events) {
  if (poller_ == nullptr || events == events_) return;
  events_ = events;
  epoll_event event{};
  event.events = events;
  event.data.u64 = id_;
  ::epoll_ctl(poller_->fd_.get(), EPOLL_CTL_MOD, fd_, &event);
}

Result<Poller> Poller::make() {
  UniqueFd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!fd) return errno_error("cannot make an epoll instance");
  return Poller(std::move(fd));
}

Poller::Watch Poller::watch(int fd, uint32_t events, Handler handler) {
  Watch watch;
  watch.poller_ = this;
  watch.fd_ = fd;
  watch.id_ = ++last_id_;
  watch.events_ = events;
  epoll_event event{};
  event.events = events;
  event.data.u64 = watch.id_;
  ::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event);
  handlers_.emplace(watch.id_, std::move(handler));
  return watch;
}

void Poller::wait(int timeout_ms) {
  std::array<epoll_event, 128> events;
  const int count = ::epoll_wait(fd_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<size_t>(i)];
    if (const auto handler = handlers_.find(event.data.u64); handler != handlers_.end()) handler->second(event.events);
  }
}

}  // namespace sidrec
