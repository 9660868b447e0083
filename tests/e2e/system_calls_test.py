"""On the data path a recorded program makes the system calls of the bare one, and a rare futex: strace has seen both.

Start-up (the recorder, the ring, the first bytes) and the question at close are outside: strace is attached to a
connection that has already carried bytes, and detached before it ends.
"""

import os

from support import processes
from support.sshd import Sshd
from support.stock_programs import Haproxy, NginxStream, Socat, nginx_has_stream
from support.system_calls import Calls, Strace
from support.workplace import EndToEnd, Missing

TURNS = 50
BEGIN, END = "the-exchange-begins", "the-exchange-ends"
FUTEX = r"^\d+ +futex\("
ASKS_THE_TERMINAL = r"^\d+ +ioctl\(\d+, TCGETS,"
RAW = "stty raw -echo; echo ready; cat"  # so that each keystroke is answered once, by cat


class SystemCalls(EndToEnd):
    def test_haproxy_makes_no_system_call_more_on_the_data_path(self):
        self.proxy_makes_no_call_more(Haproxy)

    def test_nginx_stream_makes_no_system_call_more_on_the_data_path(self):
        if not nginx_has_stream():
            raise Missing("nginx has no stream module")
        self.proxy_makes_no_call_more(NginxStream)

    def test_socat_makes_no_system_call_more_on_the_data_path(self):
        self.proxy_makes_no_call_more(Socat)

    def test_sshd_with_a_command_makes_no_system_call_more_on_the_data_path(self):
        bare, recorded = (self.calls_of_sshd(way, "-T", "echo ready; cat") for way in (False, True))
        self.expect_the_same(bare, recorded)

    def test_sshd_with_a_terminal_asks_it_once_a_keystroke_and_makes_no_other_system_call_more(self):
        """Whether the terminal shows what is typed can only be asked (docs/decisions/0009): before each write to it."""
        bare, recorded = (self.calls_of_sshd(way, "-tt", RAW) for way in (False, True))
        keystrokes = bare.by_name()["write"] // 2  # each is written to the terminal, and its echo to the client
        asked = [calls.without(ASKS_THE_TERMINAL) for calls in (bare, recorded)]
        # The question about the last mark comes before the mark, so it is among them.
        self.assertEqual(asked[1] - asked[0], keystrokes + 1, "one question a write to the terminal")
        self.expect_the_same(bare, recorded)

    # -- how

    def proxy_makes_no_call_more(self, program):
        bare, recorded = (self.calls_of_proxy(program, way) for way in (False, True))
        self.expect_the_same(bare, recorded)

    def calls_of_proxy(self, program, recorded):
        host = self.place.start(program(self.place.echo_backend()), recorded=recorded)
        client = self.place.client(host).says(b"long before")
        log = self.place.path(f"calls-{recorded}")
        with Strace(host.pids(), log):
            for text in self.exchange():
                client.says(text)
        client.close()
        self.expect_it_was_recorded(recorded, lambda connection: connection.bytes["in"], client.sent)
        return Calls(log, BEGIN, END)

    def calls_of_sshd(self, recorded, terminal, command):
        host = self.place.start(Sshd(), recorded=recorded)
        client = host.pipe("root", command, options=[terminal]).gets(b"ready\n")
        said = [b"long before", *self.exchange()]
        client.sends(said[0]).gets(said[0])
        log = self.place.path(f"calls-{recorded}")
        serving = [pid for pid in processes.descendants(host.pid) if os.path.basename(processes.executable(pid)) == "sshd"]
        with Strace(serving, log):
            for text in said[1:]:
                client.sends(text).gets(text)
        client.ends()
        self.expect_it_was_recorded(recorded, self.bytes_of_channels, b"".join(said))
        return Calls(log, BEGIN, END)

    @staticmethod
    def bytes_of_channels(connection):
        return b"".join(bytes(channel.bytes["in"]) for channel in connection.channels.values())

    def exchange(self):
        yield BEGIN.encode()
        for turn in range(TURNS):
            yield b"%03d " % turn * (1 + turn % 40)
        yield END.encode()

    def expect_it_was_recorded(self, recorded, bytes_in, said):
        if recorded:
            (connection,) = self.place.ended_trail().connections.values()
            self.assertEqual(bytes_in(connection), said, "it was recorded while it was traced")

    def expect_the_same(self, bare, recorded):
        """Each call that the bare program makes too, and as many that carry bytes; how often it waits, or looks in vain,
        differs from run to run of the bare program as well."""
        bare.without(FUTEX)
        self.assertLess(recorded.without(FUTEX), TURNS, "a wake for each call is not rare")
        self.assertGreaterEqual(sum(bare.that_carry_bytes().values()), 2 * TURNS)
        self.assertEqual(set(recorded.by_name()) - set(bare.by_name()), set())
        self.assertEqual(recorded.that_carry_bytes(), bare.that_carry_bytes())
