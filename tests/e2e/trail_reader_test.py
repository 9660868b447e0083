"""The oracle itself: a sound trail passes, and each kind of damage is seen."""

import base64
import hashlib
import json
import os
import tempfile
import unittest

from support.trail import BrokenTrail, Trail

START = {"ev": "session.start", "v": 1, "host": "h", "pid": 1, "program": "sidrec-recorder"}
OPEN = {"ev": "conn.open", "rec": "r1", "pos": "0:64", "conn": "c1", "client_ip": "127.0.0.1", "client_port": 5,
        "server_ip": "127.0.0.1", "server_port": 6, "pid": 9, "program": "socat", "sid_source": "env",
        "via": "accept"}  # fmt: skip
TEXT = {"ev": "data", "rec": "r1", "pos": "0:128", "conn": "c1", "dir": "in", "off": 0, "len": 3, "text": "ä\n"}
RAW = {"ev": "data", "rec": "r1", "pos": "0:192", "conn": "c1", "dir": "out", "off": 0, "len": 2,
       "b64": base64.b64encode(b"\xff\x00").decode()}  # fmt: skip
MORE = TEXT | {"off": 3, "len": 1, "text": "x"}
CLOSE = {"ev": "conn.close", "rec": "r1", "pos": "0:256", "conn": "c1", "bytes_in": 4, "bytes_out": 2,
         "kernel_bytes_in": 4, "kernel_bytes_out": 2, "complete": True, "why": "closed"}  # fmt: skip
END = {"ev": "session.end", "connections": 1, "bytes_in": 4, "bytes_out": 2, "records": 5, "gaps": 0, "duration_ms": 1}
SOUND = [START, OPEN, TEXT, RAW, MORE, CLOSE, END]


class TrailReader(unittest.TestCase):
    def lines(self, facts):
        """The facts with the common keys that make a sound trail of them."""
        sound = []
        for seq, fact in enumerate(facts, 1):
            ts = f"2026-11-23T22:30:00.{seq:06}Z"
            sound.append({"ev": fact["ev"], "ts": ts, "sid": "demo", "session": "s", "seq": seq, "epoch": 1} | fact)
        return sound

    def sealed(self, lines):
        """The text of the lines, and a seal that fits them."""
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        seal = {key: lines[-1][key] for key in ("ts", "sid", "session", "seq", "epoch")}
        seal["seq"] += 1
        text += json.dumps({"ev": "seal"} | seal, separators=(",", ":"))[:-1] + ',"hash":"'
        return text + hashlib.sha256(text.encode()).hexdigest() + '"}\n'

    def read(self, lines, tail=""):
        return self.read_text(self.sealed(lines) + tail)

    def read_text(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trail.jsonl")
            with open(path, "w") as file:
                file.write(text)
            return Trail(path)

    def test_trail_reader_gives_the_bytes_of_a_sound_trail(self):
        (connection,) = self.read(self.lines(SOUND)).connections.values()
        self.assertEqual((connection.bytes["in"], connection.bytes["out"]), ("ä\nx".encode(), b"\xff\x00"))

    def test_trail_reader_sees_every_kind_of_damage(self):
        def changed(index, **fields):
            return SOUND[:index] + [SOUND[index] | fields] + SOUND[index + 1 :]

        damaged = {
            "a line is missing": SOUND[:2] + SOUND[3:],
            "a line is doubled": SOUND[:3] + SOUND[2:],
            "no end": SOUND[:-1],
            "no close": SOUND[:5] + SOUND[6:],
            "something behind the end": SOUND + [END],
            "a hole in the offsets": changed(4, off=4),
            "len and text differ": changed(4, len=2),
            "UTF-8 as b64": changed(3, b64=base64.b64encode(b"ok").decode()),
            "no base64": changed(3, b64="/w.A"),
            "text and b64": changed(3, text="ab"),
            "close counts otherwise": changed(5, bytes_in=5),
            "the kernel counts otherwise": changed(5, kernel_bytes_out=3),
            "incomplete": changed(5, complete=False),
            "the end counts otherwise": changed(6, bytes_out=1),
            "a connection opened twice": SOUND[:2] + SOUND[1:],
        }
        for what, facts in damaged.items():
            with self.subTest(what), self.assertRaises(BrokenTrail):
                self.read(self.lines(facts))
        earlier = "2026-11-23T22:29:59.000000Z"
        for key, value in {"seq": 9, "epoch": 2, "session": "t", "sid": "x", "ts": earlier}.items():
            lines = self.lines(SOUND)
            lines[4][key] = value
            with self.subTest(key), self.assertRaises(BrokenTrail):
                self.read(lines)
        with self.subTest("a torn line"), self.assertRaises(BrokenTrail):
            self.read(self.lines(SOUND), '{"ev":"da')

    def test_trail_reader_sees_a_seal_that_does_not_fit(self):
        lines = self.lines(SOUND)
        sound = self.sealed(lines)
        self.assertEqual(len(self.read_text(sound).seals), 1)
        for what, text in {
            "a byte of a line": sound.replace('"program": "socat"', '"program": "Socat"'),
            "a byte of the seal's line": sound.replace('"seq":8', '"seq":8 '),
            "a digit of the hash": sound[:-4] + ("0" if sound[-4] != "0" else "1") + sound[-3:],
            "a byte behind the hash": sound[:-2] + " }\n",
            "no seal": sound[: sound.rindex('{"ev":"seal"')],
        }.items():
            with self.subTest(what), self.assertRaises(BrokenTrail):
                self.read_text(text)
