#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "recorder/base/settings.h"

namespace sidrec {
namespace {

TEST(session_settings, without_a_file_the_defaults_hold) {
  const auto loaded = load_settings("");
  EXPECT_EQ(loaded.settings, Settings{});
  EXPECT_TRUE(loaded.complaints.empty());
}

TEST(session_settings, each_setting_is_read) {
  const auto loaded = settings_from_json(
      R"({"retry_ms": 5, "queue_bytes": 262144, "linger_ms": 0, "spare_ms": 0, "order_window_ms": 7, "spool_bytes": 1,
          "seal_bytes": 4096, "seal_seconds": 1, "seal_key": "/etc/seal.pem",
          "segment_bytes": 65536, "segment_seconds": 1, "compress": true, "reserve_bytes": 0})",
      "f");
  EXPECT_TRUE(loaded.complaints.empty());
  Settings expected;
  expected.retry_ms = 5;
  expected.queue_bytes = 262144;
  expected.linger_ms = 0;
  expected.spare_ms = 0;
  expected.order_window_ms = 7;
  expected.spool_bytes = 1;
  expected.seal_bytes = 4096;
  expected.seal_seconds = 1;
  expected.seal_key = "/etc/seal.pem";
  expected.segment_bytes = 65536;
  expected.segment_seconds = 1;
  expected.compress = true;
  expected.reserve_bytes = 0;
  EXPECT_EQ(loaded.settings, expected);
}

TEST(session_settings, a_value_past_its_limit_keeps_the_default_and_is_complained_about) {
  const auto loaded = settings_from_json(
      R"({"retry_ms": 0, "queue_bytes": 131071, "linger_ms": 600001, "spare_ms": 600001, "order_window_ms": 501, "spool_bytes": -1,
          "seal_bytes": 4095, "seal_seconds": 0, "seal_key": "seal.pem",
          "segment_bytes": 65535, "segment_seconds": 31622401, "compress": 1,
          "reserve_bytes": 1073741825})",
      "f");
  EXPECT_EQ(loaded.settings, Settings{});
  EXPECT_EQ(loaded.complaints.size(), 13u);
}

TEST(session_settings, a_value_at_its_limit_is_taken) {
  const auto loaded = settings_from_json(R"({"retry_ms": 600000, "queue_bytes": 131072, "order_window_ms": 500})", "f");
  EXPECT_TRUE(loaded.complaints.empty());
  EXPECT_EQ(loaded.settings.queue_bytes, 131072u);
}

TEST(session_settings, unknown_keys_are_named_and_those_of_the_shim_are_not) {
  const auto loaded = settings_from_json(R"({"sid": "x", "patience_ms": 1, "colour": "blue"})", "the file");
  ASSERT_EQ(loaded.complaints.size(), 1u);
  EXPECT_EQ(loaded.complaints[0], "the file: unknown setting colour");
}

TEST(session_settings, a_file_that_is_broken_or_missing_is_complained_about_once) {
  for (const auto& loaded : {settings_from_json("{", "f"), settings_from_json("[1]", "f"), load_settings("/nowhere")}) {
    EXPECT_EQ(loaded.settings, Settings{});
    EXPECT_EQ(loaded.complaints.size(), 1u);
  }
}

TEST(session_settings, directories_are_absolute_paths) {
  const auto loaded = settings_from_json(R"({"audit_dir": "/srv/audit", "run_dir": "relative"})", "f");
  EXPECT_EQ(loaded.settings.audit_dir, "/srv/audit");
  EXPECT_EQ(loaded.settings.run_dir, Settings{}.run_dir);
  EXPECT_EQ(loaded.complaints.size(), 1u);
}

TEST(session_settings, of_an_installation_only_roots_own_file_in_roots_own_folder_counts) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make root's files";
  char folder[] = "/tmp/sidrec-settings-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string file = std::string(folder) + "/sidrec.json";
  const auto found = [&] { return installed_settings_path(folder); };
  EXPECT_EQ(*found(), "");
  std::ofstream(file) << "{}";
  EXPECT_EQ(*found(), file);
  ::chmod(file.c_str(), 0664);
  EXPECT_FALSE(found());
  ::chmod(file.c_str(), 0644);
  EXPECT_EQ(::chown(file.c_str(), 1, 0), 0);
  EXPECT_FALSE(found());
  EXPECT_EQ(::chown(file.c_str(), 0, 0), 0);
  ::chmod(folder, 0777);
  EXPECT_FALSE(found());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sidrec
