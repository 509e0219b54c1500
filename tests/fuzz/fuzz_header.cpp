// Headers in both forms. What decodes must survive being written again and must not hold views outside of its memory. Both readers of JSON agree.
#include "codec/json_compact.hpp"
#include "codec/pull_header.hpp"
#include "codec/send_header.hpp"
#include "codec/writer.hpp"

#include <gantry++/result.hpp>

#include <memory>
#include <vector>

using namespace gantry::remoting;

namespace {

void touch(std::string_view text) {
  static volatile unsigned char sink;
  for (const char c : text) sink = static_cast<unsigned char>(sink + c);
}

// Writes the fields of `in` as a frame of the given form and compares what is read back.
void round_trip(const Header &in, SerializeType type) {
  std::vector<ExtField> fields(in.ext, in.ext + in.n_ext);
  static const std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
  for (std::uint32_t i = 0; i < 26; ++i)
    if ((in.letters_set >> i & 1u) != 0) fields.push_back({kLetters.substr(i, 1), in.letters[i]});
  OutHeader out;
  out.type = type;
  out.code = static_cast<std::int16_t>(in.code);
  out.opaque = in.opaque;
  out.flag = in.flag;
  out.remark = in.remark;
  out.ext = fields.data();
  out.n_ext = static_cast<std::uint32_t>(fields.size());
  for (const ExtField &f : fields)
    if (f.key.size() > 32767) return;  // more than the binary form can say
  std::vector<std::uint8_t> bytes(frame_bound(out));
  const std::uint32_t n = write_frame(bytes.data(), out, 0);
  GANTRY_ASSERT(n <= bytes.size());
  if (n - kFramePrefixBytes > kHeaderMaxBytes) return;
  Frame frame;
  GANTRY_ASSERT(split_frame(bytes.data(), n, frame) == FrameStatus::kWhole);
  Scratch scratch(n + kScratchSlack);
  const auto again = std::make_unique<Header>();
  const char *wrong = decode_header(frame, scratch, *again);
  if (out.n_ext > kExtFieldsMax) return;
  GANTRY_ASSERT(wrong == nullptr);
  GANTRY_ASSERT(again->code == out.code && again->opaque == in.opaque && again->flag == in.flag && again->remark == in.remark);
  for (const ExtField &f : fields) {
    const std::string_view *before = in.find(f.key), *after = again->find(f.key);
    GANTRY_ASSERT(before != nullptr);
    if (type == SerializeType::kBinary && before->empty()) continue;
    GANTRY_ASSERT(after != nullptr && *before == *after);
  }
}

// What the reader of compact JSON takes, the general one takes too, with the same result.
void compare_readers(std::string_view text) {
  Scratch first(static_cast<std::uint32_t>(text.size()) + kScratchSlack), second(static_cast<std::uint32_t>(text.size()) + kScratchSlack);
  static const auto a = std::make_unique<Header>(), b = std::make_unique<Header>();
  if (!decode_compact_json_header(text, first, *a)) return;
  GANTRY_ASSERT(decode_general_json_header(text, second, *b) == nullptr);
  GANTRY_ASSERT(a->code == b->code && a->version == b->version && a->opaque == b->opaque && a->flag == b->flag && a->language == b->language);
  GANTRY_ASSERT(a->remark == b->remark && a->letters_set == b->letters_set && a->n_ext == b->n_ext);
  for (std::uint32_t i = 0; i < 26; ++i) GANTRY_ASSERT((a->letters_set >> i & 1u) == 0 || a->letters[i] == b->letters[i]);
  for (std::uint32_t i = 0; i < a->n_ext; ++i) GANTRY_ASSERT(a->ext[i].key == b->ext[i].key && a->ext[i].value == b->ext[i].value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0 || size > kHeaderMaxBytes) return 0;
  Frame frame;
  frame.type = static_cast<SerializeType>(data[0] & 1);
  frame.header = {reinterpret_cast<const char *>(data) + 1, size - 1};
  if (frame.type == SerializeType::kJson) compare_readers(frame.header);
  Scratch scratch(static_cast<std::uint32_t>(size) + kScratchSlack);
  static const auto header = std::make_unique<Header>();
  if (decode_header(frame, scratch, *header) != nullptr) return 0;
  touch(header->remark);
  for (std::uint32_t i = 0; i < header->n_ext; ++i) {
    touch(header->ext[i].key);
    touch(header->ext[i].value);
  }
  SendHeader send;
  if (decode_send_header(*header, send) == nullptr) touch(send.properties);
  PullHeader pull;
  if (decode_pull_header(*header, pull) == nullptr) touch(pull.subscription);
  round_trip(*header, SerializeType::kJson);
  round_trip(*header, SerializeType::kBinary);
  return 0;
}
