"""Debian's own sshd: what a person does through it is in the trail in clear, what logs him in is not."""

import os
import socket
import struct
import subprocess
import tempfile

from support.deadline import until
from support.host import find_program
from support.ports import free_port, is_listening
from support.sshd import Sshd, TestUser, end_client
from support.workplace import EndToEnd


def write_over(path, text):
    with open(path, "w") as file:
        file.write(text)


def says(port, text, before=b"", answer_before=0):
    """What an echo server behind this port answers to `text`."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        for part in before and (b"\x05\x01\x00", before) or ():
            client.sendall(part)
            client.recv(answer_before)
        client.sendall(text)
        got = b""
        while len(got) < len(text):
            part = client.recv(1000)
            assert part, f"closed after {got!r}"
            got += part
        return got


class Ssh(EndToEnd):
    def one_connection(self, folder="demo"):
        trail = self.place.ended_trail(folder)
        self.assertEqual(trail.gaps, [])
        (connection,) = trail.connections.values()
        self.assert_complete(connection)
        return connection

    def assert_complete(self, connection):
        self.assertIs(connection.close["complete"], True)
        self.assertTrue(connection.counted and connection.open["program"] == "sshd")

    def assert_nowhere(self, *secrets):
        files = 0
        for top, _, names in os.walk(self.place.folder):
            for name in names:
                with open(os.path.join(top, name), "rb") as file:
                    contents = file.read()
                files += 1
                for secret in secrets:
                    self.assertNotIn(secret, contents, f"in {name}")
        self.assertGreater(files, 3)

    # -- what is recorded

    def test_ssh_command_has_its_three_streams_apart(self):
        sshd = self.place.start(Sshd())
        got = sshd.ssh("root", "echo to stdout; echo to stderr >&2; cat; exit 7", stdin=b"from stdin\n\x00\xff")
        self.assertEqual((got.returncode, got.stderr), (7, b"to stderr\n"))
        connection = self.one_connection()
        (command,) = connection.channels.values()
        self.assertEqual(command.kind, "exec")
        self.assertEqual(bytes(command.bytes["in"]), b"from stdin\n\x00\xff")
        self.assertEqual(bytes(command.bytes["out"]), got.stdout)
        self.assertEqual(bytes(command.bytes["err"]), b"to stderr\n")

    def test_ssh_terminal_has_keystrokes_screen_and_sizes(self):
        sshd = self.place.start(Sshd())
        terminal = sshd.terminal("root", "stty rows 33 cols 101; sh -i")
        terminal.sees(b"# ").types(b"echo six times seven is $((6 * 7))\n").sees(b"seven is 42").types(b"exit\n").ends()
        (pty,) = self.one_connection().channels_of("pty")
        self.assertIn(b"echo six times seven is $((6 * 7))\n", bytes(pty.bytes["in"]))
        self.assertIn(b"six times seven is 42\r\n", bytes(pty.bytes["out"]))
        self.assertRegex(pty.open["tty"], r"^pts/\d+$")
        self.assertEqual(len(pty.sizes), 1, "as the client has asked for it")

    def test_ssh_input_that_the_terminal_does_not_show_is_masked(self):
        sshd = self.place.start(Sshd())
        terminal = sshd.terminal("root", "sh -i")
        terminal.sees(b"# ").types(b"stty -echo; printf 'Pass%s: ' word; read x; stty echo; echo got ${#x}\n")
        terminal.sees(b"Password: ").types(b"Geheim99\n").sees(b"got 8").types(b"exit\n").ends()
        (pty,) = self.one_connection().channels_of("pty")
        self.assertEqual(pty.masked, len("Geheim99\n"))
        self.assert_nowhere(b"Geheim99")

    def test_ssh_input_can_be_kept_whole_or_left_out(self):
        for setting, masked in (("all", 0), ("none", len("exit 3\n"))):
            self.place.settings["input"] = setting
            sshd = self.place.start(Sshd(), sid=setting)
            terminal = sshd.terminal("root", "sh -i")
            self.assertEqual(terminal.sees(b"# ").types(b"exit 3\n").ends(), 3)
            (pty,) = self.one_connection(setting).channels_of("pty")
            self.assertEqual((pty.masked, pty.offset["in"]), (masked, len("exit 3\n")))

    def test_ssh_forwards_are_channels_with_their_peers(self):
        backend = self.place.echo_backend()
        local, remote, dynamic = free_port(), free_port(), free_port()
        sshd = self.place.start(Sshd())
        client = sshd.background("root", "-N", "-L", f"{local}:127.0.0.1:{backend}",
                                 "-R", f"{remote}:127.0.0.1:{backend}", "-D", f"{dynamic}")  # fmt: skip
        until(lambda: all(is_listening(port) for port in (local, remote, dynamic)), "the forwards")
        self.assertEqual(says(local, b"by -L"), b"by -L")
        self.assertEqual(says(remote, b"by -R!"), b"by -R!")
        socks = b"\x05\x01\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", backend)
        self.assertEqual(says(dynamic, b"by -D!!", socks, 10), b"by -D!!")
        end_client(client)
        direct = sshd.ssh("root", options=["-W", f"127.0.0.1:{backend}"], stdin=b"by -W!!!").stdout
        self.assertEqual(direct, b"by -W!!!")
        trail = self.place.ended_trail()
        forwards = {}
        for connection in trail.connections.values():
            self.assert_complete(connection)
            for channel in connection.channels_of("forward"):
                forwards[bytes(channel.bytes["in"])] = channel.open
                self.assertEqual(channel.bytes["in"], channel.bytes["out"])
        self.assertEqual(sorted(forwards), sorted([b"by -L", b"by -R!", b"by -D!!", b"by -W!!!"]))
        for text, line in forwards.items():
            self.assertEqual(line["via"], "accept" if text == b"by -R!" else "connect")
            self.assertEqual(line["peer_ip"], "127.0.0.1")
            if line["via"] == "connect":
                self.assertEqual(line["peer_port"], backend)

    def test_ssh_sessions_in_one_connection_are_channels_of_it(self):
        self.twelve_sessions_in_one_connection(Sshd())

    def test_ssh_sessions_of_root_without_pam_in_one_connection(self):
        """Each session's process proves the login anew."""
        self.twelve_sessions_in_one_connection(Sshd("UsePAM no"))

    def twelve_sessions_in_one_connection(self, host):
        sshd = self.place.start(host)
        control = ["-S", self.place.path("control")]
        first = sshd.background("root", "-N", options=["-M", *control])
        until(lambda: os.path.exists(control[1]), "the control socket")
        for number in range(12):
            self.assertEqual(sshd.ssh("root", f"echo {number}", options=control).stdout, b"%d\n" % number)
        end_client(first)
        connection = self.one_connection()
        self.assertEqual(len(connection.identities), 1)
        said = [bytes(each.bytes["out"]) for each in connection.channels_of("exec")]
        self.assertEqual(said, [b"%d\n" % number for number in range(12)])

    def test_ssh_agent_is_counted_only(self):
        sshd = self.place.start(Sshd())
        agent = self.place.path("agent")
        keeper = subprocess.Popen([find_program("ssh-agent"), "-D", "-a", agent], stdout=subprocess.DEVNULL)
        try:
            until(lambda: os.path.exists(agent), "the agent")
            environment = os.environ | {"SSH_AUTH_SOCK": agent}
            got = sshd.ssh("root", "ssh-add -l", options=["-A"], environment=environment)
        finally:
            end_client(keeper)
        self.assertIn(b"no identities", got.stdout)
        connection = self.one_connection()
        (channel,) = connection.channels_of("agent")
        self.assertTrue(channel.counted and channel.close["bytes_in"] > 0 and channel.close["bytes_out"] > 0)
        self.assertEqual(len(connection.channels_of("exec")), 1)

    # -- who it is

    def test_ssh_identity_comes_after_the_login(self):
        with TestUser() as user:
            sshd = self.place.start(Sshd())
            self.assertEqual(sshd.by_password(user.name, user.password, "id -un").stdout.decode().strip(), user.name)
            connection = self.one_connection()
            known = connection.identities[-1]
            self.assertEqual((known["user"], known["uid"], known["how"]), (user.name, user.uid, "setresuid"))
            self.assert_nowhere(user.password.encode())

    def test_ssh_identity_without_pam_too(self):
        with TestUser() as user:
            sshd = self.place.start(Sshd("UsePAM no"))
            self.assertEqual(sshd.ssh(user.name, "echo in").stdout, b"in\n")
            connection = self.one_connection()
            self.assertEqual([line["user"] for line in connection.identities], [user.name])
            self.assertEqual(bytes(connection.channels_of("exec")[0].bytes["out"]), b"in\n")

    def test_ssh_failed_logins_are_connections_without_identity_and_without_a_password(self):
        with TestUser() as user:
            sshd = self.place.start(Sshd())
            self.assertNotEqual(sshd.by_password(user.name, "Falsch-Wort1", "id").returncode, 0)
            self.assertNotEqual(sshd.by_password("nobody-here", "Falsch-Wort2", "id").returncode, 0)
            interactive = sshd.by_password(user.name, user.password, "echo in", methods="keyboard-interactive")
            self.assertEqual(interactive.stdout, b"in\n")
            trail = self.place.ended_trail()
            whys = [each.close["why"] for each in trail.connections.values()]
            self.assertEqual(whys.count("not authenticated"), 2)
            for connection in trail.connections.values():
                self.assert_complete(connection)
                self.assertEqual(bool(connection.identities), connection.close["why"] != "not authenticated")
            self.assert_nowhere(b"Falsch-Wort", user.password.encode())

    def test_ssh_user_in_the_template_tells_users_of_one_address_apart(self):
        with TestUser() as user:
            sshd = self.place.start(Sshd(), sid="{user}@{client_ip}")
            for name in ("root", user.name):
                self.assertEqual(sshd.ssh(name, "id -un").stdout.decode().strip(), name)
            for name in ("root", user.name):
                connection = self.one_connection(f"{name}@127.0.0.1")
                self.assertEqual(connection.identities[-1]["user"], name)
            self.assertNotEqual(sshd.by_password(user.name, "Falsch-Wort1", "id").returncode, 0)
            self.assertEqual(self.one_connection("-@127.0.0.1").close["why"], "not authenticated")

    # -- the host does not notice

    def test_ssh_shell_has_no_trace_of_the_recording(self):
        with TestUser() as user:
            sshd = self.place.start(Sshd())
            seen = sshd.ssh(user.name, "env; cat /proc/self/maps").stdout
            self.assertIn(b"libc", seen)
            self.assertNotIn(b"sidrec-e2e", seen.replace(user.name.encode(), b""))
            self.assertNotIn(b"libsidrec", seen)
            self.assertNotIn(b"LD_PRELOAD", seen)
            self.one_connection()

    def test_ssh_root_without_pam_is_recorded_from_the_proof_on(self):
        sshd = self.place.start(Sshd("UsePAM no"))
        self.assertEqual(sshd.ssh("root", "echo in; cat", stdin=b"and out").stdout, b"in\nand out")
        connection = self.one_connection()
        self.assertEqual([(line["user"], line["how"]) for line in connection.identities], [("root", "setresuid")])
        (command,) = connection.channels_of("exec")
        self.assertEqual((bytes(command.bytes["in"]), bytes(command.bytes["out"])), (b"and out", b"in\nand out"))

    def test_ssh_password_that_pam_hands_to_a_program_is_recorded_nowhere(self):
        """pam_exec with expose_authtok writes it into a pipe that it makes in sshd."""
        service = "/etc/pam.d/sshd"
        with open(service) as file:
            before = file.read()
        with TestUser() as user:
            sshd = self.place.start(Sshd())
            helper = sshd.write("takes_password", "#!/bin/sh\ntest \"$(cat)\" && : >\"$0.called\"\n")
            os.chmod(helper, 0o755)
            try:
                write_over(service, f"auth optional pam_exec.so expose_authtok {helper}\n{before}")
                self.assertEqual(sshd.by_password(user.name, user.password, "echo in").stdout, b"in\n")
            finally:
                write_over(service, before)
            self.assertTrue(os.path.exists(helper + ".called"))
            self.assertEqual(len(self.one_connection().channels), 1)
            self.assert_nowhere(user.password.encode())

    def test_ssh_user_in_a_chroot_with_the_internal_sftp_server(self):
        with TestUser() as user, tempfile.TemporaryDirectory(dir="/run") as jail:  # sshd wants root's folders all the way
            os.chmod(jail, 0o755)
            sshd = self.place.start(Sshd(f"ForceCommand internal-sftp\nChrootDirectory {jail}"))
            got = subprocess.run([find_program("sftp"), "-q", "-b", "-", *sshd.options(), f"{user.name}@127.0.0.1"],
                                 input=b"pwd\nls -a\n", capture_output=True, timeout=20)  # fmt: skip
            self.assertEqual(got.returncode, 0, got.stderr)
            connection = self.one_connection()
            self.assertEqual(connection.identities[-1]["user"], user.name)
            (command,) = connection.channels_of("exec")
            self.assertTrue(bytes(command.bytes["in"]).startswith(b"\0\0\0\x05\x01\0\0\0\x03"), "SSH_FXP_INIT")

    def test_ssh_client_that_vanishes_leaves_a_whole_trail(self):
        sshd = self.place.start(Sshd("ClientAliveInterval 1\nClientAliveCountMax 1"))
        client = sshd.background("root", "echo still here; sleep 30")
        until(lambda: b"still here" in b"".join(self.trail_bytes()), "the command")
        client.kill()
        client.wait(10)
        (command,) = self.one_connection().channels_of("exec")
        self.assertEqual(bytes(command.bytes["out"]), b"still here\n")

    def trail_bytes(self):
        for path in self.place.trail_paths():
            with open(path, "rb") as file:
                yield file.read()

    def test_ssh_connections_refused_by_maxstartups_are_recorded_too(self):
        sshd = self.place.start(Sshd("MaxStartups 1:100:1"))
        with socket.create_connection(("127.0.0.1", sshd.port), 10) as first:
            self.assertTrue(first.recv(100).startswith(b"SSH-2.0-"))
            with socket.create_connection(("127.0.0.1", sshd.port), 10) as refused:
                self.assertFalse(refused.recv(100).startswith(b"SSH-2.0-"))
        connections = self.place.ended_trail().connections.values()
        self.assertEqual([each.close["why"] for each in connections], ["not authenticated"] * 2)

    def test_ssh_forced_command_is_what_is_recorded(self):
        sshd = self.place.start(Sshd("ForceCommand echo forced instead of $SSH_ORIGINAL_COMMAND"))
        self.assertEqual(sshd.ssh("root", "rm -rf /nothing").stdout, b"forced instead of rm -rf /nothing\n")
        (command,) = self.one_connection().channels_of("exec")
        self.assertEqual(bytes(command.bytes["out"]), b"forced instead of rm -rf /nothing\n")
