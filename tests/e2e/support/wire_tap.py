"""WireTap: a relay in front of a host that keeps what went over the wire, where a client shows only what it meant.

For clients that speak TLS, and for whole programs. It takes the host's place before them: its port, and all else of
the host. Each of its own connections to the host is a Wire, in the words of a client: address, sent, received.
"""

import socket
import threading

TIMEOUT_S = 30


class Wire:
    def __init__(self, client, port):
        self._client = client
        self._host = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.address = self._host.getsockname()
        self.sent, self.received = bytearray(), bytearray()
        for each in (client, self._host):
            each.settimeout(TIMEOUT_S)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._threads = [
            threading.Thread(target=_relay, args=(client, self._host, self.sent), daemon=True),
            threading.Thread(target=_relay, args=(self._host, client, self.received), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def finish(self):
        for thread in self._threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive(), f"the wire of {self.address} has not come to its end"
        self._client.close()
        self._host.close()


def _relay(source, target, kept):
    """Reads to the end, also when nobody is there any more to give it to."""
    try:
        while data := source.recv(65536):
            kept += data
            try:
                target.sendall(data)
            except OSError:
                pass
    except OSError:
        pass
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class WireTap:
    def __init__(self, host):
        self._host = host
        self._wires = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __getattr__(self, name):
        return getattr(self._host, name)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._wires.append(Wire(client, self._host.port))

    def wires(self):
        """All of them, when both of their ends are over."""
        self._listener.shutdown(socket.SHUT_RDWR)  # accept(2) comes back; a close alone would leave it waiting
        self._thread.join(TIMEOUT_S)
        self._listener.close()
        for wire in self._wires:
            wire.finish()
        return self._wires
