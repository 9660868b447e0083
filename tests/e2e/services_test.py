"""Services as Debian packages them, that give up root: every byte is in the trail, which their user cannot touch."""

import os
import random

from support import http_traffic, processes, traffic
from support.accounts import account, can_open, everything_below
from support.deadline import until
from support.oracle import expect_exactly
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
from support.wire_tap import WireTap
from support.workplace import EndToEnd

CONNECTIONS = 20
SEED = int(os.environ.get("SIDREC_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


class Services(EndToEnd):
    # -- every byte

    def test_haproxy_service_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(HaproxyService)

    def test_nginx_service_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(NginxService)

    def test_nginx_http_every_byte_is_in_the_trail_and_a_file_is_a_gap(self):
        dice = random.Random(SEED)
        files = {f"{size}.bin": dice.randbytes(size) for size in (0, 1, 4096, 65537, 2_500_000)}
        host = self.start(NginxService(free_port(), files))
        browsings = http_traffic.plan(CONNECTIONS, SEED, files)
        http_traffic.run(host, host.http_port, browsings)
        unseen = {each.line.address: each.unseen for each in browsings}
        self.assertTrue(any(unseen.values()), "no client has asked for a file")
        trail = self.place.ended_trail()
        expect_exactly(trail, [each.line for each in browsings], unseen=unseen)
        self.assertEqual({gap["why"] for gap in trail.gaps}, {"sendfile"})
        for connection in trail.connections.values():
            self.as_complete_as_the_kernel_can_say(connection.close, gaps=bool(unseen[connection.client]))

    def test_stunnel_service_every_plain_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(StunnelService)

    def test_pgbouncer_service_every_byte_is_in_the_trail(self):
        host = self.start_pgbouncer()
        tap = WireTap(host)
        run_psql(tap, CONNECTIONS, SEED)
        self.everything_is_there(host, tap.wires())

    def test_danted_service_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(DantedService)

    def test_hitch_service_every_byte_on_the_wire_is_in_the_trail(self):
        host = self.start(HitchService(free_port()))
        tap = WireTap(host)
        self.run_traffic(tap)
        self.everything_is_there(host, tap.wires())

    def test_squid_connect_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(SquidService)

    def test_squid_http_every_byte_is_in_the_trail(self):
        host = self.start(SquidService(free_port()))
        browsings = http_traffic.plan(CONNECTIONS, SEED)
        http_traffic.run(host, host.port, browsings, f"http://127.0.0.1:{host.backend_port}")
        self.everything_is_there(host, [each.line for each in browsings])

    def test_inetd_service_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(InetdService)

    # -- the same host

    def test_haproxy_service_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(HaproxyService)

    def test_nginx_service_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(NginxService)

    def test_stunnel_service_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(StunnelService)

    def test_danted_service_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(DantedService)

    def test_hitch_service_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(HitchService)

    def test_squid_service_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(SquidService)

    def test_inetd_service_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(InetdService)

    def test_pgbouncer_service_is_the_same_with_and_without(self):
        server = self.start_postgresql()
        runs = []
        for recorded in (False, True):
            host = self.start(PgbouncerService(server.port), recorded)
            run_psql(host, 1, SEED)  # at once they would need as many servers as it happens to come
            runs.append((host.stop(), host.remarks()))
        self.assertEqual(runs[0], runs[1], "exit code and output, without and with the recording")

    # -- a new configuration, a new program: clients stay connected across it

    def test_haproxy_is_recorded_through_a_reload(self):
        self.is_recorded_through(HaproxyService, HaproxyService.reload)

    def test_nginx_is_recorded_through_a_reload(self):
        self.is_recorded_through(NginxService, NginxService.reload)

    def test_nginx_is_recorded_through_a_binary_upgrade(self):
        self.is_recorded_through(NginxService, NginxService.upgrade)

    # -- whose the trail is

    def test_haproxys_user_can_open_nothing_of_ours(self):
        self.its_user_can_open_nothing_of_ours(HaproxyService)

    def test_nginxs_user_can_open_nothing_of_ours(self):
        self.its_user_can_open_nothing_of_ours(NginxService)

    def test_stunnels_user_can_open_nothing_of_ours(self):
        self.its_user_can_open_nothing_of_ours(StunnelService)

    def test_danteds_user_can_open_nothing_of_ours(self):
        self.its_user_can_open_nothing_of_ours(DantedService)

    def test_hitchs_user_can_open_nothing_of_ours(self):
        self.its_user_can_open_nothing_of_ours(HitchService)

    def test_of_what_a_group_shares_another_user_can_open_nothing(self):
        host = self.start(InetdService(self.place.echo_backend()))
        client = self.place.client(host).says(b"x" * 1000)
        until(lambda: self.serving(client), "the record of the connection")
        ours = everything_below(self.place.audit_dir, self.place.run_dir)
        self.can_open_nothing_of("www-data", ours)

    def test_squids_user_can_open_nothing_of_ours(self):
        self.its_user_can_open_nothing_of_ours(SquidService)

    # -- how

    def start(self, host, recorded=True):
        self.place.open_to_all()
        if isinstance(host, (PgbouncerService, InetdService)):
            self.place.share_with(host.drops_to)
        return self.place.start(host, recorded=recorded)

    def start_postgresql(self):
        self.place.open_to_all()
        return self.place.start(Postgresql(), recorded=False)

    def start_pgbouncer(self):
        return self.start(PgbouncerService(self.start_postgresql().port))

    def run_traffic(self, host):
        print(f"seed {SEED} (SIDREC_SEED repeats it)")
        exchanges = traffic.plan(CONNECTIONS, SEED, half_close=host.half_close, endings=host.endings)
        traffic.run(host, exchanges, SEED)
        return [exchange.line for exchange in exchanges]

    def every_byte_is_in_the_trail(self, program):
        host = self.start(program(free_port()))
        self.everything_is_there(host, self.run_traffic(host))

    def everything_is_there(self, host, lines):
        uid = account(host.drops_to).pw_uid
        trail = self.place.ended_trail()
        expect_exactly(trail, lines)
        for connection in trail.connections.values():
            self.as_complete_as_the_kernel_can_say(connection.close)
            opened = (connection.program, connection.server, connection.open["via"], connection.open["sid_source"])
            self.assertEqual(opened, (host.serves_by, ("127.0.0.1", host.port), host.via, "env"))

    def as_complete_as_the_kernel_can_say(self, close, gaps=False):
        """Of a connection that both ends have closed, it may not say whether its count holds a FIN: null, then."""
        kernel = (close["kernel_bytes_in"], close["kernel_bytes_out"])
        if gaps:
            self.assertIs(close["complete"], False, close)
        elif None not in kernel:
            self.assertIs(close["complete"], True, close)

    def is_the_same_with_and_without(self, program):
        """The bytes at both ends are compared in each run; here, what the program says and how it ends."""
        runs = []
        for recorded in (False, True):
            host = self.start(program(free_port()), recorded)
            self.run_traffic(host)
            runs.append((host.stop(), host.remarks()))
        self.assertEqual(runs[0], runs[1], "exit code and output, without and with the recording")
        self.assertEqual(len(self.place.ended_trails()), 1)

    def is_recorded_through(self, program, change):
        dice = random.Random(SEED)
        host = self.start(program(self.place.echo_backend()))

        def speaks(client):
            return client.says(dice.randbytes(dice.randint(1, 50_000)))

        before = [speaks(self.place.client(host)) for _ in range(CONNECTIONS // 2)]
        old = change(host)
        after = [self.place.client(host) for _ in range(CONNECTIONS // 2)]
        for client in before + after:
            speaks(client).close()
        until(lambda: not any(map(processes.is_running, old)), "the end of the old workers, whose clients have gone")
        trail = self.place.ended_trail()
        expect_exactly(trail, before + after, host)
        for clients, by_old in ((before, True), (after, False)):
            for client in clients:
                connection = trail.connection_of(client.address)
                self.assertEqual(connection.pid in old, by_old, f"{connection.pid} is not of the right generation")
                self.as_complete_as_the_kernel_can_say(connection.close)

    def serving(self, client):
        """The process in which this client's connection is recorded."""
        for connection in self.place.growing_trail().connections.values():
            if connection.client == client.address:
                return connection.pid

    def its_user_can_open_nothing_of_ours(self, program):
        host = self.start(program(self.place.echo_backend()))
        client = self.place.client(host).greets(host).says(b"x" * 1000)
        uid = account(host.drops_to).pw_uid
        serving = until(lambda: self.serving(client), "the record of the connection")
        self.assertIn(uid, processes.user_ids(serving), f"not served by {host.drops_to}")
        self.assertEqual(processes.root(serving), host.chroot)
        for recorder in self.place.recorders():
            self.assertNotIn(uid, processes.user_ids(recorder.pid))
            self.assertEqual(processes.root(recorder.pid), "/")
        ours = everything_below(self.place.audit_dir, self.place.run_dir)
        for kind in (".jsonl", ".ring", ".sock"):
            self.assertTrue(any(path.endswith(kind) for path in ours), f"no {kind} among {ours}")
        self.can_open_nothing_of(host.drops_to, ours)

    def can_open_nothing_of(self, user, ours):
        anybodys = self.place.path("config.json")
        self.assertEqual(can_open(user, [anybodys, *ours]), [anybodys])
