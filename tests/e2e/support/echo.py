"""A backend that answers everything with itself, and a client that takes one step at a time."""

import asyncio
import socket
import socketserver
import threading

TIMEOUT_S = 20


class _EchoHandler(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(65536):
                self.request.sendall(data)
        except OSError:
            pass  # the client's end, at the test's will


class EchoBackend(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _EchoHandler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Client:
    """Knows every byte it has sent and received."""

    def __init__(self, port, source="127.0.0.1", server="127.0.0.1"):
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT_S)
        if source != "127.0.0.1":
            self.socket.bind((source, 0))
        self.socket.connect((server, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = self.socket.getsockname()[:2]
        self.sent = bytearray()
        self.received = bytearray()

    def says(self, data):
        """Sends and awaits the echo: when this returns, both have passed the proxy."""
        self.socket.sendall(data)
        self.sent += data
        self._take(len(data))
        assert self.received[-len(data) :] == data, "the echo is not what was said"
        return self

    def greets(self, host):
        """Speaks the host's protocol, so that from here on all is said to the backend."""
        if host.tls:
            self.socket = host.tls.wrap_socket(self.socket)
        asyncio.run(host.greet(self))
        return self

    async def send(self, data):
        self.socket.sendall(data)
        self.sent += data

    async def receive(self, count):
        self._take(count)

    async def receive_until(self, mark):
        while not self.received.endswith(mark):
            self._take(1)

    def _take(self, count):
        while count:
            part = self.socket.recv(min(count, 65536))
            assert part, f"the connection ended with {count} bytes missing"
            self.received += part
            count -= len(part)

    def close(self):
        self.socket.close()
