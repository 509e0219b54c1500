// gantry-rawdisk: what durable sequential writes cost on this disk without any broker around them.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <map>

#include "rawdisk/writer.hpp"
#include "wire/socket.hpp"

namespace {

using namespace gantry::bench;

constexpr double kMiB = 1024.0 * 1024.0;

void print(const DiskOptions &options, const DiskResult &result, bool json) {
  const double bytes = static_cast<double>(result.writes) * static_cast<double>(options.block);
  const double rate = result.elapsed_s > 0 ? bytes / result.elapsed_s / 1e6 : 0;
  const double cpu_us_per_mib = bytes > 0 ? static_cast<double>(result.cpu_us) / (bytes / kMiB) : 0;
  const auto micros = [&result](double quantile) {
    return static_cast<double>(result.latency.at_ns(quantile)) / 1e3;
  };
  const unsigned depth = result.method == DiskMethod::kRing ? options.depth : 1;
  const char *format =
      json ? "{\"method\":\"%s\",\"state\":\"%s\",\"block_bytes\":%zu,\"depth\":%u,\"writes\":%llu,\"elapsed_s\":%.6f,"
             "\"mb_per_s\":%.1f,\"cpu_us_per_mib\":%.1f,\"latency_us\":{\"p50\":%.1f,\"p99\":%.1f,\"p99_9\":%.1f,"
             "\"max\":%.1f}}\n"
           : "%s, %s file, %zu B x %u in flight: %llu writes in %.2f s = %.1f MB/s, %.1f us CPU/MiB; "
             "latency us p50 %.0f p99 %.0f p99.9 %.0f max %.0f\n";
  std::printf(format, name_of(result.method), options.fresh ? "fresh" : "recycled", options.block, depth,
              static_cast<unsigned long long>(result.writes), result.elapsed_s, rate, cpu_us_per_mib, micros(0.5),
              micros(0.99), micros(0.999), static_cast<double>(result.latency.max_ns()) / 1e3);
}

}  // namespace

int main(int argc, char **argv) {
  CLI::App app{"Writes one file durably, over and over, and removes it. The figure to compare a durable broker with."};
  DiskOptions options;
  bool json = false;
  app.add_option("--file", options.file, "file to write; an existing one is replaced")->required();
  app.add_option("--file-size", options.file_size, "bytes of the file (1G)")->transform(CLI::AsSizeValue(false));
  app.add_option("--block", options.block, "bytes per write (256K)")->transform(CLI::AsSizeValue(false));
  app.add_option("--depth", options.depth, "writes in flight")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--seconds", options.duration_s, "length of the run")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  const std::map<std::string, DiskMethod> methods{{"auto", DiskMethod::kAuto},
                                                  {"ring", DiskMethod::kRing},
                                                  {"direct", DiskMethod::kSyncDirect},
                                                  {"buffered", DiskMethod::kBuffered}};
  app.add_option("--method", options.method, "auto, ring, direct or buffered")
      ->transform(CLI::CheckedTransformer(methods));
  app.add_flag("--fresh", options.fresh, "write into an empty file: adds the file system's cost of growing it");
  app.add_flag("--json", json, "print one JSON object");
  try {
    app.parse(argc, argv);
    if (options.block == 0 || options.block % 4096 != 0 || options.block > options.file_size ||
        options.file_size % (1u << 20) != 0) {
      throw CLI::ValidationError("--block must be a multiple of 4096 within --file-size, and that one of 1 MiB");
    }
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    print(options, write_blocks(options), json);
    return 0;
  } catch (const BenchError &error) {
    std::cerr << "gantry-rawdisk: " << error.what() << '\n';
    return 3;
  }
}
