"""Eleven unmodified programs: every byte of every connection is in the trail, and it is the same program."""

import os

from support import redis_traffic, traffic
from support.host import Missing
from support.oracle import expect_exactly
from support.ports import free_port
from support.stock_programs import (
    Haproxy,
    Microsocks,
    NginxStream,
    Pen,
    Redir,
    Redis,
    Rinetd,
    Simpleproxy,
    Socat,
    Stunnel,
    Tinyproxy,
    nginx_has_stream,
)
from support.workplace import EndToEnd

CONNECTIONS = 20
SEED = int(os.environ.get("SIDREC_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


class StockPrograms(EndToEnd):
    # -- every byte

    def test_socat_fork_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(Socat)

    def test_haproxy_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(Haproxy)

    def test_nginx_stream_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(NginxStream)

    def test_redir_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(Redir)

    def test_simpleproxy_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(Simpleproxy)

    def test_microsocks_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(Microsocks)

    def test_tinyproxy_connect_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(Tinyproxy)

    def test_rinetd_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(Rinetd)

    def test_pen_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(Pen)

    def test_stunnel_every_plain_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(Stunnel)

    def test_redis_server_every_byte_is_in_the_trail(self):
        self.every_byte_is_in_the_trail(Redis)

    # -- the same host

    def test_socat_fork_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(Socat)

    def test_haproxy_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(Haproxy)

    def test_nginx_stream_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(NginxStream)

    def test_redir_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(Redir)

    def test_simpleproxy_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(Simpleproxy)

    def test_microsocks_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(Microsocks)

    def test_tinyproxy_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(Tinyproxy)

    def test_rinetd_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(Rinetd)

    def test_pen_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(Pen)

    def test_stunnel_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(Stunnel)

    def test_redis_server_is_the_same_with_and_without(self):
        self.is_the_same_with_and_without(Redis)

    # -- how

    def every_byte_is_in_the_trail(self, program):
        host, exchanges = self.one_run(program, recorded=True)
        trail = self.place.ended_trail()
        expect_exactly(trail, [exchange.line for exchange in exchanges], host)
        for connection in trail.connections.values():
            self.assertEqual((connection.open["via"], connection.open["sid_source"]), ("accept", "env"))

    def is_the_same_with_and_without(self, program):
        """The bytes at both ends are compared in each run; here, what the program says and how it ends."""
        runs = []
        for recorded in (False, True):
            host, _ = self.one_run(program, recorded)
            exit_code = host.stop()
            runs.append((exit_code, host.remarks()))
        self.assertEqual(runs[0], runs[1], "exit code and output, without and with the recording")
        self.assertEqual(len(self.place.ended_trails()), 1)

    def one_run(self, program, recorded):
        if program is NginxStream and not nginx_has_stream():
            raise Missing("nginx has no stream module")
        print(f"seed {SEED} (SIDREC_SEED repeats it)")
        if program is Redis:
            host = self.place.start(Redis(), recorded=recorded)
            exchanges = redis_traffic.plan(CONNECTIONS, SEED)
            redis_traffic.run(host, exchanges)
        else:
            host = self.place.start(program(free_port()), recorded=recorded)
            exchanges = traffic.plan(CONNECTIONS, SEED, half_close=program.half_close)
            traffic.run(host, exchanges, SEED)
        return host, exchanges
