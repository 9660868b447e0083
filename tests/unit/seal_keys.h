// Two halves of a key, made by openssl as an administrator makes them.
#pragma once

#include <cstdlib>
#include <optional>

#include "recorder/trail/seal_key.h"
#include "tests/unit/trail_vocabulary.h"

namespace sidrec::trail_test {

class SealKeys {
 public:
  explicit SealKeys(const TempDir& dir) : secret_path_(dir / "seal.pem"), open_path_(dir / "seal.pub") {
    run("openssl genpkey -algorithm ed25519 -out " + secret_path_);
    run("openssl pkey -pubout -in " + secret_path_ + " -out " + open_path_);
    chmod(secret_path_.c_str(), 0600);
    auto secret = SealKey::load(secret_path_);
    auto open = SealPublicKey::load(open_path_);
    EXPECT_TRUE(secret && open);
    secret_.emplace(std::move(*secret));
    open_.emplace(*open);
  }
  const SealKey& secret() const { return *secret_; }
  const SealPublicKey& open() const { return *open_; }
  const std::string& secret_path() const { return secret_path_; }
  const std::string& open_path() const { return open_path_; }

 private:
  static void run(const std::string& command) { EXPECT_EQ(std::system((command + " 2>/dev/null").c_str()), 0); }

  std::string secret_path_, open_path_;
  std::optional<SealKey> secret_;
  std::optional<SealPublicKey> open_;
};

}  // namespace sidrec::trail_test
