"""Inside an ssh session: other programs' password prompts at its terminal, and X11 through its connection."""

import os
import termios

from support.deadline import until
from support.host import find_program
from support.ports import free_port
from support.sshd import Sshd, TestUser
from support.workplace import EndToEnd
from support.x11 import CLIENT, FIRST_ATOM, VENDOR, XServer


def echo_is_off(tty):
    """Some programs prompt first, and only then turn it off: somebody who types at once sees what he types."""
    device = os.open(tty, os.O_RDONLY | os.O_NOCTTY)
    try:
        return not termios.tcgetattr(device)[3] & termios.ECHO
    finally:
        os.close(device)


class SshPrompts(EndToEnd):
    def prompts(self, command, prompt, then, secret=None, setting="masked"):
        """At a user's terminal `command` asks for a secret: the trail has how long it was, and all that was shown."""
        self.place.settings["input"] = setting
        with TestUser() as user:
            typed, prompt = (text.format(user=user.name).encode() for text in (command + "\n", prompt))
            secret = (secret or user.password.encode()) + b"\n"
            sshd = self.place.start(Sshd(), sid=setting)
            terminal = sshd.terminal(user.name, "tty; PS1='> ' exec sh -i").sees(b"> ")
            tty = terminal.everything.split()[0]
            terminal.types(typed).sees(b"\n").sees(prompt)
            until(lambda: echo_is_off(tty), "the terminal does not show what is typed")
            terminal.types(secret).sees(then).sees(b"> ").types(b"echo shown again\n").sees(b"\nshown again").sees(b"> ")
            terminal.types(b"exit 3\n")
            self.assertEqual(terminal.ends(), 3)
            (connection,) = self.place.ended_trail(setting).connections.values()
            (pty,) = connection.channels_of("pty")
        kept, shown = bytes(pty.bytes["in"]), bytes(pty.bytes["out"])
        if setting == "all":
            self.assertEqual((kept, pty.masked), (typed + secret + b"echo shown again\nexit 3\n", 0))
        else:
            self.assertEqual((kept, pty.masked), (typed + b"echo shown again\nexit 3\n", len(secret)))
            self.assertEqual(self.files_with(secret.strip()), [])
        self.assertTrue(self.files_with(b"shown again"))
        for seen in (prompt, then):
            self.assertIn(seen, shown)

    def files_with(self, text):
        found = []
        for top in (self.place.audit_dir, self.place.run_dir):
            for folder, _, names in os.walk(top):
                for path in (os.path.join(folder, name) for name in names):
                    if os.path.isfile(path):
                        with open(path, "rb") as file:
                            found += [path] if text in file.read() else []
        return found

    def test_password_for_su_is_masked(self):
        self.prompts("su {user} -c 'echo in''side'", "Password: ", b"inside")

    def test_password_for_su_is_kept_where_a_setting_wants_all_input(self):
        self.prompts("su {user} -c 'echo in''side'", "Password: ", b"inside", setting="all")

    def test_password_for_sudo_is_masked(self):
        find_program("sudo")
        try:
            self.prompts("sudo -k id", "password for {user}: ", b"not in the sudoers file")
        finally:
            for folder in ("/var/lib/sudo/lectured", "/run/sudo/ts"):
                name = os.path.join(folder, f"sidrec-t{os.getpid()}")
                if os.path.exists(name):
                    os.remove(name)

    def test_password_for_mysql_is_masked(self):
        mysql = find_program("mysql")
        self.prompts(f"{mysql} --protocol=tcp -h 127.0.0.1 -P {free_port()} -u root -p", "Enter password: ", b"ERROR 2",
                     b"Geheim-99-wort")  # fmt: skip


class SshX11(EndToEnd):
    ATOMS = ("Geheim-im-Fenster", "ein_zweites_Atom")

    def x11(self, sshd, *options):
        server = XServer(self.place.folder)
        try:
            script = sshd.write("x-client.py", CLIENT)
            got = sshd.ssh("root", f"/usr/bin/python3 {script} {' '.join(self.ATOMS)}", options=options,
                           environment=os.environ | server.environment)  # fmt: skip
        finally:
            server.close()
        self.assertEqual(got.returncode, 0, got.stderr)
        vendor, *atoms, counts = got.stdout.decode().splitlines()
        self.assertEqual((vendor, atoms), (VENDOR.decode(), [str(FIRST_ATOM + 1), str(FIRST_ATOM + 2)]))
        self.assertEqual(server.atoms, [name.encode() for name in self.ATOMS])
        self.assertEqual(server.refused, 0)
        return [int(number) for number in counts.split()]

    def test_x11_is_a_channel_of_which_only_the_numbers_of_bytes_are_kept(self):
        find_program("xauth")
        for way in ("-X", "-Y"):
            options = [way, "-o", "ForwardX11Trusted=yes"]  # Debian's default, and our server knows no other
            self.x11(self.place.start(Sshd("X11Forwarding yes"), recorded=False), *options)
            sent, received = self.x11(self.place.start(Sshd("X11Forwarding yes"), sid=way), *options)
            (connection,) = self.place.ended_trail(way).connections.values()
            self.assertIs(connection.close["complete"], True)
            (channel,) = connection.channels_of("x11")
            self.assertTrue(channel.counted)
            self.assertEqual((channel.close["bytes_out"], channel.close["bytes_in"]), (sent, received))
            self.assertEqual((channel.bytes["in"], channel.bytes["out"], channel.data_lines), (b"", b"", []))
            self.assertEqual(len(connection.channels_of("exec")), 1)
            self.assertEqual(connection.channels_of("forward"), [])
