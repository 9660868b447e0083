"""The X11 protocol as far as two programs need it to see that they have met: a server that makes atoms, and a client."""

import os
import socket
import struct
import subprocess
import threading

from .host import find_program
from .ports import free_port

FIRST_PORT = 6000  # of display 0 (X(7))
VENDOR = b"a server of atoms"
FIRST_ATOM = 4711

# What runs at the far end: it finds its display and its right to use it as any X client does.
CLIENT = r"""
import os, socket, struct, subprocess, sys
display = os.environ["DISPLAY"]
host, number = display.rsplit(":", 1)
kind, cookie = subprocess.check_output(["xauth", "list", display], text=True).split()[1:3]
server = socket.create_connection((host, 6000 + int(number.split(".")[0])), 10)
pad = lambda data: data + bytes(-len(data) % 4)
sent = received = 0
def send(data):
    global sent
    server.sendall(data)
    sent += len(data)
def receive(length):
    global received
    received += length
    return server.recv(length, socket.MSG_WAITALL)
cookie = bytes.fromhex(cookie)
send(struct.pack("<cxHHHHxx", b"l", 11, 0, len(kind), len(cookie)) + pad(kind.encode()) + pad(cookie))
status, _, words = struct.unpack("<BxHHH", receive(8))[0], 0, 0
assert status == 1, receive(100)
vendor = receive(32 + 20)[32:]
print(vendor.strip(b"\0").decode())
for name in sys.argv[1:]:
    name = name.encode()
    send(struct.pack("<BxHHxx", 16, 2 + len(pad(name)) // 4, len(name)) + pad(name))
    print(struct.unpack("<8xI", receive(32)[:12])[0])
print(sent, received)
"""


def _padded(data):
    return data + bytes(-len(data) % 4)


class XServer:
    """Knows one cookie and two requests: the connection's setup, and InternAtom."""

    def __init__(self, folder):
        self.display = free_port()
        self._listener = socket.create_server(("127.0.0.1", FIRST_PORT + self.display))
        self.cookie = os.urandom(16)
        self.refused = 0
        self.atoms = []
        self.authority = os.path.join(folder, "Xauthority")
        subprocess.run([find_program("xauth"), "-q", "-f", self.authority, "add", self.name, ".", self.cookie.hex()],
                       check=True, capture_output=True)  # fmt: skip
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def name(self):
        return f"127.0.0.1:{self.display}"

    @property
    def environment(self):
        return {"DISPLAY": self.name, "XAUTHORITY": self.authority}

    def close(self):
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                self._serve_one(client)

    def _serve_one(self, client):
        order, _, _, kind, cookie = struct.unpack("<cxHHHHxx", client.recv(12, socket.MSG_WAITALL))
        assert order == b"l"
        shown = client.recv(-(-kind // 4) * 4 + -(-cookie // 4) * 4, socket.MSG_WAITALL)
        if shown[-(-kind // 4) * 4 :][:cookie] != self.cookie:
            self.refused += 1
            return
        vendor = _padded(VENDOR)
        setup = struct.pack("<IIIIHHBBBBBBBBxxxx", 1, 0, 0xFFFF, 0, len(VENDOR), 0xFFFF, 0, 0, 0, 0, 32, 32, 8, 255) + vendor
        client.sendall(struct.pack("<BxHHH", 1, 11, 0, len(setup) // 4) + setup)
        while head := client.recv(8, socket.MSG_WAITALL):
            _, words, length = struct.unpack("<BxHHxx", head)
            self.atoms.append(client.recv(4 * words - 8, socket.MSG_WAITALL)[:length])
            client.sendall(struct.pack("<BxHIIxxxxxxxxxxxxxxxxxxxx", 1, len(self.atoms), 0, FIRST_ATOM + len(self.atoms)))
