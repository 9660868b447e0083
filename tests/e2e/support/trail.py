"""Reads a trail as any auditor could, by its format alone, and says what is wrong with it.

Independent of the project's own reader on purpose. check() walks one file once, so it also serves trails that do not
fit in memory: the bytes of each data line go to `take(connection, direction, offset, bytes)`.
"""

import base64
import binascii
import glob
import hashlib
import json
import os
import re

TS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
FURTHER_SEGMENT = re.compile(r"\.\d+\.jsonl$")
MOST_OF_A_CALL = 65536
COMMON = ["ev", "ts", "sid", "session", "seq", "epoch", "rec", "pos", "conn", "chan"]


class BrokenTrail(AssertionError):
    pass


class Flow:
    """The bytes of a connection, or of a channel in it."""

    directions = ("in", "out", "err")

    def __init__(self, record):
        self.open, self.close = record, None
        self.counted = record.get("content") == "counted"
        self.offset = {direction: 0 for direction in self.directions}
        self.bytes = {direction: bytearray() for direction in self.directions}
        self.masked = 0
        self.folded = {direction: 0 for direction in self.directions}
        self.transfers = []
        self.data_lines = []  # (seq, direction, length)


class Channel(Flow):
    def __init__(self, record):
        super().__init__(record)
        self.id, self.kind = record["chan"], record["kind"]
        self.sizes = []  # of its terminal: (rows, cols)


class Connection(Flow):
    directions = ("in", "out")

    def __init__(self, record):
        super().__init__(record)
        self.id = record["conn"]
        self.client = (record["client_ip"], record["client_port"])
        self.server = (record["server_ip"], record["server_port"])
        self.pid, self.program, self.rec = record["pid"], record["program"], record["rec"]
        self.channels = {}
        self.identities = []

    def channels_of(self, kind):
        return [each for each in self.channels.values() if each.kind == kind]


def read_records(path):
    """Whole lines only, of all segments; each one flat object, its common keys first and in order."""
    for path in segments_of(path):
        yield from _records_in(path)


def _records_in(path):
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                raise BrokenTrail(f"{path}:{number}: not a whole line: {line[:200]!r}")
            try:
                record = json.loads(line)
            except ValueError as error:
                raise BrokenTrail(f"{path}:{number}: {error}: {line[:300]!r}") from None
            present = [key for key in record if key in COMMON]
            if present != [key for key in COMMON if key in record] or list(record)[: len(present)] != present:
                raise BrokenTrail(f"{path}:{number}: keys in another order: {list(record)}")
            if any(isinstance(value, (dict, list)) for value in record.values()):
                raise BrokenTrail(f"{path}:{number}: not flat: {line[:300]!r}")
            yield record, line


class SealChain:
    """A seal's hash is over all bytes from the hash of the seal before, or the trail's first byte, to its own."""

    def __init__(self):
        self._hash = hashlib.sha256()
        self.ends_sealed = False

    def fits(self, record, line):
        self.ends_sealed = record["ev"] == "seal"
        if not self.ends_sealed:
            self._hash.update(line)
            return True
        at = line.index(b',"hash":"') + len(b',"hash":"')
        self._hash.update(line[:at])
        hash = self._hash.hexdigest()
        self._hash = hashlib.sha256(line[at:])
        signature = b'","sig":"' + record["sig"].encode() if "sig" in record else b""
        return line[at:] == hash.encode() + signature + b'"}\n'


def payload(record):
    """The bytes of a data line: as `text` if and only if they are valid UTF-8."""
    if ("text" in record) == ("b64" in record):
        raise BrokenTrail(f"seq {record['seq']}: neither or both of text and b64")
    if "text" in record:
        data = record["text"].encode()  # raises on a lone surrogate, which is no UTF-8
    else:
        try:
            data = base64.b64decode(record["b64"], validate=True)
        except binascii.Error as error:
            raise BrokenTrail(f"seq {record['seq']}: bad base64: {error}") from None
        try:
            data.decode()
        except UnicodeDecodeError:
            pass
        else:
            raise BrokenTrail(f"seq {record['seq']}: valid UTF-8 written as b64")
    if len(data) != record["len"] or not data:
        raise BrokenTrail(f"seq {record['seq']}: len {record['len']}, but {len(data)} bytes")
    return data


