#!/usr/bin/env python3
"""The comparison's own parts: the codec, what is normalised, what counts as a difference, and the list of expected ones."""
import pathlib
import struct
import sys
import tempfile
import unittest
import zlib

HERE = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))

import cases  # noqa: E402, F401
import compare  # noqa: E402
import documents  # noqa: E402
import fastjson  # noqa: E402
import messages  # noqa: E402
import registry  # noqa: E402
import wire  # noqa: E402
from normalise import Normaliser  # noqa: E402


def stored_message(body: bytes = b"hello", properties: str = "TAGS\x01a", crc: int | None = None, sys_flag: int = 0) -> bytes:
    host = bytes([127, 0, 0, 1]) + struct.pack(">I", 10911)
    fixed = struct.pack(">IIIIQQIQ", messages.MAGIC, zlib.crc32(body) & 0x7FFFFFFF if crc is None else crc, 3, 0, 7, 4096, sys_flag, 1000)
    rest = host + struct.pack(">Q", 2000) + host + struct.pack(">IQI", 1, 0, len(body)) + body + b"\x05topic" + struct.pack(">H", len(properties))
    data = fixed + rest + properties.encode()
    return struct.pack(">I", 4 + len(data)) + data


class Frames(unittest.TestCase):
    def test_a_frame_comes_back_in_both_forms(self):
        for form in (wire.JSON_FORM, wire.BINARY_FORM):
            sent = wire.Frame(310, 7, wire.ONEWAY, {"a": "group", "i": "k\x01v\x02"}, b"body", "größe", "GO", 409, form)
            self.assertEqual(wire.decode(wire.encode(sent)), sent)

    def test_layout_of_a_json_frame(self):
        data = wire.encode(wire.Frame(105, 1, 0, {"topic": "t"}, b"xy"))
        length, mixed = struct.unpack_from(">II", data)
        self.assertEqual((length, mixed >> 24), (len(data) - 4, 0))
        self.assertEqual(data[8 + (mixed & 0xFFFFFF):], b"xy")

    def test_layout_of_a_binary_frame(self):
        data = wire.encode(wire.Frame(36, 5, 1, {"k": True}, form=wire.BINARY_FORM))
        self.assertEqual(data[8:], bytes.fromhex("0024" "00" "0199" "00000005" "00000001" "00000000" "0000000b" "0001") + b"k" + b"\0\0\0\4true")

    def test_fields_that_are_absent_and_empty(self):
        self.assertIsNone(wire.decode(wire.encode(wire.Frame(1, fields=None))).fields)
        self.assertEqual(wire.decode(wire.encode(wire.Frame(1, fields={}))).fields, {})

    def test_codes_beyond_16_bits_are_cut_in_the_binary_form(self):
        self.assertEqual(wire.decode(wire.encode(wire.Frame(200050, form=wire.BINARY_FORM))).code, 200050 - 3 * 65536)

    def test_damaged_frames_are_named(self):
        good = wire.encode(wire.Frame(1, form=wire.BINARY_FORM, fields={"key": "value"}))
        for data in (b"", good[:7], good[:-1], good + b"x", good[:4] + b"\x07" + good[5:], good[:5] + b"\xff\xff\xff" + good[8:],
                     good[:-9] + b"\x7f" + good[-8:], wire.encode(wire.Frame(1))[:-1] + b"?"):
            with self.assertRaises(wire.Damaged, msg=data):
                wire.decode(data)


class Messages(unittest.TestCase):
    def test_stored_messages_one_after_another(self):
        seen = messages.decode_stored(stored_message() + stored_message(b"", ""))
        self.assertEqual([one["body"] for one in seen], ["hello", ""])
        self.assertEqual((seen[0]["topic"], seen[0]["properties"], seen[0]["queueOffset"], seen[0]["position"], seen[0]["storeHost"], seen[0]["crcGood"]),
                         ("topic", {"TAGS": "a"}, 7, 4096, "7f000001:10911", True))

    def test_a_wrong_checksum_is_seen(self):
        self.assertFalse(messages.decode_stored(stored_message(crc=1))[0]["crcGood"])

    def test_damaged_messages_are_named(self):
        good = stored_message()
        for data in (good[:-1], good + b"\0\0", good[:4] + b"\0\0\0\0" + good[8:], stored_message(sys_flag=16)):
            with self.assertRaises(wire.Damaged):
                messages.decode_stored(data)

    def test_batch_layout(self):
        self.assertEqual(messages.encode_batch([(b"ab", {"k": "v"})]), struct.pack(">IIIII", 27, 0, 0, 0, 2) + b"ab" + b"\0\3k\x01v")

    def test_properties(self):
        self.assertEqual(messages.decode_properties("a\x01b\x02c\x01d\x01e\x02a\x01z\x02"), {"a": "z", "c": "d\x01e"})


