"""scripts/recorded: stock services started by hand, each recorded as the wrapper's one line promises."""

import os
import subprocess

from support.ports import free_port
from support.postgresql import Postgresql, run_psql
from support.services import (
    DantedService,
    HaproxyService,
    HitchService,
    InetdService,
    NginxService,
    PgbouncerService,
    SquidService,
    StunnelService,
)
from support.sshd import Sshd, TestUser
from support.stock_programs import Redis, Socat
from support.wire_tap import WireTap
from support.workplace import BUILD, EndToEnd

WRAPPERS = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../scripts/recorded"))


class Nginx(NginxService):
    def prepare(self):
        self.recording = []  # the wrapper tells it what to keep
        super().prepare()


class Pgbouncer(PgbouncerService):
    starts_as = None

    def prepare(self):
        os.chmod(self.folder, 0o777)  # it writes its log there when it has become postgres
        super().prepare()

    def arguments(self):
        return ["-u", self.drops_to, *super().arguments()]


class Inetd(InetdService):
    drops_to = "root"  # who can get at the wrapper, wherever the sources are
    folders = ()

    def prepare(self):
        super().prepare()
        line = self.read("inetd.conf")
        start, _, server = line.partition("/usr/bin/env env ")
        words = server.split()
        settings = [word for word in words if word.startswith("SIDREC_")]
        command = words[next(i for i, word in enumerate(words) if word.startswith("/")) :]
        wrapper = os.path.join(WRAPPERS, "from-inetd")
        self.write("inetd.conf", f"{start}{wrapper} from-inetd {' '.join(settings + command)}\n")


class Wrappers(EndToEnd):
    def test_wrapper_of_haproxy_records_it(self):
        self.records(HaproxyService)

    def test_wrapper_of_nginx_records_it_through_a_binary_upgrade(self):
        host = self.start(Nginx(self.place.echo_backend()))
        before = self.place.client(host).says(b"before")
        host.upgrade()
        after = self.place.client(host).says(b"after")
        before.close()
        after.close()
        flows = self.place.ended_trail().connections.values()
        self.assertEqual({bytes(each.bytes["in"]) for each in flows}, {b"before", b"after"})

    def test_wrapper_of_stunnel_records_it(self):
        self.records(StunnelService)

    def test_wrapper_of_danted_records_it(self):
        self.records(DantedService)

    def test_wrapper_of_hitch_records_it(self):
        host = self.start(HitchService(self.place.echo_backend()))
        tap = WireTap(host)
        client = self.place.client(tap).greets(host).says(b"in its TLS")
        client.close()
        (wire,) = tap.wires()
        (connection,) = self.place.ended_trail().connections.values()
        self.assertEqual(connection.bytes["in"], wire.sent)

    def test_wrapper_of_squid_records_it(self):
        self.records(SquidService)

    def test_wrapper_of_redis_server_records_it(self):
        host = self.start(Redis())
        client = self.place.client(host)
        client.socket.sendall(b"*1\r\n$4\r\nPING\r\n")
        self.assertEqual(client.socket.recv(64), b"+PONG\r\n")
        client.close()
        (connection,) = self.place.ended_trail().connections.values()
        self.assertEqual(connection.bytes["out"], b"+PONG\r\n")

    def test_wrapper_of_socat_records_it(self):
        self.records(Socat)

    def test_wrapper_of_a_server_of_inetd_records_it(self):
        self.records(Inetd)

    def test_wrapper_of_pgbouncer_records_it(self):
        self.place.open_to_all()
        server = self.place.start(Postgresql(), recorded=False)
        tap = WireTap(self.start(Pgbouncer(server.port)))
        run_psql(tap, 1, 1)
        (wire,) = tap.wires()
        (connection,) = self.place.ended_trail().connections.values()
        self.assertEqual(connection.bytes["in"], wire.sent)

    def test_wrapper_of_sshd_records_each_user_apart(self):
        with TestUser() as user:
            host = self.start(Sshd(), sid=None)
            self.assertEqual(host.ssh(user.name, "echo", "seen").stdout, b"seen\n")
            (connection,) = self.place.ended_trail(f"{user.name}@127.0.0.1").connections.values()
            self.assertEqual(connection.channels_of("exec")[0].bytes["out"], b"seen\n")

    def test_wrappers_say_how_they_are_used_and_what_is_missing(self):
        for name in os.listdir(WRAPPERS):
            path = os.path.join(WRAPPERS, name)
            if not os.access(path, os.X_OK):
                continue
            done = subprocess.run([path, "--help"], capture_output=True, text=True, timeout=10)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            self.assertRegex(done.stdout, rf"(?s)recorded.*{name}")
        wrapper = os.path.join(WRAPPERS, "from-inetd")
        done = subprocess.run([wrapper, "/no/such/server"], capture_output=True, text=True, timeout=10)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("from-inetd: /no/such/server is not there", done.stderr)

    def start(self, host, sid="demo"):
        self.place.open_to_all()
        self.place.hosts.append(host)
        environment = self.place.environment(sid)
        if not isinstance(host, InetdService):
            host.folders, host.executable = (WRAPPERS,), host.program
            self.assertTrue(os.path.exists(os.path.join(WRAPPERS, host.program)))
            del environment["LD_PRELOAD"]  # that is the wrapper's part
        environment["PATH"] = f"{BUILD}:{os.environ['PATH']}"
        return host.start(self.place.path(host.program), environment)

    def records(self, program):
        host = self.start(program(self.place.echo_backend()))
        client = self.place.client(host).greets(host).says(b"by hand, and recorded")
        client.close()
        (connection,) = self.place.ended_trail().connections.values()
        self.assertEqual(connection.bytes["in"], client.sent)
        self.assertEqual(connection.program, host.serves_by if hasattr(host, "serves_by") else host.program)
