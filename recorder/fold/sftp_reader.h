// SftpReader: the SSH File Transfer Protocol, version 3, as OpenSSH speaks it (draft-ietf-secsh-filexfer-02). Bulk are
// WRITE and its good STATUS, READ and its DATA; a transfer is one open file in one direction.
#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "recorder/fold/transfer.h"

namespace sidrec::fold {

class SftpReader : public TransferReader {
 public:
  // What a client says first (SSH_FXP_INIT, version 3).
  static constexpr std::string_view kFirstBytes{"\0\0\0\5\1\0\0\0", 8};

  void read(Direction dir, std::string_view bytes, TransferListener& to) override;
  void end(TransferListener& to) override;
  bool has_given_up() const override { return given_up_; }

 private:
  static constexpr size_t kFirstWanted = 5;  // length and type

  struct Side {
    TransferCounter counter;
    bool sequential = true;
  };
  struct File {
    std::string name;
    bool written = false;  // opened for writing
    std::optional<uint64_t> size;
    Side sides[2];  // kIn: written by the client, kOut: read by it
  };
  struct Request {
    uint8_t type = 0;
    std::string subject;  // a path, or a handle
    uint64_t offset = 0;
    bool writes = false;
  };
  // A direction, in the middle of a packet.
  struct Stream {
    std::string head;              // of the packet, as far as it must be known
    size_t wanted = kFirstWanted;  // bytes of it that are needed next
    uint64_t left = 0;             // of the packet, behind the head
    bool is_bulk = false;          // these are
    std::string file;              // handle of the file whose bytes they are; empty: of none
  };

  size_t read_head(Direction dir, std::string_view bytes, TransferListener& to);
  bool decide(Direction dir, TransferListener& to);
  bool decide_request(Stream& stream, TransferListener& to);
  bool decide_reply(Stream& stream, TransferListener& to);
  static bool want(Stream& stream, uint64_t bytes, bool& fits);
  void rest(Direction dir, bool is_bulk, TransferListener& to);
  bool open(const std::string& handle, const Request& request);
  void learn_size(const Request& request, uint64_t bytes);
  void file_bytes(Direction dir, const std::string& handle, uint64_t offset, TransferListener& to);
  void close(const std::string& handle, bool finished, TransferListener& to);
  void give_up(TransferListener& to);

  Stream streams_[2];
  std::unordered_map<uint32_t, Request> requests_;
  std::map<std::string, File> files_;  // by handle
  std::string sized_path_;             // the last one whose size was asked for
  uint64_t sized_bytes_ = 0;
  bool given_up_ = false;
};

}  // namespace sidrec::fold
