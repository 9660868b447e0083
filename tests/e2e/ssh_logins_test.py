"""Each form of login goes as without the recording: what the client gets, and what sshd itself writes into its log.

Each is done twice, bare and recorded, by the same user, and what is left of both is compared, but for what is another
each time: process numbers, ports, keys, terminals.
"""

import contextlib
import functools
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile

from support import processes
from support.deadline import until
from support.host import find_program
from support.ports import free_port, is_listening
from support.sshd import PATIENCE_S, Sshd, Terminal, TestUser, end_client
from support.trail import Trail
from support.workplace import EndToEnd

TURNS = 5
EXCHANGE = "echo to stdout; echo to stderr >&2; cat; exit 7"
STDIN = b"from stdin\n\x00\xff" + bytes(range(256)) * 300
# What a process can see of itself, each line named, without what is another each time.
SELF = r"""
env | sed 's/^/env /'
sed 's/.* //; s/^\[.*//; s/^/maps /' /proc/self/maps
ls -l /proc/self/fd | sed 's/.* \([0-9]* ->\)/fd \1/; s/\[.*//'
grep -E '^(Sig[BCIP]|Shd|Cap|Seccomp|NoNewPrivs|Groups|Umask|Uid|Gid|CoreDumping|THP)' /proc/self/status
cat /proc/self/limits /proc/self/oom_score_adj /proc/self/cgroup /proc/self/loginuid
readlink /proc/self/root /proc/self/cwd; umask; id; tty
"""
ANOTHER_EACH_TIME = (
    (r"(SSH_(CLIENT|CONNECTION))=.*", r"\1=ENDS"),
    (r"(?<=/proc/)\d+(?=/fd)", "PID"),
    (r"(?<=127\.0\.0\.1 )\d{4,5} (\d{4,5}|127)", "PORT PORT"),
    (r"\bport \d+|(?<=[:\[])\d{4,5}\b|\b\d{4,5}(?= 127\.0\.0\.1)", "PORT"),
    (r"\b(pid|child|process|by) \d+|\[\d+\]", "PID"),
    (r"SHA256:[A-Za-z0-9+/]{43}", "FINGERPRINT"),
    (r"sshd-\d+\b", "FOLDER"),
    (r"(/dev/)?pts/\d+", "TERMINAL"),
    (r"\b(audit|session)[-_ ]?id[ =:]*\d+|(?<=XDG_SESSION_ID=)\w+", "SESSION"),
    (r"\b[0-9a-f]{32,}\b", "COOKIE"),
    (r"/tmp/ssh-\w+/agent\.\d+", "AGENT"),
)


# Whether a session's channel is closed first, or its command's end is seen first.
BY_CHANCE = re.compile(r"^debug1: session_(by|close_by)_(channel|pid)|^debug1: channel \d+: free")


def as_every_time(text):
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    for pattern, name in ANOTHER_EACH_TIME:
        text = re.sub(pattern, name, text)
    return text


