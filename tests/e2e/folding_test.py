"""Bulk transfers are kept in short: first and last bytes, length, hash and name. What is not one is kept whole."""

import hashlib
import os
import random
import subprocess

from support.deadline import until
from support.host import find_program
from support.sshd import Sshd, TestUser
from support.stock_programs import Socat
from support.workplace import EndToEnd

KEPT = 64 * 1024
BIG = 50_000_000
SEED = int(os.environ.get("SIDREC_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


class Folding(EndToEnd):
    def setUp(self):
        self.dice = random.Random(SEED)

    def file(self, name, size):
        content = self.dice.randbytes(size)
        path = self.place.path(name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o644)
        return path, content

    def copy(self, program, *arguments):
        run = subprocess.run([find_program(program), "-q", *self.sshd.options(), *arguments], capture_output=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stderr)

    def one_channel(self):
        trail = self.place.ended_trail()
        self.assertEqual(trail.gaps, [])
        (connection,) = trail.connections.values()
        self.assertIs(connection.close["complete"], True)
        (channel,) = connection.channels.values()
        return trail, channel

    def is_told(self, transfer, content, protocol, direction, name, size):
        told = {key: transfer.get(key) for key in ("protocol", "dir", "name", "size", "len", "sequential", "finished")}
        self.assertEqual(told, {"protocol": protocol, "dir": direction, "name": name, "size": size,
                                "len": len(content), "sequential": True, "finished": True})  # fmt: skip
        self.assertEqual(transfer["sha256"], hashlib.sha256(content).hexdigest())

    def moves(self, options, direction, protocol):
        """Copies a big file by scp, from or to the server, and looks at what is left of it in the trail."""
        self.place.open_to_all()
        path, content = self.file("from here.bin", BIG)
        there = self.place.path("to there.bin")
        self.sshd = self.place.start(Sshd())
        sides = [f"root@127.0.0.1:{path}", there] if direction == "out" else [path, f"root@127.0.0.1:{there}"]
        if protocol == "scp":
            sides = [side.replace(" ", "\\ ") if ":" in side else side for side in sides]
        self.copy("scp", *options, *sides)
        with open(there, "rb") as file:
            self.assertTrue(file.read() == content, "the file arrives as it was")
        trail, channel = self.one_channel()
        (transfer,) = channel.transfers
        on_wire = path if direction == "out" else there
        names = {"sftp": on_wire, "scp": os.path.basename(path)}
        sizes = {"sftp": BIG if direction == "out" else None, "scp": BIG}
        self.is_told(transfer, content, protocol, direction, names[protocol], sizes[protocol])
        kept = bytes(channel.bytes[direction])
        self.assertIn(content[: KEPT // 2], kept)
        self.assertIn(content[-KEPT // 2 :], kept)
        self.assertGreater(channel.folded[direction], BIG - 4 * KEPT)
        self.assertLess(os.path.getsize(trail.path), 1_000_000)

    def test_scp_to_the_server_is_kept_in_short(self):
        self.moves([], "in", "sftp")

    def test_scp_from_the_server_is_kept_in_short(self):
        self.moves([], "out", "sftp")

    def test_old_scp_to_the_server_is_kept_in_short(self):
        self.moves(["-O"], "in", "scp")

    def test_old_scp_from_the_server_is_kept_in_short(self):
        self.moves(["-O"], "out", "scp")

    def test_each_file_of_an_sftp_session_is_told_and_small_ones_are_kept_whole(self):
        self.place.open_to_all()
        files = [self.file(f"{number}.bin", size) for number, size in enumerate((0, 1, 40_000, 100_000, 3_000_000))]
        self.sshd = self.place.start(Sshd())
        batch = self.place.path("batch")
        with open(batch, "w") as file:
            for path, _ in files:
                file.write(f"put {path} {path}.up\nget {path} {path}.down\n")
        self.copy("sftp", "-b", batch, "root@127.0.0.1")
        _, channel = self.one_channel()
        self.assertEqual(len(channel.transfers), 2 * len(files))
        for (path, content), up, down in zip(files, channel.transfers[::2], channel.transfers[1::2]):
            self.is_told(up, content, "sftp", "in", path + ".up", None)
            self.is_told(down, content, "sftp", "out", path, len(content))
            if len(content) <= 2 * KEPT:
                self.assertTrue(content[:30_000] in channel.bytes["in"] and content[:30_000] in channel.bytes["out"])
        self.assertGreater(channel.folded["in"], 2_500_000)

    def test_what_a_command_prints_is_kept_whole(self):
        self.sshd = self.place.start(Sshd())
        said = self.sshd.ssh("root", "head -c 3000000 /dev/zero")
        self.assertEqual(said.stdout, bytes(3_000_000))
        _, channel = self.one_channel()
        self.assertEqual((bytes(channel.bytes["out"]), channel.transfers), (said.stdout, []))

    def test_a_transfer_that_is_cut_off_is_told_as_not_finished(self):
        self.place.open_to_all()
        path, content = self.file("big.bin", BIG)
        self.sshd = self.place.start(Sshd())
        copy = subprocess.Popen([find_program("scp"), "-q", "-l", "40000", *self.sshd.options(), path,
                                 f"root@127.0.0.1:{path}.up"], stderr=subprocess.DEVNULL)  # fmt: skip
        until(lambda: os.path.exists(f"{path}.up") and os.path.getsize(f"{path}.up") > 500_000, "the middle of the copy")
        copy.kill()
        copy.wait()
        trail = self.place.ended_trail()
        (connection,) = trail.connections.values()
        (channel,) = connection.channels.values()
        (transfer,) = channel.transfers
        self.assertIs(transfer["finished"], False)
        self.assertLess(0, transfer["len"])
        self.assertEqual(transfer["sha256"], hashlib.sha256(content[: transfer["len"]]).hexdigest())

    def test_a_setting_keeps_transfers_whole(self):
        self.place.settings["fold"] = "none"
        self.place.open_to_all()
        path, content = self.file("file.bin", 1_000_000)
        self.sshd = self.place.start(Sshd())
        self.copy("scp", "-O", path, f"root@127.0.0.1:{path}.up")
        _, channel = self.one_channel()
        self.assertEqual((channel.folded["in"], channel.transfers), (0, []))
        self.assertIn(content, bytes(channel.bytes["in"]))

    def test_a_setting_folds_every_stream(self):
        self.place.settings["fold"] = "all"
        content = self.dice.randbytes(5_000_000)
        client = self.place.client(self.place.start(Socat(self.place.echo_backend()))).says(content)
        client.close()
        trail = self.place.ended_trail()
        (connection,) = trail.connections.values()
        for direction, transfer in zip(("in", "out"), connection.transfers):
            self.is_told(transfer, content, "stream", direction, None, None)
            self.assertEqual(connection.folded[direction], len(content) - 2 * KEPT)
            self.assertEqual(connection.bytes[direction], content[:KEPT] + content[-KEPT:])
        self.assertIs(connection.close["complete"], True)
