"""The judge is judged: a small trail that agrees with a statement, and each way it can disagree."""

import json
import unittest

import statement
import trail


def lines(*events):
    common = {"ts": "2026-01-01T00:00:00.000001Z", "sid": "victim", "session": "0193"}
    return [{"ev": event.pop("ev"), **common, "seq": number, "epoch": 1, **event}
            for number, event in enumerate(events, 1)]


def a_session():
    return lines(
        {"ev": "session.start", "v": 1},
        {"ev": "conn.open", "conn": "c1", "client_ip": "127.0.0.1", "client_port": 5, "server_port": 6, "via": "accept"},
        {"ev": "data", "conn": "c1", "dir": "in", "off": 0, "len": 5, "text": "hello"},
        {"ev": "gap", "conn": "c1", "dir": "in", "off": 5, "len": 4, "records": 1, "why": "splice"},
        {"ev": "gap", "conn": "c1", "dir": "in", "off": 9, "len": 6, "records": 1, "why": "splice"},
        {"ev": "data", "conn": "c1", "dir": "out", "off": 0, "len": 2, "b64": "/wA="},
        {"ev": "conn.close", "conn": "c1", "bytes_in": 15, "bytes_out": 2, "complete": False, "why": "closed"},
        {"ev": "session.end", "connections": 1, "bytes_in": 15, "bytes_out": 2},
        {"ev": "seal", "hash": "0"})


def a_statement():
    return {"connections": [{"client_ip": "127.0.0.1", "client_port": 5, "server_port": 6, "via": "accept",
                             "complete": "false", "in": b"hello".hex(), "out": "ff00", "ends_before": [],
                             "gaps": [{"dir": "in", "off": 5, "len": 10, "why": "splice"}]}],
            "observed": {}, "failures": 0}


def judge(events, said):
    content = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in events)
    return statement.differences(said, [trail.Session(content)])


class TrailCheckTest(unittest.TestCase):
    def assert_broken(self, change):
        events = a_session()
        change(events)
        with self.assertRaises((trail.BrokenTrail, KeyError)):
            judge(events, a_statement())

    def test_a_trail_that_holds_what_was_stated_passes(self):
        self.assertEqual(judge(a_session(), a_statement()), [])

    def test_every_broken_promise_is_seen(self):
        def renumber(events):
            events[4]["seq"] = 9

        def hole(events):
            events[5]["off"] = 1

        def length(events):
            events[2]["len"] = 4

        def total(events):
            events[6]["bytes_in"] = 14

        def sum_of_session(events):
            events[7]["bytes_out"] = 3

        def text_as_base64(events):
            del events[2]["text"]
            events[2]["b64"] = "aGVsbG8="

        def unknown_connection(events):
            events[5]["conn"] = "c2"

        def no_end(events):
            events.pop(-2)

        def no_seal(events):
            events.pop()

        def backwards(events):
            events[1]["ts"] = "2025-01-01T00:00:00.000001Z"

        def two_opens(events):
            events[2] = {**events[1], "seq": 3}

        def nested(events):
            events[2]["more"] = {"a": 1}

        for change in (renumber, hole, length, total, sum_of_session, text_as_base64, unknown_connection, no_end,
                       no_seal, backwards, two_opens, nested):
            with self.subTest(change.__name__):
                self.assert_broken(change)

    def test_a_torn_last_line_is_seen(self):
        with self.assertRaises(trail.BrokenTrail):
            trail.Session(b'{"ev":"session.start"}\n{"ev":"da')

    def test_every_difference_from_the_statement_is_seen(self):
        for key, value in {"client_port": 7, "client_ip": "::1", "via": "inherited", "in": b"hullo".hex(), "out": "ff",
                           "complete": "true", "gaps": []}.items():
            with self.subTest(key):
                said = a_statement()
                said["connections"][0][key] = value
                self.assertNotEqual(judge(a_session(), said), [])

    def test_a_connection_too_many_or_too_few_is_seen(self):
        said = a_statement()
        said["connections"].append({**said["connections"][0], "client_port": 8})
        self.assertIn("not recorded", judge(a_session(), said)[0])
        said["connections"].clear()
        self.assertIn("not the victim's", judge(a_session(), said)[0])

    def test_an_end_that_comes_too_late_is_seen(self):
        said = a_statement()
        said["connections"][0]["ends_before"] = [5]
        self.assertIn("ends after", judge(a_session(), said)[0])


if __name__ == "__main__":
    unittest.main()