class Json(unittest.TestCase):
    def test_plain_json(self):
        self.assertEqual(fastjson.loads(' {"a":[1,-2.5,"x\\n",true,null],"b":{}} '), {"a": [1, -2.5, "x\n", True, None], "b": {}})

    def test_numbers_and_objects_as_names(self):
        self.assertEqual(fastjson.loads('{0:"a",b:1}'), {"0": "a", "b": 1})
        self.assertEqual(fastjson.loads('{{"queueId":1}:5,{"queueId":0}:4}'), {"<map>": [[{"queueId": 0}, 4], [{"queueId": 1}, 5]]})

    def test_what_is_no_json_is_refused(self):
        for text in ("", "{", '{"a"', '{"a":', '{"a":1', "[1", "[1 2]", '{"a":1}x', '"open', "?"):
            with self.assertRaises(fastjson.NoJson, msg=text):
                fastjson.loads(text)


class Normalising(unittest.TestCase):
    def setUp(self):
        self.normaliser = Normaliser({10911: "broker"})

    def test_addresses_ids_and_times(self):
        now = str(self.normaliser._now_ms)
        seen = self.normaliser.value({"a": "127.0.0.1:10911", "b": "/127.0.0.1:9", "c": "7F00000100002A9F0000000000000010", "d": now, "e": int(now), "f": "12",
                                      "g": "0A0B0C0D00000000000000000000AA01", "position": 55, "preparedPosition": 0})
        self.assertEqual(seen, {"a": "<broker>", "b": "/<client>", "c": "<id at broker>", "d": "<time>", "e": "<time>", "f": "12",
                                "g": "0A0B0C0D00000000000000000000AA01", "position": "<position>", "preparedPosition": 0})

    def test_a_time_far_away_is_kept(self):
        self.assertEqual(self.normaliser.value("1000000000000"), "1000000000000")

    def test_bodies(self):
        self.assertIsNone(self.normaliser.body(b""))
        self.assertEqual(self.normaliser.body(b'{"l":[2,1]}'), {"l": [1, 2]})
        self.assertEqual(self.normaliser.body(b"{oops"), {"damaged": "no colon at 5"})
        self.assertEqual(self.normaliser.body(stored_message())["messages"][0]["storeHost"], "<broker>")

    def test_only_a_status_is_kept_of_a_remark(self):
        frame = wire.Frame(19, flag=1, remark="NO_MESSAGE_IN_QUEUE")
        self.assertEqual(self.normaliser.answer(frame)["status"], "NO_MESSAGE_IN_QUEUE")
        frame.remark = "no such topic"
        self.assertNotIn("status", self.normaliser.answer(frame))


def entries(text: str) -> list[compare.Entry]:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        return compare.load(file.name)


GOOD = '[[difference]]\nfrom = ["4.9.7"]\ncases = ["a.*"]\nwhere = ["reply.code"]\nreason = "because"\n'


class Comparing(unittest.TestCase):
    def test_places_of_differences(self):
        found = compare.differences({"r": {"code": 1, "l": [1, {"x": 2}], "m": 1}}, {"r": {"code": 1, "l": [1, {"x": 3}], "n": 1}})
        self.assertEqual([(one.where, one.ours, one.theirs) for one in found],
                         [("r.l.1.x", 2, 3), ("r.m", 1, compare.ABSENT), ("r.n", compare.ABSENT, 1)])

    def test_of_two_codes_nothing_else_counts(self):
        found = compare.differences({"r": {"code": 1, "x": 1}, "s": {"answer": "none"}}, {"r": {"code": 2}, "s": {"answer": "reply", "code": 0}})
        self.assertEqual([one.where for one in found], ["r.code", "s.answer"])

    def test_lists_of_two_lengths_differ_as_a_whole(self):
        self.assertEqual([one.where for one in compare.differences({"l": [1]}, {"l": [1, 2]})], ["l"])

    def test_a_listed_difference_is_excused_and_another_is_not(self):
        seen = {"4.9.7": {"reply": {"code": 1}, "x": 1}, "5.5.0": {"reply": {"code": 2}}}
        listed = entries(GOOD)
        verdict = compare.judge("a.b", {"reply": {"code": 2}}, seen, listed)
        self.assertEqual((verdict.agrees, verdict.reasons, verdict.unlisted),
                         (["5.5.0"], ["from 4.9.7: because"], ["from 4.9.7: x: here <absent>, there 1"]))
        self.assertEqual(listed[0].unused(), [])
        self.assertEqual(len(compare.judge("b.a", {"reply": {"code": 2}}, seen, entries(GOOD)).unlisted), 2)

    def test_what_no_longer_occurs_is_found(self):
        self.assertEqual(entries(GOOD)[0].unused(), ["from 4.9.7", "cases a.*", "where reply.code"])

    def test_bad_lists_are_refused(self):
        for text in ("[[", GOOD.replace("because", " "), GOOD.replace('"4.9.7"', '"3.0"'), GOOD.replace('["a.*"]', '"a.*"'), GOOD + "more = 1\n",
                     GOOD.replace('where = ["reply.code"]\n', "")):
            with self.assertRaises(compare.BadList, msg=text):
                entries(text)


class TheList(unittest.TestCase):
    def test_it_can_be_read_and_names_cases_that_exist(self):
        import fnmatch
        names = [case.name for case in registry.CASES]
        for one in compare.load(HERE / "differences.toml"):
            for pattern in one.cases:
                self.assertTrue(fnmatch.filter(names, pattern), f"no case {pattern}")

    def test_it_agrees_with_the_documents(self):
        self.assertEqual(documents.disagreements(), [])


if __name__ == "__main__":
    unittest.main()
