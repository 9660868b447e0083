"""How soon a line can be read after the host's I/O. Measured and printed; only a generous bound is asserted."""

import statistics
import time

from support.deadline import until
from support.stock_programs import Haproxy, Socat
from support.workplace import EndToEnd

ROUNDS = 30
BOUND_S = 2.0


class Readability(EndToEnd):
    def test_line_is_readable_soon_when_idle(self):
        client = self.place.client(self.place.start(Socat(self.place.echo_backend())))
        self.measure("one connection, idle (aim: 5 ms)", client.says(b"first"))

    def test_line_is_readable_soon_with_slaves(self):
        backend = self.place.echo_backend()
        socat, haproxy = self.place.start(Socat(backend)), self.place.start(Haproxy(backend))
        clients = [self.place.client(host).says(b"first") for host in (socat, socat, haproxy)]
        for client in clients:
            self.place.recorded(client)
        self.measure("master's own line, with two slaves (aim: 30 ms)", clients[0])
        self.measure("a slave's line (aim: 30 ms)", clients[1])

    def measure(self, what, client):
        self.place.recorded(client)
        (path,) = self.place.trail_paths()
        waits = []
        with open(path, "rb") as trail:
            for turn in range(ROUNDS):
                trail.seek(0, 2)
                mark = b"mark-%d-%d." % (turn, client.address[1])
                seen = bytearray()
                client.says(mark)
                started = time.monotonic()

                def both_lines_are_there():
                    seen.extend(trail.read())
                    return seen.count(mark) == 2 and seen.endswith(b"\n")

                until(both_lines_are_there, "the line", 10, poll_s=0.0002)
                waits.append(time.monotonic() - started)
        waits.sort()
        in_ms = [f"{1000 * wait:.1f}" for wait in (statistics.median(waits), waits[int(ROUNDS * 0.95)], waits[-1])]
        print(f"{what}: median {in_ms[0]} ms, p95 {in_ms[1]} ms, most {in_ms[2]} ms")
        self.assertLess(statistics.median(waits), BOUND_S)
