#include "codec/send_header.hpp"

#include "codec/codes.hpp"
#include "codec/text.hpp"

namespace gantry::remoting {

namespace {

constexpr std::uint32_t bit(char letter) { return 1u << (letter - 'a'); }
constexpr std::uint32_t kMandatory =
    bit('a') | bit('b') | bit('c') | bit('d') | bit('e') | bit('f') | bit('g') | bit('h');

// By letter, the sentence for a missing or damaged field.
constexpr const char *kWrong[] = {
    "field producerGroup is missing",
    "field topic is missing",
    "field defaultTopic is missing",
    "field defaultTopicQueueNums is missing or no int32",
    "field queueId is missing or no int32",
    "field sysFlag is missing or no int32",
    "field bornTimestamp is missing or no int64",
    "field flag is missing or no int32",
    "field properties is damaged",
    "field reconsumeTimes is no int32",
    "",
    "field maxReconsumeTimes is no int32",
};

char letter_of(std::string_view name) {
  struct Row {
    std::string_view name;
    char letter;
  };
  static constexpr Row kRows[] = {
      {"topic", 'b'},        {"queueId", 'e'},       {"sysFlag", 'f'},        {"bornTimestamp", 'g'},         {"flag", 'h'},
      {"properties", 'i'},   {"producerGroup", 'a'}, {"defaultTopic", 'c'},   {"defaultTopicQueueNums", 'd'}, {"reconsumeTimes", 'j'},
      {"unitMode", 'k'},     {"maxReconsumeTimes", 'l'}, {"batch", 'm'},
  };
  for (const Row &row : kRows)
    if (row.name == name) return row.letter;
  return '\0';
}

const char *convert(const std::string_view *letters, std::uint32_t set, SendHeader &out) {
  const auto at = [letters](char letter) { return letters[letter - 'a']; };
  if (const std::uint32_t missing = kMandatory & ~set; missing != 0) return kWrong[__builtin_ctz(missing)];
  out.producer_group = at('a');
  out.topic = at('b');
  out.default_topic = at('c');
  if (!parse_number(at('d'), out.default_topic_queues)) return kWrong['d' - 'a'];
  if (!parse_number(at('e'), out.queue_id)) return kWrong['e' - 'a'];
  if (!parse_number(at('f'), out.sys_flag)) return kWrong['f' - 'a'];
  if (!parse_number(at('g'), out.born_ms)) return kWrong['g' - 'a'];
  if (!parse_number(at('h'), out.flag)) return kWrong['h' - 'a'];
  out.properties = (set & bit('i')) != 0 ? at('i') : std::string_view();
  out.reconsume_times = 0;
  if ((set & bit('j')) != 0 && !parse_number(at('j'), out.reconsume_times)) return kWrong['j' - 'a'];
  out.max_reconsume_times = -1;
  if ((set & bit('l')) != 0 && !parse_number(at('l'), out.max_reconsume_times)) return kWrong['l' - 'a'];
  out.unit_mode = (set & bit('k')) != 0 && parse_bool(at('k'));
  out.batch = (set & bit('m')) != 0 && parse_bool(at('m'));
  return nullptr;
}

}  // namespace

const char *decode_send_header(const Header &header, SendHeader &out) {
  const char *wrong = nullptr;
  if ((header.letters_set & bit('b')) != 0) {
    wrong = convert(header.letters, header.letters_set, out);
  } else {
    std::string_view letters[26];
    std::uint32_t set = 0;
    for (std::uint32_t i = 0; i < header.n_ext; ++i) {
      const char letter = letter_of(header.ext[i].key);
      if (letter == '\0') continue;
      letters[letter - 'a'] = header.ext[i].value;
      set |= bit(letter);
    }
    wrong = convert(letters, set, out);
  }
  if (header.code == kSendBatchMessage) out.batch = true;
  return wrong;
}

}  // namespace gantry::remoting
