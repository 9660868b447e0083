"""Reading trails: the few words a test needs, and the promises every trail keeps (docs/trail-format.md)."""

import base64
import json
from pathlib import Path


class BrokenTrail(Exception):
    """A trail breaks a promise that holds for every trail."""


def promise(held, sentence):
    if not held:
        raise BrokenTrail(sentence)


class Stream:
    """One direction of one connection: its bytes in order of offset, and what is missing of them."""

    def __init__(self):
        self.bytes = bytearray()
        self.gaps = []  # [off, len, why]
        self.end = 0

    def data(self, off, payload):
        promise(off == self.end, f"data at offset {off}, but the stream stands at {self.end}")
        self.bytes += payload
        self.end += len(payload)

    def gap(self, off, length, why):
        promise(off == self.end, f"gap at offset {off}, but the stream stands at {self.end}")
        promise(length > 0, "a gap of no bytes")
        if self.gaps and self.gaps[-1][0] + self.gaps[-1][1] == off and self.gaps[-1][2] == why:
            self.gaps[-1][1] += length
        else:
            self.gaps.append([off, length, why])
        self.end += length


class Connection:
    def __init__(self, line):
        self.id = line["conn"]
        self.opened = line
        self.closed = None
        self.first_bytes_seq = None
        self.streams = {"in": Stream(), "out": Stream()}

    def take(self, line):
        promise(self.closed is None, f"{line['ev']} of {self.id} after its conn.close (seq {line['seq']})")
        if line["ev"] == "conn.close":
            self.close(line)
            return
        stream = self.streams[line["dir"]]
        if self.first_bytes_seq is None:
            self.first_bytes_seq = line["seq"]
        if line["ev"] == "gap":
            stream.gap(line["off"], line["len"], line["why"])
            return
        payload = payload_of(line)
        promise(len(payload) == line["len"] > 0, f"seq {line['seq']}: len {line['len']} of {len(payload)} bytes")
        stream.data(line["off"], payload)

    def close(self, line):
        self.closed = line
        for direction, stream in self.streams.items():
            promise(line["bytes_" + direction] == stream.end,
                    f"conn.close of {self.id}: bytes_{direction} {line['bytes_' + direction]}, stream {stream.end}")


def payload_of(line):
    promise(("text" in line) != ("b64" in line), f"seq {line['seq']}: neither or both of text and b64")
    if "b64" not in line:
        return line["text"].encode()
    payload = base64.b64decode(line["b64"], validate=True)
    try:
        payload.decode()
    except UnicodeDecodeError:
        return payload
    raise BrokenTrail(f"seq {line['seq']}: valid UTF-8 as b64")


def flat(pairs):
    line = dict(pairs)
    promise(len(line) == len(pairs), f"a key twice in {pairs}")
    promise(not any(isinstance(value, (dict, list)) for value in line.values()), f"not flat: {pairs}")
    return line


class Session:
    """One trail file, checked while it is read."""

    def __init__(self, content):
        promise(content.endswith(b"\n"), "the last line is torn")
        lines = [json.loads(line, object_pairs_hook=flat) for line in content.splitlines()]
        for number, line in enumerate(lines, 1):
            promise(line["seq"] == number, f"seq {line['seq']} in line {number}")
        promise(lines[-1]["ev"] == "seal", "the last line is no seal")
        self.lines = [line for line in lines if line["ev"] != "seal"]  # the hashes are the end-to-end tests' matter
        self.connections = {}
        promise(self.lines[0]["ev"] == "session.start", "the first line is no session.start")
        promise(self.lines[-1]["ev"] == "session.end", "the last line but its seal is no session.end")
        for number, line in enumerate(self.lines, 1):
            promise(line["session"] == self.lines[0]["session"], f"another session in line {number}")
            promise(line["sid"] == self.lines[0]["sid"], f"another sid in line {number}")
            promise(number in (1, len(self.lines)) or not line["ev"].startswith("session."),
                    f"{line['ev']} in line {number}")
            self.take(line)
        in_time = [line["ts"] for line in self.lines if not line.get("late")]
        promise(in_time == sorted(in_time), "ts runs backwards")
        for connection in self.connections.values():
            promise(connection.closed is not None, f"{connection.id} has no conn.close")
        self.check_end(self.lines[-1])

    def take(self, line):
        if line["ev"] == "conn.open":
            promise(line["conn"] not in self.connections, f"conn.open of {line['conn']} twice (seq {line['seq']})")
            self.connections[line["conn"]] = Connection(line)
        elif line["ev"] in ("data", "gap", "conn.close"):
            promise(line["conn"] in self.connections, f"{line['ev']} of unknown {line['conn']} (seq {line['seq']})")
            self.connections[line["conn"]].take(line)

    def check_end(self, end):
        sums = {"connections": len(self.connections)}
        for direction in ("in", "out"):
            sums["bytes_" + direction] = sum(c.streams[direction].end for c in self.connections.values())
        for key, value in sums.items():
            promise(end[key] == value, f"session.end: {key} {end[key]}, in the trail {value}")


def files(audit_dir):
    return sorted(Path(audit_dir).glob("**/*.jsonl"))


def has_ended(path):
    """True when the file ends with a session.end and its seal."""
    last = path.read_bytes().split(b"\n")[-3:]
    return len(last) == 3 and last[0].startswith(b'{"ev":"session.end"') and last[2] == b""
