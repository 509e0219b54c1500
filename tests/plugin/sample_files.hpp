// Copies of the sample plugins in a folder of the test, whole or with bytes changed, and the marker that tells whether code of one ran.
#pragma once

#include "support/test_util.h"

#include <gantry/abi.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace gantry::test {

inline std::string read_bytes(const std::filesystem::path &path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

class SampleTest : public testing::Test {
 protected:
  SampleTest() { ::setenv("GANTRY_TEST_MARKER", marker().c_str(), 1); }
  ~SampleTest() override { ::unsetenv("GANTRY_TEST_MARKER"); }

  [[nodiscard]] std::filesystem::path marker() const { return dir_.path() / "marker"; }
  [[nodiscard]] bool code_ran() const { return std::filesystem::exists(marker()); }
  [[nodiscard]] const std::filesystem::path &dir() const { return dir_.path(); }

  static std::string sample_bytes(const std::string &variant = "sample") { return read_bytes(std::filesystem::path(SAMPLE_DIR) / (variant + ".so")); }

  // Writes the bytes as <name>.so and returns its path.
  std::string put(const std::string &name, const std::string &bytes) const {
    const auto path = dir() / (name + ".so");
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }
  std::string put_variant(const std::string &variant) const { return put(variant, sample_bytes(variant)); }

  // The good sample with its manifest changed.
  template <typename Change>
  static std::string with_manifest(Change change) {
    std::string bytes = sample_bytes();
    const std::size_t at = bytes.find(std::string("Gantry\0\0", 8));
    EXPECT_NE(at, std::string::npos);
    gantry_manifest manifest;
    std::memcpy(&manifest, bytes.data() + at + 8, sizeof manifest);
    change(manifest);
    std::memcpy(bytes.data() + at + 8, &manifest, sizeof manifest);
    return bytes;
  }

 private:
  TempDir dir_;
};

// A text field of a manifest, the rest of it zero.
template <std::size_t N>
void set_field(char (&field)[N], const std::string &text) {
  std::memset(field, 0, N);
  std::memcpy(field, text.data(), text.size() < N ? text.size() : N);
}

}  // namespace gantry::test
