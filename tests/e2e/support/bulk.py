"""As many bytes as one likes, each known by its offset, made and compared at memory speed.

Byte i of a stream is block[i % PERIOD]. The period is a prime, so that nothing the proxies or the ring do in powers of
two can repeat it, and a loss or a doubling shows at once.
"""

import random
import socket
import threading

PERIOD = 1_000_003
PIECE = 256 * 1024
TIMEOUT_S = 120


class Stream:
    def __init__(self, seed, text):
        dice = random.Random(seed)
        if text:
            block = bytes(dice.choices(b'abcdefgh 0123456789 the quick brown fox "\\/\t\r\n', k=PERIOD))
        else:
            block = dice.randbytes(PERIOD)
        self._twice = block + block

    def piece(self, offset, length):
        start = offset % PERIOD
        return self._twice[start : start + length]

    def expect(self, offset, data):
        assert len(data) <= PERIOD and self.piece(offset, len(data)) == data, f"different bytes from offset {offset} on"

    def send(self, connection, total):
        for offset in range(0, total, PIECE):
            connection.sendall(self.piece(offset, min(PIECE, total - offset)))

    def receive(self, connection, total):
        offset, buffer = 0, bytearray(PIECE)
        while offset < total:
            count = connection.recv_into(buffer, min(PIECE, total - offset))
            assert count, f"the stream ended {total - offset} bytes early"
            self.expect(offset, bytes(memoryview(buffer)[:count]))
            offset += count


class BulkBackend:
    """Serves one connection: takes `total` bytes of `upload`, then gives `total` bytes of `download`."""

    def __init__(self, upload, download, total):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIMEOUT_S)
        self.port = self._listener.getsockname()[1]
        self.error = None
        self._thread = threading.Thread(target=self._serve, args=(upload, download, total), daemon=True)
        self._thread.start()

    def _serve(self, upload, download, total):
        try:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(TIMEOUT_S)
                upload.receive(connection, total)
                download.send(connection, total)
                assert connection.recv(1) == b"", "the client says more than it should"
        except (OSError, AssertionError) as error:
            self.error = error

    def finish(self):
        self._thread.join(TIMEOUT_S)
        self._listener.close()
        assert not self._thread.is_alive(), "the backend has not come to its end"
        if self.error:
            raise AssertionError(f"backend: {self.error}")


def transfer(port, upload, download, total):
    """The client's side; returns its address."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        upload.send(connection, total)
        download.receive(connection, total)
        return connection.getsockname()


class BulkCheck:
    """What Trail hands each data line to: compares, keeps nothing."""

    def __init__(self, upload, download):
        self._expected = {"in": upload, "out": download}
        self.seen = {"in": 0, "out": 0}

    def take(self, _connection, direction, offset, data):
        self._expected[direction].expect(offset, data)
        self.seen[direction] += len(data)
