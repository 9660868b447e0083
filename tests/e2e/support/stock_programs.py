"""The unmodified programs of Debian 12, each as it is started by hand in the foreground.

Half closes: redir, simpleproxy, microsocks, tinyproxy and rinetd end both directions when one ends; pen passes the end
on but may lose what it still holds of the other direction; redis-server drops a client at its end of input. There, a
client half-closes only when it has nothing left to get.
"""

import os
import struct
import subprocess

from .host import Host, find_program
from .ports import free_port


class Socat(Host):
    """A process for each connection."""

    program = "socat"

    def arguments(self):
        # -t: how long the second direction may go on when the first has ended; 0.5 s by default
        return ["-t30", f"TCP-LISTEN:{self.port},bind=127.0.0.1,fork,reuseaddr,backlog=512",
                f"TCP:127.0.0.1:{self.backend_port}"]  # fmt: skip


class SocatOfNobody(Socat):
    starts_as = "nobody"


class Haproxy(Host):
    """One process, two threads, splice-free."""

    program = "haproxy"
    maxconn = 5000

    def prepare(self):
        self.write("haproxy.cfg", f"""\
global
  nbthread 2
  maxconn {self.maxconn}
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen through
  bind 127.0.0.1:{self.port} backlog 4096
  server backend 127.0.0.1:{self.backend_port}
""")  # fmt: skip

    def arguments(self):
        return ["-db", "-f", self.path("haproxy.cfg")]


class NginxStream(Host):
    """A master, two workers, edge-triggered epoll, writev."""

    program = "nginx"
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"

    def prepare(self):
        self.write("nginx.conf", f"""\
load_module {self.module};
user root;
worker_processes 2;
daemon off;
pid {self.path("nginx.pid")};
error_log stderr warn;
events {{ worker_connections 1024; }}
stream {{
  server {{
    listen 127.0.0.1:{self.port};
    proxy_pass 127.0.0.1:{self.backend_port};
    proxy_half_close on;
  }}
}}
""")  # fmt: skip

    def arguments(self):
        return ["-p", self.folder, "-e", "stderr", "-c", self.path("nginx.conf")]


class Redir(Host):
    """Forks twice for each connection: the process that serves it has no parent."""

    program = "redir"
    half_close = False

    def arguments(self):
        return ["-n", "-l", "err", f"127.0.0.1:{self.port}", f"127.0.0.1:{self.backend_port}"]


class Simpleproxy(Host):
    program = "simpleproxy"
    half_close = False

    def arguments(self):
        return ["-L", f"127.0.0.1:{self.port}", "-R", f"127.0.0.1:{self.backend_port}"]


class Microsocks(Host):
    """SOCKS5, a thread for each connection."""

    program = "microsocks"
    half_close = False

    def arguments(self):
        return ["-i", "127.0.0.1", "-p", str(self.port)]

    async def greet(self, line):
        await line.send(b"\x05\x01\x00")  # RFC 1928: version 5, one method: no authentication
        await line.receive(2)
        await line.send(b"\x05\x01\x00\x01" + bytes([127, 0, 0, 1]) + struct.pack(">H", self.backend_port))
        await line.receive(10)


class Tinyproxy(Host):
    """CONNECT, a thread for each connection; looks ahead with MSG_PEEK."""

    program = "tinyproxy"
    half_close = False

    def prepare(self):
        self.write("tinyproxy.conf", f"""\
Port {self.port}
Listen 127.0.0.1
Timeout 60
MaxClients 100
LogLevel Critical
PidFile "{self.path("tinyproxy.pid")}"
""")  # fmt: skip

    def arguments(self):
        return ["-d", "-c", self.path("tinyproxy.conf")]

    async def greet(self, line):
        await line.send(f"CONNECT 127.0.0.1:{self.backend_port} HTTP/1.0\r\nX-Greeting: sidrec\r\n\r\n".encode())
        await line.receive_until(b"\r\n\r\n")


class Rinetd(Host):
    """One process, select."""

    program = "rinetd"
    half_close = False

    def prepare(self):
        self.write("rinetd.conf", f"127.0.0.1 {self.port} 127.0.0.1 {self.backend_port}\n")

    def arguments(self):
        return ["-f", "-c", self.path("rinetd.conf")]


class Pen(Host):
    """One process, epoll."""

    program = "pen"
    half_close = False

    def arguments(self):
        return ["-f", "-r", f"127.0.0.1:{self.port}", f"127.0.0.1:{self.backend_port}"]


class Stunnel(Host):
    """Plain bytes from the client, TLS to a second stunnel, which is not recorded, in front of the backend."""

    program = "stunnel4"

    def __init__(self, backend_port):
        super().__init__(backend_port)
        self.far_port = free_port()
        self.far_end = None

    def start(self, folder, environment, prefix=()):
        if self.far_end is None:
            bare = {name: value for name, value in environment.items() if not name.startswith(("SIDREC_", "LD_"))}
            self.far_end = _StunnelServer(self.far_port, self.backend_port).start(folder + "-far-end", bare)
        return super().start(folder, environment, prefix)

    def stop(self):
        code = super().stop()
        if self.far_end:
            self.far_end.stop()
        return code

    def prepare(self):
        self.write("stunnel.conf", _stunnel_conf(f"""\
client = yes
accept = 127.0.0.1:{self.port}
connect = 127.0.0.1:{self.far_port}
"""))  # fmt: skip

    def arguments(self):
        return [self.path("stunnel.conf")]


class _StunnelServer(Host):
    program = "stunnel4"

    def __init__(self, port, backend_port):
        super().__init__(backend_port)
        self.port = port

    def prepare(self):
        key, cert = self_signed_certificate(self.folder)
        self.write("stunnel.conf", _stunnel_conf(f"""\
cert = {cert}
key = {key}
accept = 127.0.0.1:{self.port}
connect = 127.0.0.1:{self.backend_port}
"""))  # fmt: skip

    def arguments(self):
        return [self.path("stunnel.conf")]


def self_signed_certificate(folder):
    """Paths of a new key and its certificate."""
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(
        [find_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert],
        check=True, capture_output=True)  # fmt: skip
    return key, cert


def _stunnel_conf(service):
    return f"foreground = yes\npid =\ndebug = err\nsyslog = no\n[through]\nTIMEOUTclose = 30\n{service}"


class Redis(Host):
    """No proxy: the server itself."""

    program = "redis-server"
    half_close = False

    def arguments(self):
        return ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                "--dir", self.folder, "--loglevel", "warning", "--daemonize", "no"]  # fmt: skip


def nginx_has_stream():
    return os.path.exists(NginxStream.module)