class Trail:
    """A whole trail in memory, checked. `ended` is false for one that may still be written to. `hosts_die`: by signals
    that they catch, so that a call of theirs may have passed bytes and never have returned.
    """

    def __init__(self, path, ended=True, take=None, hosts_die=False):
        self._hosts_die = hosts_die
        self.path = path
        self.sid_folder = os.path.basename(os.path.dirname(path))
        self.connections = {}
        self.gaps, self.records, self.late = [], [], 0  # records: all but the seals
        self.seals = []
        self._chain = SealChain()
        self.masters = []  # session.start and every master.change
        self.end = None
        self._take = take
        self._latest = ""
        for record, line in read_records(path):
            self._expect(record, self._chain.fits(record, line), "a seal fits the bytes since the one before")
            self._follow(record)
        if ended:
            self._check_end()

    def connection_of(self, client):
        """By the client's address, as the client itself knows it."""
        found = [each for each in self.connections.values() if each.client == client]
        if len(found) != 1:
            raise BrokenTrail(f"{len(found)} connections of client {client} in {self.path}")
        return found[0]

    # -- one record after the other

    def _follow(self, record):
        kind = record["ev"]
        if self._take is None and kind != "seal":
            self.records.append(record)
        self._check_common(record)
        if kind == "seal":
            self.seals.append(record)
        elif kind == "session.start":
            self._expect(record, record["seq"] == 1 and record["v"] == 1, "session.start, version 1, comes first")
            self.masters.append(record)
        elif kind == "master.change":
            self.masters.append(record)
        elif kind == "session.end":
            self.end = record
        elif kind == "conn.open":
            self._expect(record, record["conn"] not in self.connections, "a connection opens once")
            self.connections[record["conn"]] = Connection(record)
        elif kind in ("data", "gap", "conn.close", "chan.open", "chan.close", "identity", "tty.resize", "transfer"):
            self._follow_connection(record)

    def _check_common(self, record):
        if record["seq"] == 1:
            self._expect(record, record["ev"] == "session.start" and record["epoch"] == 1, "the first line")
            self.first, self._seq, self._epoch = record, 0, 1
        self._expect(record, hasattr(self, "first"), "seq begins with 1")
        self._expect(record, self.end is None or record["ev"] == "seal", "only its seal follows session.end")
        self._expect(record, record["seq"] == self._seq + 1, f"seq is dense (last {self._seq})")
        for key in ("sid", "session"):
            self._expect(record, record[key] == self.first[key], "one session")
        self._expect(record, TS.fullmatch(record["ts"]), "ts is RFC 3339 with microseconds")
        epoch = self._epoch + (record["ev"] == "master.change")
        self._expect(record, record["epoch"] == epoch, f"epoch is {epoch}")
        if record.get("late"):
            self.late += 1
        else:
            self._expect(record, record["ts"] >= self._latest, f"ts does not decrease (last {self._latest})")
            self._latest = record["ts"]
        self._seq, self._epoch = record["seq"], record["epoch"]

    def _follow_connection(self, record):
        connection = self.connections.get(record["conn"])
        self._expect(record, connection is not None, "a connection opens first")
        self._expect(record, connection.close is None, "nothing of a connection follows its close")
        if record["ev"] == "conn.close":
            self._follow_close(connection, record)
        elif record["ev"] == "chan.open":
            self._expect(record, record["chan"] not in connection.channels, "a channel opens once")
            connection.channels[record["chan"]] = Channel(record)
        elif record["ev"] == "identity":
            connection.identities.append(record)
        elif "chan" in record:
            self._follow_channel(connection, record)
        else:
            self._follow_flow(connection, record)

    def _follow_close(self, connection, record):
        connection.close = record
        self._expect(record, all(each.close for each in connection.channels.values()), "channels close before")
        if not connection.counted:
            self._expect_sums(connection, record)
        missing = 0
        for direction in ("in", "out"):
            kernel = record.get(f"kernel_bytes_{direction}")
            unseen = 0 if kernel is None else kernel - record[f"bytes_{direction}"]
            most = MOST_OF_A_CALL if self._hosts_die and record["complete"] is False else 0
            self._expect(record, 0 <= unseen <= most, "the kernel counts the same")
            missing += unseen
        self._expect(record, record["complete"] is not False or self.gaps or missing, "complete")

    def _follow_channel(self, connection, record):
        channel = connection.channels.get(record["chan"])
        self._expect(record, channel is not None, "a channel opens first")
        self._expect(record, channel.close is None, "nothing of a channel follows its close")
        if record["ev"] == "chan.close":
            channel.close = record
            if not channel.counted:
                self._expect_sums(channel, record)
        elif record["ev"] == "tty.resize":
            channel.sizes.append((record["rows"], record["cols"]))
        else:
            self._follow_flow(channel, record)

    def _expect_sums(self, flow, record):
        for direction in flow.directions:
            self._expect(record, record[f"bytes_{direction}"] == flow.offset[direction], f"counts {flow.offset}")

    def _follow_flow(self, flow, record):
        direction = record["dir"]
        if record["ev"] == "transfer":
            flow.transfers.append(record)
            return
        self._expect(record, record["off"] == flow.offset[direction], f"off ({flow.offset[direction]})")
        flow.offset[direction] += record["len"]
        if record["ev"] == "gap":
            self.gaps.append(record)
            return
        if "masked" in record:
            self._expect(record, record["masked"] == record["len"] and not {"text", "b64"} & set(record), "masked whole")
            flow.masked += record["len"]
            return
        if "folded" in record:
            self._expect(record, record["folded"] == record["len"] and not {"text", "b64"} & set(record), "folded whole")
            flow.folded[direction] += record["len"]
            return
        data = payload(record)
        if self._take:
            self._take(flow, direction, record["off"], data)
        else:
            flow.bytes[direction] += data
            flow.data_lines.append((record["seq"], direction, record["len"]))

    def _check_end(self):
        if self.end is None:
            raise BrokenTrail(f"{self.path}: no session.end")
        self._expect(self.end, self._chain.ends_sealed, "a seal follows session.end")
        for connection in self.connections.values():
            self._expect(connection.open, connection.close is not None, "every connection closes")
        flows = [flow for each in self.connections.values() for flow in (each, *each.channels.values())]
        sums = {
            "connections": len(self.connections),
            "bytes_in": sum(each.offset["in"] for each in flows),
            "bytes_out": sum(each.offset["out"] + each.offset.get("err", 0) for each in flows),
            "gaps": len(self.gaps),
        }
        for name, value in sums.items():
            self._expect(self.end, self.end[name] == value, f"{name} is {value}")

    def _expect(self, record, holds, rule):
        if not holds:
            shown = {key: value if len(str(value)) < 80 else str(value)[:80] + "…" for key, value in record.items()}
            raise BrokenTrail(f"{self.path}: violated: {rule}\n  by {shown}")


def trail_paths(audit_dir, folder="*"):
    """Of each trail its first segment."""
    found = sorted(glob.glob(os.path.join(audit_dir, folder, "*.jsonl")))
    return [path for path in found if not FURTHER_SEGMENT.search(path)]


def segments_of(path):
    files = [path]
    while os.path.exists(more := path.removesuffix(".jsonl") + f".{len(files) + 1}.jsonl"):
        files.append(more)
    return files


def has_ended(path):
    """Looks at the last two lines only: session.end and its seal."""
    path = segments_of(path)[-1]
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 4096))
        last = file.read().split(b"\n")[-3:]
    return len(last) == 3 and last[0].startswith(b'{"ev":"session.end"') and last[2] == b""
