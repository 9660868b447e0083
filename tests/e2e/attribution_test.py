"""Whose session a connection belongs to, and what the trail says of it."""

import socket

from support.host import Missing
from support.oracle import expect_exactly
from support.stock_programs import Socat
from support.workplace import EndToEnd


class SocatOnIpv6(Socat):
    def arguments(self):
        return ["-t30", f"TCP6-LISTEN:{self.port},bind=[::1],fork,reuseaddr", f"TCP:127.0.0.1:{self.backend_port}"]


class Attribution(EndToEnd):
    def one_session(self, host, server="127.0.0.1"):
        client = self.place.client(host, server=server).says(b"hello")
        client.close()
        (trail,) = self.place.ended_trails()
        expect_exactly(trail, [client])
        return trail, client

    def test_without_a_sid_the_client_address_is_the_sid(self):
        trail, _ = self.one_session(self.place.start(Socat(self.place.echo_backend()), sid=None))
        self.assertEqual((trail.first["sid"], trail.sid_folder), ("127.0.0.1", "127.0.0.1"))
        (connection,) = trail.connections.values()
        self.assertEqual(connection.open["sid_source"], "default")

    def test_template_is_filled_for_each_connection(self):
        host = self.place.start(Socat(self.place.echo_backend()), "{program}-{server_port}-{client_ip}")
        trail, _ = self.one_session(host)
        self.assertEqual(trail.first["sid"], f"socat-{host.port}-127.0.0.1")

    def test_hostile_sid_stays_a_name_below_the_audit_directory(self):
        trail, _ = self.one_session(self.place.start(Socat(self.place.echo_backend()), "../../x y\n%"))
        self.assertEqual(trail.first["sid"], "../../x y\n%")
        self.assertNotIn("/", trail.sid_folder)
        self.assertFalse(trail.sid_folder.startswith("."))

    def test_ipv6_client_is_named_as_such(self):
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError as error:
            raise Missing(f"no IPv6 loopback: {error}") from None
        host = self.place.start(SocatOnIpv6(self.place.echo_backend()))
        trail, client = self.one_session(host, "::1")
        (connection,) = trail.connections.values()
        self.assertEqual((connection.client[0], connection.server), ("::1", ("::1", host.port)))
