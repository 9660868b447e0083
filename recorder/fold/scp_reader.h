// ScpReader: the protocol of rcp that scp -O speaks (OpenSSH's scp.c: source and sink). One direction carries lines
// ("C0644 1234 name", D, E, T, a status byte) and, after a C line, the file; the other only acknowledges.
#pragma once

#include <string>
#include <vector>

#include "recorder/fold/transfer.h"

namespace sidrec::fold {

class ScpReader : public TransferReader {
 public:
  // What the first byte of the direction that carries files can be: its first line is one of these.
  static constexpr std::string_view kFirstLetters = "CDT";

  explicit ScpReader(Direction carries) : carries_(carries) {}

  void read(Direction dir, std::string_view bytes, TransferListener& to) override;
  void end(TransferListener& to) override;
  bool has_given_up() const override { return given_up_; }

 private:
  size_t read_line(std::string_view bytes, TransferListener& to);
  bool understand(const std::string& line);
  void finish(bool finished, TransferListener& to);

  Direction carries_;
  std::string line_;
  std::vector<std::string> folders_;
  bool in_file_ = false;
  std::string name_;
  uint64_t size_ = 0;
  TransferCounter counter_;
  bool given_up_ = false;
};

}  // namespace sidrec::fold
