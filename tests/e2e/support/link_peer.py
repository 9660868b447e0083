"""A peer of a recorder that is not one: speaks enough of docs/link-protocol.md to stand in for a master or slave.

With it a test can hold a master's waiting queue full, or be the master that says Wait, and see what a real recorder
does then. One message is one datagram of a SOCK_SEQPACKET socket; integers are little-endian on this machine.
"""

import array
import fcntl
import hashlib
import os
import socket
import struct
import time
import uuid

HEADER = struct.Struct("<IBBH")
MAGIC, VERSION = 0x4C444953, 2
HELLO, WELCOME, REFUSE, REQUEST, PASS, WAIT, DATA, COMMIT, BYE, BYE_ACK = range(1, 11)
HELLO_BODY = struct.Struct("<qQIIIHHHHI")
WELCOME_BODY = struct.Struct("<qIIII")
REQUEST_BODY = struct.Struct("<QQQII")
PASS_BODY = struct.Struct("<QII")
WAIT_BODY = struct.Struct("<II")
COMMIT_MARK = struct.Struct("<IIQ")
EVENT = struct.Struct("<IBBBBQQQIIQQQQ")  # payload kind dir why - time conn chan lane - pos off len records
EVENT_DATA = 2
MAX_DATAGRAM = 8 + 128 * 1024
FIRST_BYTES = 16 * 1024  # what HELLO asks for
TIMEOUT_S = 20
F_OFD_SETLK = 37


def socket_path(run_dir, sid):
    return os.path.join(run_dir, hashlib.sha256(sid.encode()).hexdigest()[:32] + ".sock")


class Peer:
    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(TIMEOUT_S)

    def send(self, kind, body=b""):
        self.socket.send(HEADER.pack(MAGIC, VERSION, kind, 0) + body)

    def says_hello(self, name, sid, ring_fd=None):
        words = [word.encode() for word in (name, sid, "stand-in")]
        body = HELLO_BODY.pack(0, 0, 0, os.getpid(), 1, *map(len, words), 0, 0) + b"".join(words)
        shown = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [ring_fd]))] if ring_fd is not None else []
        self.socket.sendmsg([HEADER.pack(MAGIC, VERSION, HELLO, 0) + body], shown)

    def receive(self):
        """(type, body), or (None, b"") at the end."""
        datagram = self.socket.recv(MAX_DATAGRAM)
        if not datagram:
            return None, b""
        magic, version, kind, _ = HEADER.unpack_from(datagram)
        assert (magic, version) == (MAGIC, VERSION), datagram[:16]
        return kind, datagram[HEADER.size :]

    def expect(self, kind):
        got, body = self.receive()
        assert got == kind, f"message {got} instead of {kind}: {body[:200]!r}"
        return body

    def process(self):
        """Who is at the other end, by the kernel's word."""
        return struct.unpack("iII", self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def close(self):
        self.socket.close()


def lock_file(fd, kind):
    """The whole of it, for its open file description (struct flock of fcntl(2))."""
    fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("=hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))


class StandInRing:
    """A ring's file with its reader's lock (F_OFD_SETLK), which is how a recorder proves who it is."""

    def __init__(self, run_dir, name):
        self.path = os.path.join(run_dir, "rings", name + ".ring")
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        lock_file(self.fd, fcntl.F_WRLCK)

    def close(self):
        os.unlink(self.path)
        os.close(self.fd)


class StandInSlave(Peer):
    """A slave that asks and, when passed, sends nothing by itself: its credit keeps the room taken."""

    def __init__(self, run_dir, sid, name):
        super().__init__(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        self.ring = StandInRing(run_dir, name)
        self.socket.connect(socket_path(run_dir, sid))
        self.says_hello(name, sid, self.ring.fd)
        self.expect(WELCOME)
        self.requests = 0

    def close(self):
        super().close()
        self.ring.close()

    def asks(self, size):
        """The master's answer: ("pass", credit) or ("wait", retry_ms)."""
        self.requests += 1
        self.send(REQUEST, REQUEST_BODY.pack(size, size // 1024, time.monotonic_ns(), self.requests, 0))
        kind, body = self.receive()
        if kind == PASS:
            return "pass", PASS_BODY.unpack(body)[0]
        assert kind == WAIT, f"message {kind} instead of PASS or WAIT"
        return "wait", WAIT_BODY.unpack(body)[1]


class StandInListener:
    """Takes the place of a SID's master before any recorder is there. Answers nothing by itself."""

    def __init__(self, run_dir, sid):
        self.path = socket_path(run_dir, sid)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.path)
        self._listener.listen(16)
        self._listener.settimeout(TIMEOUT_S)

    def accept(self):
        return Peer(self._listener.accept()[0])

    def leave(self):
        self._listener.close()
        os.unlink(self.path)


class Slave:
    """What a stand-in master knows of the recorder that has come to it."""

    def __init__(self, peer, retry_ms):
        self.peer = peer
        body = peer.expect(HELLO)
        _, oldest_ns, *_, rec, sid, program, _, _ = HELLO_BODY.unpack_from(body)
        strings = body[HELLO_BODY.size :]
        self.rec, self.sid = strings[:rec].decode(), strings[rec : rec + sid].decode()
        self.program = strings[rec + sid : rec + sid + program].decode()
        self.bytes = {0: b"", 1: b""}  # by direction
        offset = time.time_ns() - time.monotonic_ns()
        session = str(uuid.uuid4()).encode()
        peer.send(WELCOME, WELCOME_BODY.pack(offset, 1, retry_ms, len(session), 0) + session)
        self.said_hello = oldest_ns > 0  # which is its first request

    def next_request(self):
        """(number, bytes it wants to send); what it says in between would be a breach of the protocol."""
        if self.said_hello:
            self.said_hello = False
            return 0, FIRST_BYTES
        size, _, _, number, _ = REQUEST_BODY.unpack(self.peer.expect(REQUEST))
        return number, size

    def told_to_wait(self, number, retry_ms):
        self.peer.send(WAIT, WAIT_BODY.pack(number, retry_ms))

    def passed(self, number, credit):
        """Takes one DATA message, within the credit, and commits it."""
        self.peer.send(PASS, PASS_BODY.pack(credit, number, 0))
        events = self.peer.expect(DATA)
        assert len(events) <= credit, f"{len(events)} bytes of events on a credit of {credit}"
        self.committed(events)

    def committed(self, body):
        marks, at = b"", 0
        while at < len(body):
            payload, kind, direction, _, _, _, _, _, lane, _, pos, _, _, _ = EVENT.unpack_from(body, at)
            if kind == EVENT_DATA:
                self.bytes[direction] += body[at + EVENT.size : at + EVENT.size + payload]
            marks += COMMIT_MARK.pack(lane, 0, pos)
            at += EVENT.size + (payload + 7 & ~7)
        self.peer.send(COMMIT, marks)

    def served_until_it_leaves(self):
        while True:
            kind, body = self.peer.receive()
            if kind == REQUEST and REQUEST_BODY.unpack(body)[0] > 0:
                size, _, _, number, _ = REQUEST_BODY.unpack(body)
                self.peer.send(PASS, PASS_BODY.pack(size, number, 0))
            elif kind == DATA:
                self.committed(body)
            elif kind in (BYE, None):
                if kind == BYE:
                    self.peer.send(BYE_ACK)
                return
