"""Services of Debian 12, each as its package starts it: by root, with the packaged configuration, giving up root.

Of a packaged configuration only ports, paths and pid files are changed, so that nothing of the machine is touched; a
site's own part (what to listen on, where to go) is added as an administrator would add it.
"""

import os
import re
import shutil
import signal
import socket
import ssl

from . import processes
from .accounts import Missing, account
from .deadline import until
from .host import Host, find_program
from .ports import free_port, listener_inodes
from .stock_programs import Microsocks, Stunnel, self_signed_certificate
from .traffic import Ending


def packaged(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        raise Missing(f"{path} is not installed") from None


def changed(text, *changes):
    """Each (pattern, replacement) must match: what a package no longer says is not what we think we test."""
    for pattern, replacement in changes:
        text, count = re.subn(pattern, lambda _, to=replacement: to, text, flags=re.MULTILINE)
        assert count, f"the packaged configuration has no {pattern}"
    return text


class Service(Host):
    drops_to = ""  # the user that serves the clients
    chroot = "/"
    serves_by = property(lambda self: self.program)  # as the trail names it
    via = "accept"  # how the process that serves a client has come to it
    notifies = False  # it tells its service manager when it is ready (its unit's type): sd_notify(3)

    def start(self, folder, environment, prefix=()):
        if os.geteuid() != 0:
            raise Missing(f"only root can start {self.program} as its package does")
        account(self.drops_to)
        if not self.notifies:
            return super().start(folder, environment, prefix)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as self.notice:
            name = f"sidrec-e2e-notify-{self.port}"
            self.notice.bind("\0" + name)
            self.notice.settimeout(20)
            return super().start(folder, environment | {"NOTIFY_SOCKET": "@" + name}, prefix)

    def await_start(self):
        super().await_start()
        while self.notifies and b"READY=1" not in self.notice.recv(4096).splitlines():
            pass

    def workers(self):
        uid = account(self.drops_to).pw_uid
        return [pid for pid in self.pids() if uid in processes.user_ids(pid)]

    def stops_listening(self, pids):
        """Waits until none of these processes, which go on with the connections they have, takes new ones."""

        def nobody_listens():
            inodes = {f"socket:[{inode}]" for inode in listener_inodes(self.port)}
            return inodes and not any(inodes & set(processes.open_files(pid).values()) for pid in pids)

        until(nobody_listens, f"the old processes {pids} of {self.program} stop listening")


class HaproxyService(Service):
    """The master re-execs itself when it has forked the worker, and at each reload."""

    program = "haproxy"
    drops_to = "haproxy"
    notifies = True
    chroot = "/var/lib/haproxy"

    def prepare(self):
        text = changed(packaged("/etc/haproxy/haproxy.cfg"), ("/run/haproxy/admin.sock", self.path("admin.sock")))
        self.write("haproxy.cfg", text + f"""
listen through
  mode tcp
  option tcplog
  bind 127.0.0.1:{self.port}
  server backend 127.0.0.1:{self.backend_port}
""")  # fmt: skip

    def arguments(self):
        return ["-Ws", "-f", self.path("haproxy.cfg"), "-p", self.path("pid"), "-S", self.path("master.sock")]

    def reload(self):
        """The old workers' pids; they keep the connections that they have."""
        old = self.workers()
        self.process.send_signal(signal.SIGUSR2)
        until(lambda: set(self.workers()) - set(old), "a new worker")
        self.stops_listening(old)
        return old


class NginxService(Service):
    """A daemon of a master and two workers. Beside the stream: files by sendfile, and an http backend, on a port of
    their own."""

    program = "nginx"
    drops_to = "www-data"
    modules = "/usr/share/nginx/modules-available/mod-stream.conf"

    def __init__(self, backend_port, files=None):
        super().__init__(backend_port)
        self.master = None
        self.http_port = free_port()
        self.files = files or {}

    def start(self, folder, environment, prefix=()):
        self.recording = [name for name in environment if name == "LD_PRELOAD" or name.startswith("SIDREC_")]
        return super().start(folder, environment, prefix)

    def prepare(self):
        packaged(self.modules)
        for name, content in self.files.items():
            with open(self.path(name), "wb") as file:
                file.write(content)
        temporary = "".join(f"  {name}_temp_path {self.path(name)};\n"
                            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
        self.write("site.conf", f"""\
{temporary}
server {{
  listen 127.0.0.1:{self.http_port};
  location /files/ {{ alias {self.folder}/; }}
  location /post/ {{ proxy_pass http://127.0.0.1:{self.backend_port}; }}
}}
""")  # fmt: skip
        text = changed(packaged("/etc/nginx/nginx.conf"),
            (r"^worker_processes auto;", "worker_processes 2;"),
            (r"/run/nginx\.pid", self.path("nginx.pid")),
            (r"/var/log/nginx/", self.folder + "/"),
            (r"include /etc/nginx/conf\.d/\*\.conf;", ""),
            (r"/etc/nginx/sites-enabled/\*", self.path("site.conf")),
        )  # fmt: skip
        self.write("nginx.conf", "".join(f"env {name};\n" for name in self.recording) + text + f"""
stream {{
  server {{
    listen 127.0.0.1:{self.port};
    proxy_pass 127.0.0.1:{self.backend_port};
    proxy_half_close on;
  }}
}}
""")  # fmt: skip

    def arguments(self):
        return ["-c", self.path("nginx.conf"), "-g", "daemon on; master_process on;"]

    def await_start(self):
        if self.process.wait(20) != 0:
            raise AssertionError(f"nginx ended with {self.process.returncode}: {self.stderr()}")
        self.master = int(until(lambda: self.read("nginx.pid").strip(), "nginx.pid"))
        until(lambda: len(self.workers()) == 2, "two workers")

    def stop(self):
        if self.master and self.exit_code is None:
            self.exit_code = self.process.returncode
            os.kill(self.master, self.stop_signal)
            until(lambda: not processes.is_running(self.master), "the end of nginx")
            processes.end(self.pids())
        return self.exit_code

    def pids(self):
        return processes.session_members(self.master)

    def reload(self):
        old = self.workers()
        os.kill(self.master, signal.SIGHUP)
        until(lambda: len(set(self.workers()) - set(old)) == 2, "two new workers")
        self.stops_listening(old)
        return old

    def upgrade(self):
        """The program is replaced by a new one of it, as nginx's own documentation says; gives the old workers."""
        old = self.workers()
        os.kill(self.master, signal.SIGUSR2)
        until(lambda: len(set(self.workers()) - set(old)) == 2, "two workers of the new program")
        os.kill(self.master, signal.SIGWINCH)  # the old workers end gracefully
        self.stops_listening(old)
        return old


class StunnelService(Service, Stunnel):
    drops_to = "stunnel4"
    chroot = "/var/lib/stunnel4"

    def prepare(self):
        super().prepare()
        drop = f"chroot = {self.chroot}\nsetuid = {self.drops_to}\nsetgid = {self.drops_to}\n"
        self.write("stunnel.conf", drop + self.read("stunnel.conf"))


class PgbouncerService(Service):
    """Its service manager starts it as postgres; it has no rights to give up."""

    program = "pgbouncer"
    starts_as = drops_to = "postgres"
    notifies = True
    stop_signal = signal.SIGINT
    password = "of the test"

    def prepare(self):
        text = changed(packaged("/etc/pgbouncer/pgbouncer.ini"),
            (r"^\[databases\]", f"[databases]\npostgres = host=127.0.0.1 port={self.backend_port}"),
            (r"^listen_addr = localhost", "listen_addr = 127.0.0.1"),
            (r"^listen_port = 6432", f"listen_port = {self.port}"),
            (r"/var/log/postgresql/", self.folder + "/"),
            (r"/var/run/postgresql", self.folder),
            (r"/etc/pgbouncer/userlist\.txt", self.path("userlist.txt")),
        )  # fmt: skip
        self.write("pgbouncer.ini", text)
        self.write("userlist.txt", f'"{self.drops_to}" "{self.password}"\n')

    def arguments(self):
        return [self.path("pgbouncer.ini")]


class DantedService(Service):
    """A client passes by SCM_RIGHTS through its mother, negotiate, request and io processes."""

    program = "danted"
    drops_to = "nobody"
    via = "passed"
    half_close = False
    greet = Microsocks.greet

    def prepare(self):
        shutil.chown(self.write("danted.pid", ""), "proxy")  # as its unit does before it starts it
        self.write("danted.conf", packaged("/etc/danted.conf") + f"""
internal: 127.0.0.1 port = {self.port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 127.0.0.0/8 }}
""")  # fmt: skip

    def arguments(self):
        return ["-f", self.path("danted.conf"), "-p", self.path("danted.pid")]

    def remarks(self):
        """Each once: whether a child hears its mother's signal and says so before it has ended by itself is chance."""
        return sorted(set(super().remarks()))


class HitchService(Service):
    """Ends TLS: what the client has on its wire is ciphertext."""

    program = "hitch"
    drops_to = "_hitch"
    endings = [Ending.CLIENT_CLOSES]  # TLS knows no half close, and what comes after hitch's close it has not read

    @property
    def tls(self):
        context = ssl.create_default_context(cafile=self.path("cert.pem"))
        context.check_hostname = False  # the certificate is for a name
        return context

    def prepare(self):
        key, cert = self_signed_certificate(self.folder)
        with open(self.path("hitch.pem"), "w") as pem:
            for part in (key, cert):
                with open(part) as file:
                    shutil.copyfileobj(file, pem)
        text = changed(packaged("/usr/share/doc/hitch/examples/hitch.conf.example"),
            (r'host = "\*"', 'host = "127.0.0.1"'),
            (r'port = "443"', f'port = "{self.port}"'),
            (r'"hitch"', f'"{self.drops_to}"'),
            (r'"\[127\.0\.0\.1\]:6086"', f'"[127.0.0.1]:{self.backend_port}"'),
            (r"^workers = 4", "workers = 2"),
            (r"^daemon = on", ""),  # its unit's type is simple
            (r"^write-proxy-v2 = on", ""),  # for a backend that is Varnish
        )  # fmt: skip
        self.write("hitch.conf", text + f'\npem-file = "{self.path("hitch.pem")}"\n')

    def arguments(self):
        return ["--user", self.drops_to, "--group", self.drops_to, "--config", self.path("hitch.conf"), "--quiet"]


class SquidService(Service):
    """Without its kid process, which the loader does not let us into."""

    program = "squid"
    drops_to = "proxy"
    half_close = False

    def prepare(self):
        shutil.chown(self.folder, self.drops_to, self.drops_to)
        text = changed(packaged("/etc/squid/squid.conf"),
            (r"^http_port 3128", f"http_port 127.0.0.1:{self.port}"),
            (r"^acl SSL_ports port 443", f"acl SSL_ports port {self.backend_port}"),
            (r"^coredump_dir .*", f"coredump_dir {self.folder}"),
        )  # fmt: skip
        self.write("squid.conf", text + f"""
access_log stdio:{self.path("access.log")}
cache_log {self.path("cache.log")}
pid_filename {self.path("squid.pid")}
shutdown_lifetime 1 seconds
""")  # fmt: skip

    def arguments(self):
        return ["-N", "-n", f"e2e{self.port}", "-f", self.path("squid.conf")]

    async def greet(self, line):
        await line.send(f"CONNECT 127.0.0.1:{self.backend_port} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await line.receive_until(b"\r\n\r\n")


class InetdService(Service):
    """A process for each connection, which finds it on 0, 1 and 2: here socat, between there and the backend."""

    program = "inetd"
    serves_by = "socat"
    drops_to = "nobody"
    via = "inherited"

    def start(self, folder, environment, prefix=()):
        for_the_child = {name for name in environment if name.startswith(("SIDREC_", "LD_"))}
        self.recording = [f"{name}={environment[name]}" for name in sorted(for_the_child)]
        return super().start(folder, {name: environment[name] for name in environment.keys() - for_the_child}, prefix)

    def prepare(self):
        command = ["/usr/bin/env", "env", *self.recording, find_program("socat"), "-t30", "FD:0,shut-down",
                   f"TCP:127.0.0.1:{self.backend_port}"]  # fmt: skip
        self.write("inetd.conf", f"127.0.0.1:{self.port} stream tcp nowait {self.drops_to} {' '.join(command)}\n")

    def arguments(self):
        return ["-i", self.path("inetd.conf")]