def outcome(run):
    return run.returncode, as_every_time(run.stdout), as_every_time(run.stderr)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def says(port, text, before=b"", answer_before=0):
    """What an echo server behind this port answers to `text`."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        for part in before and (b"\x05\x01\x00", before) or ():
            client.sendall(part)
            client.recv(answer_before)
        client.sendall(text)
        got = b""
        with contextlib.suppress(ConnectionResetError):  # of a forward to where nobody listens
            while len(got) < len(text) and (part := client.recv(1000)):
                got += part
        return got


class SshLogins(EndToEnd):
    maxDiff = None

    def the_same(self, form, more="", connections=1):
        """`form(sshd, user)` gives what its client has seen. Recorded, each connection's trail is complete.

        How far sshd gets with its goodbyes before it sees the client's end is chance: its log, recorded, must be one
        that it writes bare, too.
        """
        bare, recorded = [], []
        with TestUser() as user:
            for turn in range(TURNS):
                seen = []
                for logs in (bare, recorded):
                    sid = f"turn-{turn}"
                    sshd = self.place.start(Sshd(f"LogLevel DEBUG1\n{more}"), sid=sid, recorded=logs is recorded)
                    seen.append(form(sshd, user))
                    until(lambda sshd=sshd: not processes.descendants(sshd.pid), "the end of each login's processes")
                    sshd.stop()
                    logs.append(self.log(sshd))
                self.assertEqual(*seen, "what the client has seen")
                self.assertEqual(self.completeness(sid), [True] * connections)
                if any(log in bare for log in recorded):
                    return
        self.assertEqual(bare[-1], recorded[-1], "what sshd has logged")

    def completeness(self, sid):
        """Of each connection. Between two of them the session may have ended, when its linger was over."""
        until(lambda: not self.place.recorders(), "the recorders' end")
        trails = [Trail(path) for path in self.place.trail_paths(sid)]
        return [each.close["complete"] for trail in trails for each in trail.connections.values()]

    @staticmethod
    def log(sshd):
        """Several processes write it: which line comes first is chance."""
        return sorted(as_every_time(line) for line in sshd.stderr().splitlines() if not BY_CHANCE.match(line))

    # -- by which proof

    def test_login_by_key(self):
        self.the_same(lambda sshd, user: outcome(sshd.ssh(user.name, EXCHANGE, stdin=STDIN)))

    def test_login_by_key_without_pam(self):
        self.the_same(lambda sshd, user: outcome(sshd.ssh(user.name, EXCHANGE, stdin=STDIN)), "UsePAM no")

    def test_login_by_password(self):
        self.the_same(lambda sshd, user: outcome(sshd.by_password(user.name, user.password, EXCHANGE)))

    def test_login_by_password_without_pam(self):
        self.the_same(lambda sshd, user: outcome(sshd.by_password(user.name, user.password, EXCHANGE)), "UsePAM no")

    def test_login_by_keyboard_interactive(self):
        self.the_same(self.keyboard_interactive)

    @staticmethod
    def keyboard_interactive(sshd, user):
        return outcome(sshd.by_password(user.name, user.password, EXCHANGE, methods="keyboard-interactive"))

    def test_login_by_wrong_passwords(self):
        self.the_same(self.wrong_passwords, "MaxAuthTries 2", connections=4)

    @staticmethod
    def wrong_passwords(sshd, user):
        return [outcome(sshd.by_password(name, "Falsch-Wort", "id", methods=methods))
                for name in (user.name, "nobody-here") for methods in ("password", "keyboard-interactive")]  # fmt: skip

    def test_login_of_root(self):
        self.the_same(lambda sshd, _: outcome(sshd.ssh("root", EXCHANGE, stdin=STDIN)))

    def test_login_of_root_without_pam(self):
        self.the_same(lambda sshd, _: outcome(sshd.ssh("root", EXCHANGE, stdin=STDIN)), "UsePAM no")

    def test_login_of_root_that_is_not_permitted(self):
        self.the_same(lambda sshd, _: outcome(sshd.ssh("root", "id")), "PermitRootLogin no")

    # -- to do what

    def test_login_with_a_terminal(self):
        self.the_same(self.terminal)

    def test_login_with_a_terminal_without_pam(self):
        self.the_same(self.terminal, "UsePAM no")

    def test_login_of_root_with_a_terminal(self):
        self.the_same(lambda sshd, _: self.terminal(sshd, None))

    @staticmethod
    def terminal(sshd, user):
        terminal = sshd.terminal(user.name if user else "root", "stty -a; PS1='> ' exec sh -i")
        terminal.sees(b"> ").types(b"stty rows 33 cols 101; stty size; echo six times seven is $((6 * 7))\n")
        terminal.sees(b"is 42\r\n").sees(b"> ").types(b"sh -c \"echo be''gun; exec sleep 60\"\n")
        terminal.sees(b"begun\r\n").types(b"\x03").sees(b"> ")
        terminal.types(b"exit 9\n")
        code = terminal.ends()
        return code, as_every_time(terminal.everything)

    def test_login_for_a_shell_that_reads_commands(self):
        self.the_same(lambda sshd, user: outcome(sshd.ssh(user.name, options=["-T"], stdin=b"echo $((6*7)); exit 5\n")))

    def test_login_for_files_by_sftp(self):
        self.the_same(self.sftp)

    @staticmethod
    def sftp(sshd, user):
        there = tempfile.mkdtemp(dir="/tmp")
        try:
            os.chmod(there, 0o777)
            with open(there + "/here.bin", "wb") as file:
                file.write(STDIN * 20)
            os.chmod(there + "/here.bin", 0o644)
            batch = f"cd {there}\nput {there}/here.bin up\nget up {there}/down\nls -1\nrename up moved\nrm absent\n"
            got = subprocess.run([find_program("sftp"), "-b", "-", *sshd.options(), f"{user.name}@127.0.0.1"],
                                 input=batch.encode(), capture_output=True, timeout=PATIENCE_S)  # fmt: skip
            files = {name: digest(os.path.join(there, name)) for name in sorted(os.listdir(there))}
            code, out, err = outcome(got)
            return code, out.replace(there, ""), err.replace(there, ""), files
        finally:
            subprocess.run(["rm", "-r", there], check=False)

    def test_login_for_files_by_scp(self):
        self.the_same(self.scp, connections=4)

    @staticmethod
    def scp(sshd, user):
        there = tempfile.mkdtemp(dir="/tmp")
        try:
            os.chmod(there, 0o777)
            with open(there + "/here", "wb") as file:
                file.write(STDIN * 20)
            os.chmod(there + "/here", 0o644)
            codes = [subprocess.run([find_program("scp"), *old, *sshd.options(), *sides],
                                    capture_output=True, timeout=PATIENCE_S)
                     for number, old in enumerate(([], ["-O"]))
                     for sides in ((f"{there}/here", f"{user.name}@127.0.0.1:{there}/up{number}"),
                                   (f"{user.name}@127.0.0.1:{there}/here", f"{there}/down{number}"))]  # fmt: skip
            return [outcome(each) for each in codes], {name: digest(f"{there}/{name}") for name in os.listdir(there)}
        finally:
            subprocess.run(["rm", "-r", there], check=False)

    def test_login_for_forwards(self):
        self.the_same(self.forwards)

    def forwards(self, sshd, user):
        backend, refused = self.place.echo_backend(), free_port()
        local, remote, dynamic, dead = (free_port() for _ in range(4))
        client = sshd.background(user.name, "-N", "-L", f"{local}:127.0.0.1:{backend}", "-L", f"{dead}:127.0.0.1:{refused}",
                                 "-R", f"{remote}:127.0.0.1:{backend}", "-D", f"{dynamic}")  # fmt: skip
        until(lambda: all(is_listening(port) for port in (local, remote, dynamic, dead)), "the forwards")
        socks = b"\x05\x01\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", backend)
        said = [says(local, STDIN), says(remote, STDIN[::-1]), says(dynamic, STDIN[5:], socks, 10), says(dead, b"?")]
        end_client(client)
        return said

    def test_login_for_a_direct_forward(self):
        backend = self.place.echo_backend()
        self.the_same(lambda sshd, user: outcome(sshd.ssh(user.name, options=["-W", f"127.0.0.1:{backend}"], stdin=STDIN)))

    def test_login_for_sessions_that_share_a_connection(self):
        self.the_same(self.control_master)

    def control_master(self, sshd, user):
        control = ["-S", sshd.path("control")]
        first = sshd.background(user.name, "-N", options=["-M", *control])
        until(lambda: os.path.exists(control[1]), "the control socket")
        seen = [outcome(sshd.ssh(user.name, f"exit {number}; cat", options=control, stdin=STDIN)) for number in range(12)]
        seen.append(sshd.ssh(user.name, options=[*control, "-O", "exit"]).returncode)
        return seen, first.wait(10)

    def test_login_with_a_forced_command(self):
        self.the_same(lambda sshd, user: outcome(sshd.ssh(user.name, "rm -rf /nothing", stdin=STDIN)),
                      "ForceCommand echo instead of $SSH_ORIGINAL_COMMAND; cat")  # fmt: skip

    def test_login_into_a_chroot_with_the_internal_sftp_server(self):
        with tempfile.TemporaryDirectory(dir="/run") as jail:  # sshd wants root's folders all the way
            os.chmod(jail, 0o755)
            os.mkdir(jail + "/open")
            os.chmod(jail + "/open", 0o777)

            def form(sshd, user):
                batch = b"pwd\ncd open\nput %s f\nget f %s\nls -1\nrm f\nget ../../etc/passwd\n"
                with tempfile.NamedTemporaryFile() as back:
                    batch %= sshd.write("here", "small\n" * 999).encode(), back.name.encode()
                    got = subprocess.run([find_program("sftp"), "-b", "-", *sshd.options(), f"{user.name}@127.0.0.1"],
                                         input=batch, capture_output=True, timeout=PATIENCE_S)  # fmt: skip
                    code, out, err = outcome(got)
                    return code, out.replace(sshd.folder, "").replace(back.name, ""), err, digest(back.name)

            self.the_same(form, f"ForceCommand internal-sftp\nChrootDirectory {jail}")

    # -- and not to the end

    def test_login_of_a_client_that_is_killed(self):
        self.the_same(self.killed_client)

    @staticmethod
    def killed_client(sshd, user):
        client = sshd.pipe(user.name, "echo still here; exec cat")
        client.gets(b"still here\n")
        client.process.kill()
        client.ends()

    def test_login_of_a_client_that_is_silent(self):
        self.the_same(self.silent_client, "ClientAliveInterval 1\nClientAliveCountMax 1")

    @staticmethod
    def silent_client(sshd, user):
        client = sshd.pipe(user.name, "echo still here; exec cat")
        client.gets(b"still here\n")
        client.process.send_signal(signal.SIGSTOP)
        until(lambda: "Timeout, client not responding" in sshd.stderr(), "sshd gives it up")
        client.process.kill()
        client.ends()

    def test_login_of_a_client_that_leaves_before_it_logs_in(self):
        def form(sshd, _):
            seen = []
            sshd_is_done = functools.partial(until, lambda: not processes.descendants(sshd.pid), "sshd is done with it")
            impatient, nonsense = (b"", b"SSH-2.0-visitor\r\n"), (b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 300)
            for sends in impatient + nonsense:
                with socket.create_connection(("127.0.0.1", sshd.port), 10) as client:
                    client.sendall(sends)
                    seen.append(client.recv(30, socket.MSG_WAITALL))
                    # To nonsense sshd has an answer; if it met a reset, which is chance, sshd would log that, too.
                    if sends in nonsense:
                        sshd_is_done()
                sshd_is_done()
            return seen

        self.the_same(form, connections=4)

    def test_login_that_maxstartups_refuses(self):
        def form(sshd, user):
            with socket.create_connection(("127.0.0.1", sshd.port), 10) as first:
                banner = first.recv(100)
                with socket.create_connection(("127.0.0.1", sshd.port), 10) as second:
                    refusal = second.recv(100)
            until(lambda: not processes.descendants(sshd.pid), "the end of the first")
            return banner, refusal, outcome(sshd.ssh(user.name, "echo in"))

        self.the_same(form, "MaxStartups 1:100:1", connections=3)

    def test_login_that_takes_too_long(self):
        def form(sshd, _):
            with socket.create_connection(("127.0.0.1", sshd.port), 10) as client:
                got = b""
                while part := client.recv(100):
                    got += part
                return got[:8]

        self.the_same(form, "LoginGraceTime 1")

    # -- what the user's own programs can see

    def test_programs_of_the_user_see_of_themselves_what_they_see_without_us(self):
        for more in ("", "UsePAM no"):
            self.sees_the_same(lambda sshd, user: sshd.ssh(user.name, SELF).stdout, more)

    def test_programs_of_root_see_of_themselves_what_they_see_without_us(self):
        for more in ("", "UsePAM no"):
            self.sees_the_same(lambda sshd, _: sshd.ssh("root", SELF).stdout, more)

    def test_programs_at_a_terminal_see_of_themselves_what_they_see_without_us(self):
        def form(sshd, user):
            terminal = sshd.terminal(user.name, SELF)
            terminal.ends()
            return terminal.everything

        for more in ("", "UsePAM no"):
            self.sees_the_same(form, more)

    def sees_the_same(self, form, more):
        with TestUser() as user:
            seen = []
            for recorded in (False, True):
                sshd = self.place.start(Sshd(more), recorded=recorded)
                seen.append(form(sshd, user))
                sshd.stop()
        bare, recorded = (sorted(as_every_time(each).splitlines()) for each in seen)
        for expected in ("env SSH_CONNECTION=", "maps /usr/lib/x86_64-linux-gnu/libc", "fd 2 ->", "SigIgn:", "Max open"):
            self.assertTrue(any(expected in line for line in bare), f"{expected} in {bare}")
        self.assertEqual(bare, recorded)
        for trace in (b"sidrec-recorder", b"libsidrec", b"SIDREC", b"LD_PRELOAD", self.place.run_dir.encode()):
            self.assertNotIn(trace, seen[1])
        until(lambda: not self.place.recorders(), "the end of the session")
        self.assertTrue(self.place.trail_paths())


class SshSecrets(EndToEnd):
    """What logs somebody in is in no file that we write, at no moment, rings included."""

    SEEN = "Kennwort-im-Kommando-ist-Inhalt"

    def setUp(self):
        self.rings_seen = 0

    def found_in(self, secret):
        """Names of the files below our two directories that hold it now."""
        found = []
        for top, _, names in os.walk(self.place.folder):
            for name in names:
                path = os.path.join(top, name)
                if not os.path.isfile(path):
                    continue
                with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
                    contents = file.read()
                    self.rings_seen += name.endswith(".ring")
                    if secret.encode() in contents:
                        found.append(name)
        return found

    def types_at_login(self, sshd, user, secrets, methods):
        """Somebody at a terminal, one secret a prompt; after each, while sshd still waits, all files are looked at."""
        options = ["-o", "PubkeyAuthentication=no", "-o", f"PreferredAuthentications={methods}",
                   "-o", f"NumberOfPasswordPrompts={len(secrets)}"]  # fmt: skip
        terminal = Terminal([find_program("ssh"), *sshd.options(*options), f"{user}@127.0.0.1", f"echo {self.SEEN}; cat"])
        for secret in secrets:
            self.assertEqual(self.found_in(secret), [])
            terminal.sees(b"assword: ").types(secret.encode() + b"\n")
        return terminal

    def logs_in(self, methods, more=""):
        for setting in ("masked", "all"):
            self.place.settings["input"] = setting
            with TestUser() as user:
                sshd = self.place.start(Sshd(more), sid=setting)
                wrong = ["Falsch-Wort-1", "Falsch-Wort-2"]
                terminal = self.types_at_login(sshd, user.name, [*wrong, user.password], methods)
                terminal.sees(self.SEEN.encode())
                until(lambda: self.found_in(self.SEEN), "what he did")
                for secret in (*wrong, user.password):
                    self.assertEqual(self.found_in(secret), [])
                terminal.types(b"\x04")
                self.assertEqual(terminal.ends(), 0)
                (connection,) = self.place.ended_trail(setting).connections.values()
                self.assertIs(connection.close["complete"], True)
                for secret in (*wrong, user.password):
                    self.assertEqual(self.found_in(secret), [])
        self.assertGreater(self.rings_seen, 6, "rings were looked at while they were in use")

    def test_passwords_of_a_login_are_nowhere_at_no_moment(self):
        self.logs_in("password")

    def test_passwords_of_a_login_without_pam_are_nowhere_at_no_moment(self):
        self.logs_in("password", "UsePAM no")

    def test_answers_of_a_keyboard_interactive_login_are_nowhere_at_no_moment(self):
        self.logs_in("keyboard-interactive")

    def test_what_an_unknown_user_says_is_nowhere_at_no_moment(self):
        for more in ("", "UsePAM no"):
            sshd = self.place.start(Sshd(more))
            secrets = ["Falsch-Wort-1", "Falsch-Wort-2"]
            terminal = self.types_at_login(sshd, "nobody-here", secrets, "password")
            self.assertEqual(terminal.ends(), 255)
            self.assertEqual([self.found_in(secret) for secret in secrets], [[], []])
        self.assertGreater(self.rings_seen, 2, "rings were looked at while they were in use")
        until(lambda: not self.place.recorders(), "the end of the session")
