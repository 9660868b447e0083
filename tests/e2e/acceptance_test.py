"""One person's work as it is: a terminal, a copy in a second window, a forward to a database, and a web page, at once."""

import http.client
import os
import subprocess
from types import SimpleNamespace

from support.deadline import until
from support.host import find_program
from support.ports import free_port, is_listening
from support.postgresql import Postgresql, run_psql
from support.services import NginxService
from support.sshd import Sshd, Terminal, end_client
from support.stock_programs import Haproxy
from support.workplace import BUILD, EndToEnd

PSQLS = 3
COPIED = 3_000_000
SEED = int(os.environ.get("SIDREC_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


class Acceptance(EndToEnd):
    def test_one_persons_terminal_copy_forwarded_database_and_web_page_are_one_trail(self):
        self.place.open_to_all()
        database = self.place.start(Postgresql(), recorded=False)
        haproxy = self.place.start(Haproxy(database.port), "alice")
        page = b"<h1>A page</h1>\n" * 100
        nginx = self.place.start(NginxService(free_port(), {"page.html": page}), "alice")
        sshd = self.place.start(Sshd(), "alice")

        terminal = sshd.terminal("root", "PS1='ready> ' exec sh -i")
        terminal.sees(b"ready> ").types(b"echo before the copy: $((1 + 1))\n").sees(b"copy: 2\r\nready> ")
        copied = self.copy_in_a_second_window(sshd, terminal)
        forward = free_port()
        tunnel = sshd.background("root", "-N", "-L", f"{forward}:127.0.0.1:{haproxy.port}")
        until(lambda: is_listening(forward), "the forward")
        run_psql(SimpleNamespace(port=forward, password="none", drops_to="postgres"), PSQLS, SEED, 10_000)
        self.assertEqual(self.page_of(nginx), page)
        terminal.types(b"echo after all of it: $((3 + 3))\n").sees(b"it: 6\r\nready> ")
        until(self.forwards_are_closed, "the ends of the forwards: a client that leaves in their midst resets the connection")
        end_client(tunnel)
        terminal.types(b"exit\n").ends()

        trail = self.place.ended_trail("alice")
        self.assertEqual({each["why"] for each in trail.gaps}, {"sendfile"}, "nginx sends its file past us")
        self.everything_is_in(trail, haproxy, copied)
        self.is_one_session(trail)
        self.can_be_replayed(trail)

    def page_of(self, nginx):
        client = http.client.HTTPConnection("127.0.0.1", nginx.http_port, timeout=10)
        client.request("GET", "/files/page.html")
        page = client.getresponse().read()
        client.close()
        return page

    def copy_in_a_second_window(self, sshd, terminal):
        path = self.place.path("copied.bin")
        with open(path, "wb") as file:
            file.write(os.urandom(COPIED))
        copy = subprocess.Popen([find_program("scp"), "-q", *sshd.options(), path, f"root@127.0.0.1:{path}.there"])
        terminal.types(b"echo while it copies: $((2 + 2))\n").sees(b"copies: 4\r\nready> ")
        self.assertEqual(copy.wait(30), 0)
        return path + ".there"

    def everything_is_in(self, trail, haproxy, copied):
        by_program = {}
        for connection in trail.connections.values():
            by_program.setdefault(connection.program, []).append(connection)
        self.assertEqual({name: len(each) for name, each in by_program.items()},
                         {"sshd": 3, "haproxy": PSQLS, "nginx": 1})  # fmt: skip
        kinds = sorted(channel.kind for each in by_program["sshd"] for channel in each.channels.values())
        self.assertEqual(kinds, ["exec", *["forward"] * PSQLS, "pty"])
        for connection in by_program["sshd"]:
            self.assertIs(connection.close["complete"], True)
        for connection in by_program["haproxy"]:
            self.assertIsNot(connection.close["complete"], False)
        (copy,) = [each for each in self.channels(by_program["sshd"], "exec")]
        (transfer,) = copy.transfers
        self.assertEqual((transfer["name"], transfer["len"]), (copied, COPIED))
        forwards = self.channels(by_program["sshd"], "forward")
        self.assertEqual({each.open["peer_port"] for each in forwards}, {haproxy.port})
        # What went into the tunnel came out of it, into haproxy.
        for direction in ("in", "out"):
            self.assertEqual(sorted(bytes(each.bytes[direction]) for each in forwards),
                             sorted(bytes(each.bytes[direction]) for each in by_program["haproxy"]))  # fmt: skip
        (terminal,) = self.channels(by_program["sshd"], "pty")
        for said in (b"before the copy: 2", b"while it copies: 4", b"after all of it: 6"):
            self.assertIn(said, bytes(terminal.bytes["out"]))

    def forwards_are_closed(self):
        forwards = self.channels(self.place.growing_trail("alice").connections.values(), "forward")
        return len(forwards) == PSQLS and all(each.close for each in forwards)

    def channels(self, connections, kind):
        return [channel for each in connections for channel in each.channels_of(kind)]

    def is_one_session(self, trail):
        self.assertEqual([each["ev"] for each in trail.records].count("session.end"), 1)
        self.assertEqual(len(self.place.trail_paths()), 1)
        masters = [each["epoch"] for each in trail.masters]
        self.assertEqual(masters, sorted(set(masters)), "one master at a time")

    def can_be_replayed(self, trail):
        (terminal,) = [channel for each in trail.connections.values() for channel in each.channels_of("pty")]
        sidrec = [os.path.join(BUILD, "sidrec")]
        store = ["--audit-dir", self.place.audit_dir, "alice"]
        played = subprocess.run([*sidrec, "play", "--speed", "0", *store], capture_output=True, timeout=20)
        self.assertEqual(played.returncode, 0, played.stderr)
        self.assertIn(bytes(terminal.bytes["out"]), played.stdout)
        cast = self.place.path("alice.cast")
        exported = subprocess.run([*sidrec, "export", "--format", "asciicast", *store], capture_output=True, timeout=20)
        self.assertEqual(exported.returncode, 0, exported.stderr)
        with open(cast, "wb") as file:
            file.write(exported.stdout)
        # asciinema wants a terminal of its own.
        shown = Terminal([find_program("env"), "LC_ALL=C.UTF-8", f"HOME={self.place.folder}", find_program("asciinema"),
                          "cat", cast])  # fmt: skip
        self.assertEqual(shown.sees(b"before the copy: 2").sees(b"after all of it: 6").ends(), 0)
