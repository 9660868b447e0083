"""Whose the trail is: installed, the recorders' own user's, and nobody else can do anything to it or to them."""

import os
import random
import signal
import subprocess

from support import processes, traffic
from support.accounts import account, as_user, everything_below
from support.deadline import until
from support.intruder import what_it_can
from support.oracle import expect_exactly
from support.ports import free_port
from support.postgresql import Postgresql, run_psql
from support.services import HaproxyService, NginxService, PgbouncerService
from support.sshd import Sshd, TestUser
from support.stock_programs import Socat, SocatOfNobody
from support.wire_tap import WireTap
from support.workplace import EndToEnd

CONNECTIONS = 20
SEED = int(os.environ.get("SIDREC_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


class Ownership(EndToEnd):
    # -- as whom recorders run

    def test_installed_the_recorder_of_a_root_service_runs_as_its_own_user(self):
        self.runs_as_its_own_user(HaproxyService)

    def test_installed_every_worker_of_a_service_is_recorded_by_that_user(self):
        self.runs_as_its_own_user(NginxService)

    def runs_as_its_own_user(self, program):
        owner = self.place.install()
        host = self.place.start(program(free_port()))
        exchanges = traffic.plan(CONNECTIONS, SEED, half_close=host.half_close, endings=host.endings)
        traffic.run(host, exchanges, SEED)
        recorders = self.place.recorders()
        self.assertTrue(recorders)
        self.are_the_owners(recorders)
        trail = self.place.ended_trail()
        expect_exactly(trail, [exchange.line for exchange in exchanges])
        self.assertEqual((trail.first["uid"], trail.first["installed"]), (owner.uid, True))
        for path in everything_below(self.place.audit_dir):
            self.assertEqual(os.lstat(path).st_uid, owner.uid, path)

    def test_installed_a_service_that_root_does_not_start_is_recorded_by_that_user(self):
        self.place.open_to_all()
        server = self.place.start(Postgresql(), recorded=False)
        owner = self.place.install()
        host = PgbouncerService(server.port)
        host.more_groups = [owner.gid]
        tap = WireTap(self.place.start(host))
        run_psql(tap, CONNECTIONS, SEED)
        self.are_the_owners(self.place.recorders())
        ours = everything_below(self.place.run_dir, self.place.audit_dir)
        for path in ours:
            self.assertEqual(os.lstat(path).st_uid, owner.uid, path)
        groups = as_user("postgres")
        groups["extra_groups"] += [owner.gid]
        self.can_do_nothing(groups, ours)
        host.stop()
        trail = self.place.ended_trail()
        expect_exactly(trail, tap.wires())
        self.assertEqual(trail.first["installed"], True)

    def test_installed_a_process_for_each_connection_is_recorded_by_that_user(self):
        owner = self.place.install()
        host = SocatOfNobody(free_port())
        host.more_groups = [owner.gid]
        self.place.start(host)
        exchanges = traffic.plan(CONNECTIONS, SEED)
        traffic.run(host, exchanges, SEED)
        trail = self.place.ended_trail()
        expect_exactly(trail, [exchange.line for exchange in exchanges])
        self.assertEqual((trail.first["uid"], trail.first["installed"]), (owner.uid, True))

    def test_installed_a_killed_recorder_is_started_again_as_that_user(self):
        owner = self.place.install()
        backend = self.place.echo_backend()
        for number, program in enumerate((Socat, SocatOfNobody)):
            with self.subTest(program.__name__):
                host = program(backend)
                host.more_groups = [owner.gid]
                self.place.start(host, sid=f"demo{number}")
                client = self.place.client(host).says(b"before")
                self.place.recorded(client, f"demo{number}")
                dead = self.place.master(f"demo{number}").pid
                processes.kill_quietly(dead, signal.SIGKILL)
                until(lambda dead=dead: not processes.is_running(dead), "its death")
                client.says(b"after")
                self.place.recorded(client, f"demo{number}")
                self.are_the_owners(self.place.recorders())
                client.close()
                trail = self.place.ended_trail(f"demo{number}")
                expect_exactly(trail, [client])
                self.assertEqual([each["epoch"] for each in trail.masters], [1, 2])

    def test_installed_ssh_is_recorded_by_that_user(self):
        owner = self.place.install()
        sshd = self.place.start(Sshd(), sid="{user}")
        with TestUser() as user:
            said = sshd.ssh(user.name, "echo from the shell; id -u")
            self.assertEqual(said.stdout.decode(), f"from the shell\n{user.uid}\n", said.stderr)
            trail = self.place.ended_trail(user.name)
        self.assertEqual((trail.first["uid"], trail.first["installed"]), (owner.uid, True))

    def test_not_installed_it_runs_as_the_invoking_user_and_says_so(self):
        host = self.place.start(Socat(self.place.echo_backend()))
        self.place.client(host).says(b"hello").close()
        first = self.place.ended_trail().first
        self.assertEqual((first["uid"], first["installed"]), (os.geteuid(), False))

    # -- what others may do

    def test_the_audited_user_can_do_nothing_to_anything_of_ours(self):
        self.place.install()
        host = self.place.start(NginxService(self.place.echo_backend()))
        self.is_served(host, "www-data")
        self.can_do_nothing(as_user("www-data"), everything_below(self.place.audit_dir, self.place.run_dir))

    def test_an_ssh_user_can_do_nothing_to_anything_of_ours(self):
        self.place.install()
        sshd = self.place.start(Sshd())
        with TestUser() as user:
            login = sshd.terminal(user.name, "echo here; exec cat").sees(b"here")
            self.can_do_nothing(as_user(user.name), everything_below(self.place.audit_dir, self.place.run_dir))
            login.types(b"\x04").ends()

    def test_the_owner_could_do_all_that_was_tried(self):
        owner = self.place.install()
        client = self.place.client(self.place.start(Socat(self.place.echo_backend()))).says(b"hello")
        self.place.recorded(client)
        pids = [each.pid for each in self.place.recorders()]
        ours = everything_below(self.place.audit_dir, self.place.run_dir)
        could = what_it_can({"user": owner.uid, "group": owner.gid, "extra_groups": []}, pids, ours)
        for what in ("signal", "read", "write", "list", "make", "connect", "shorten", "open up", "rename", "remove"):
            self.assertTrue(any(line.startswith(what) for line in could), f"nobody could ever {what}: {could}")

    def is_served(self, host, user):
        client = self.place.client(host).says(b"x" * 1000)
        self.place.recorded(client)
        (connection,) = self.place.growing_trail().connections.values()
        self.assertIn(account(user).pw_uid, processes.user_ids(connection.pid))

    def can_do_nothing(self, user, ours):
        for kind in (".jsonl", ".ring", ".sock"):
            self.assertTrue(any(path.endswith(kind) for path in ours), f"no {kind} among {ours}")
        recorders = self.place.recorders()
        self.are_the_owners(recorders)
        before = {path: os.lstat(path) for path in ours}
        self.assertEqual(what_it_can(user, [each.pid for each in recorders], ours), [])
        self.assertEqual({path for path in ours if not os.path.lexists(path)}, set())
        for path, was in before.items():
            self.assertEqual((os.lstat(path).st_mode, os.lstat(path).st_uid), (was.st_mode, was.st_uid), path)

    def are_the_owners(self, recorders):
        self.assertTrue(recorders)
        for each in recorders:
            self.assertEqual(processes.user_ids(each.pid), [self.place.installation.uid] * 4)

    # -- the set-user-id program in the hands of somebody who means harm

    def test_a_hostile_start_of_the_recorder_gets_nothing(self):
        owner = self.place.install()
        member = as_user("nobody")
        member["extra_groups"] = [owner.gid]
        dice = random.Random(SEED)
        mine = self.place.path("mine.ring")
        with open(mine, "wb") as file:
            file.write(dice.randbytes(1 << 16))
        os.chown(mine, account("nobody").pw_uid, -1)
        evidence = self.place.path("loaded")
        environments = [
            {},
            {"LD_PRELOAD": mine, "LD_LIBRARY_PATH": self.place.folder, "LD_AUDIT": mine, "GCONV_PATH": self.place.folder},
            {"LD_DEBUG": "all", "LD_DEBUG_OUTPUT": evidence, "MALLOC_TRACE": evidence, "TMPDIR": self.place.folder},
            {"SIDREC_AUDIT_DIR": self.place.folder, "SIDREC_RUN_DIR": self.place.folder, "SIDREC_CONFIG": mine,
             "SIDREC_DEBUG": "1", "HOME": self.place.folder},
            {f"X{n}": "x" * 100_000 for n in range(8)},
        ]  # fmt: skip
        commands = [
            [], [""], ["relative"], [mine], ["/etc/shadow"], ["/proc/self/mem"], ["x" * 100_000], [mine, mine],
            ["--make-ring"], ["--make-ring", "8", "65536"], ["--make-ring", "-1", "65536"],
            ["--make-ring", "4294967295", "4294967295"], ["--make-ring", "8", "x" * 100_000],
        ]  # fmt: skip
        before = self.tree()
        for environment in environments:
            for command in commands:
                for closed in ((), (0,), (1, 2), (0, 1, 2)):
                    self.assertIn(self.exit_code(command, environment, member, closed), (2, 3, 5), command)
        self.assertFalse(os.path.exists(evidence))
        self.assertEqual(self.tree() - before, set())
        self.assertEqual(self.place.recorders(), [])

    def test_a_file_size_limit_cannot_silence_a_session(self):
        owner = self.place.install()
        host = SocatOfNobody(self.place.echo_backend())
        host.more_groups = [owner.gid]
        self.place.start(host, prefix=["prlimit", "--fsize=1000"])
        self.place.client(host).says(b"hello").close()
        host.stop()
        self.assertEqual(self.place.trail_paths(), [])
        until(self.logs, "what the recorder says of it")
        self.assertIn("file size limit", self.logs())

    def test_who_is_not_of_the_recorders_group_starts_none_and_is_told_so(self):
        self.place.install()
        host = self.place.start(SocatOfNobody(self.place.echo_backend()))
        self.place.client(host).says(b"hello").close()
        host.stop()
        self.assertIn("let this user be of its group", host.stderr())
        self.assertEqual(host.stderr().count("\n"), 1)
        self.assertEqual(self.place.trail_paths(), [])

    def test_no_new_privs_keeps_the_recorder_from_its_user_and_that_is_said(self):
        owner = self.place.install()
        host = SocatOfNobody(self.place.echo_backend())
        host.more_groups = [owner.gid]
        self.place.start(host, prefix=["setpriv", "--no-new-privs"])
        self.place.client(host).says(b"hello").close()
        host.stop()
        self.assertIn("set NoNewPrivileges=no", host.stderr())
        self.assertEqual(self.place.trail_paths(), [])

    def test_root_with_no_new_privs_is_recorded_by_that_user_all_the_same(self):
        owner = self.place.install()
        self.place.start(host := Socat(self.place.echo_backend()), prefix=["setpriv", "--no-new-privs"])
        self.place.client(host).says(b"hello").close()
        first = self.place.ended_trail().first
        self.assertEqual((first["uid"], first["installed"]), (owner.uid, True))

    def exit_code(self, command, environment, user, closed):
        def close():
            for fd in closed:
                os.close(fd)

        run = subprocess.run([self.place.recorder, *command], env=environment, cwd="/", stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, preexec_fn=close,
                             **user)  # fmt: skip
        return run.returncode

    def tree(self):
        logs = {path for path in everything_below(self.place.run_dir) if path.endswith(".log")}
        return set(everything_below(self.place.folder)) - logs

    def logs(self):
        text = ""
        for path in everything_below(self.place.run_dir):
            if path.endswith(".log"):
                with open(path) as file:
                    text += file.read()
        return text
