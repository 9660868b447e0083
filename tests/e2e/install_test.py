"""sidrec install and uninstall, on a copy of the machine's /etc, with Debian's own units, programs and configurations."""

import glob
import grp
import json
import os
import shutil

from support import processes
from support.deadline import until
from support.own_machine import OwnMachine
from support.services import HaproxyService, NginxService
from support.sshd import Sshd, TestUser
from support.trail import Trail, has_ended
from support.workplace import BUILD, EndToEnd

HAPROXY = "/etc/systemd/system/haproxy.service.d/50-sidrec.conf"
NGINX = "/etc/nginx/modules-enabled/00-sidrec.conf"
RECOVER = "/etc/systemd/system/sidrec-recover.service"
AUDIT, RUN, SETTINGS = "/var/log/sidrec", "/run/sidrec", "/etc/sidrec.json"


class NginxAsInstalled(NginxService):
    """What it is to keep of its environment is said by the installation's file alone."""

    def prepare(self):
        self.recording = []
        super().prepare()


class Install(EndToEnd):
    def machine(self):
        machine = OwnMachine(BUILD)
        self.addCleanup(machine.__exit__)
        return machine.__enter__()

    def does(self, machine, *words):
        done = machine.run(machine.sidrec, *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def fails(self, machine, says, *words, code=1):
        before = machine.everything()
        done = machine.run(machine.sidrec, *words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertRegex(done.stderr, says)
        self.assertEqual(machine.everything(), before, done.stdout)
        return done

    def start(self, machine, host, unit):
        self.place.open_to_all()
        self.place.hosts.append(host)
        # Set in there: what leads there would else be recorded itself, here.
        drop_in = [f"{name}={value}" for name, value in machine.environment_of(unit).items()]
        environment = self.place.environment(recorded=False)
        return host.start(self.place.path(host.program), environment, [*machine.prefix, "env", *drop_in])

    def ended_trail(self, machine, folder):
        pattern = machine.path(f"{AUDIT}/{folder}/*.jsonl")
        (path,) = until(lambda: (paths := glob.glob(pattern)) and all(map(has_ended, paths)) and paths, "the trail")
        return Trail(path)

    # -- what it is for

    def test_install_lets_the_packaged_services_be_recorded_from_their_next_start(self):
        machine = self.machine()
        self.does(machine, "install", "haproxy")
        host = self.start(machine, HaproxyService(self.place.echo_backend()), "haproxy.service")
        self.place.client(host).says(b"through a packaged service").close()
        trail = self.ended_trail(machine, "127.0.0.1")
        start = trail.records[0]
        status = os.stat(trail.path)
        self.assertEqual((start["installed"], start["uid"]), (True, status.st_uid))
        self.assertNotEqual(status.st_uid, 0)
        self.assertEqual(status.st_gid, grp.getgrnam("adm").gr_gid)
        self.assertIs(next(iter(trail.connections.values())).close["complete"], True)
        self.assertEqual(json.loads(machine.run(machine.sidrec, "ls", "--json", "--audit-dir", AUDIT).stdout)["sid"],
                         "127.0.0.1")  # fmt: skip

    def test_install_lets_a_login_be_recorded_under_its_users_name(self):
        with TestUser() as user:
            machine = self.machine()
            self.does(machine, "install", "ssh.service")
            os.mkdir(machine.path("/run/sshd"), 0o755)  # its unit's RuntimeDirectory
            host = self.start(machine, Sshd(), "ssh.service")
            self.assertEqual(host.ssh(user.name, "echo", "seen").stdout, b"seen\n")
            trail = self.ended_trail(machine, f"{user.name}@127.0.0.1")
            (connection,) = trail.connections.values()
            self.assertEqual(connection.channels_of("exec")[0].bytes["out"], b"seen\n")

    def test_install_keeps_nginx_recorded_through_a_binary_upgrade(self):
        machine = self.machine()
        self.does(machine, "install", "--sid", "web-{env:SITE}", "nginx")
        self.assertEqual(set(machine.read(NGINX).split("\n")[1:-1]),
                         {f"env {name};" for name in ("LD_PRELOAD", "SIDREC_SID", "SIDREC_CONFIG", "SITE")})  # fmt: skip
        os.environ["SITE"] = "shop"
        self.addCleanup(os.environ.pop, "SITE")
        host = self.start(machine, NginxAsInstalled(self.place.echo_backend()), "nginx.service")
        before = self.place.client(host).says(b"before")
        host.upgrade()
        after = self.place.client(host).says(b"after")
        before.close()
        after.close()
        trail = self.ended_trail(machine, "web-shop")
        self.assertEqual({bytes(each.bytes["in"]) for each in trail.connections.values()}, {b"before", b"after"})

    def test_install_lets_a_service_that_is_never_root_be_of_the_recorders_group(self):
        machine = self.machine()
        self.does(machine, "install", "--sid", "db", "pgbouncer")
        self.assertIn("\nSupplementaryGroups=sidrec\n",
                      machine.read("/etc/systemd/system/pgbouncer.service.d/50-sidrec.conf"))  # fmt: skip
        verdict = json.loads(machine.run(machine.sidrec, "doctor", "--json", "pgbouncer.service").stdout)
        self.assertTrue(verdict["recordable"], verdict)

    # -- how it goes about it

    def test_install_dry_run_says_all_that_install_would_do_and_does_nothing(self):
        machine = self.machine()
        before = machine.everything()
        said = self.does(machine, "install", "--dry-run", "ssh", "haproxy", "nginx")
        self.assertEqual(machine.everything(), before)
        done = self.does(machine, "install", "ssh", "haproxy", "nginx")
        would = [line for line in said.splitlines() if not line.startswith(" ")]
        did = [line.removeprefix("done: ") for line in done.splitlines() if line.startswith("done: ")]
        self.assertEqual(would, did)
        for path in (HAPROXY, NGINX, SETTINGS, "/etc/tmpfiles.d/sidrec.conf", RECOVER):
            for line in machine.read(path).splitlines():
                self.assertIn(f"    {line}\n", said)

    def test_install_a_second_time_has_nothing_to_do(self):
        machine = self.machine()
        self.does(machine, "install", "--sid", "one", "haproxy")
        once = machine.everything()
        self.assertEqual(self.does(machine, "install", "haproxy"), "Everything is there already.\n")
        self.assertEqual(machine.everything(), once)
        self.does(machine, "install", "--sid", 'two "%h" {client_ip}', "haproxy")
        self.assertEqual(machine.environment_of("haproxy.service")["SIDREC_SID"], 'two "%h" {client_ip}')

    def test_install_without_a_service_prepares_the_rest(self):
        machine = self.machine()
        self.does(machine, "install", "--audit-dir", "/var/log/bastion", "--run-dir", "/run/bastion")
        self.assertEqual(json.loads(machine.read(SETTINGS)), {"audit_dir": "/var/log/bastion", "run_dir": "/run/bastion"})
        self.fails(machine, "names other directories", "install", "--audit-dir", AUDIT)
        self.does(machine, "uninstall")
        self.assertFalse(os.path.exists(machine.path("/var/log/bastion")))

    # -- what it refuses, and then leaves as it was

    def test_install_refuses_a_service_whose_configuration_is_wrong(self):
        machine = self.machine()
        machine.write("/etc/haproxy/haproxy.cfg", "listen nothing\n  bind nowhere\n")
        self.fails(machine, r'does not pass "haproxy -c" \(1\)(.|\n)*nowhere', "install", "haproxy")

    def test_install_refuses_a_service_that_cannot_be_recorded(self):
        machine = self.machine()
        self.fails(machine, "NoNewPrivileges.*nothing was changed", "install", "redis-server")
        self.fails(machine, "there is no unit no-such.service", "install", "no-such")
        self.fails(machine, "ssh.socket serves no clients itself", "install", "ssh.socket")
        self.fails(machine, "no name of a service", "install", "../ssh")

    def test_install_refuses_what_others_have_put_in_its_places(self):
        machine = self.machine()
        machine.write("/etc/tmpfiles.d/sidrec.conf", "# of somebody else\n")
        self.fails(machine, "/etc/tmpfiles.d/sidrec.conf is not of", "install")
        os.unlink(machine.path("/etc/tmpfiles.d/sidrec.conf"))
        machine.write(f"{AUDIT}/alice/old.jsonl", "{}\n")
        self.fails(machine, f"{AUDIT} is not sidrec's and is not empty: .*chown -R", "install")

    def test_install_takes_back_everything_when_a_step_fails(self):
        machine = self.machine()
        os.makedirs(machine.path(os.path.dirname(HAPROXY)))
        machine.run("mount", "-t", "tmpfs", "-o", "ro", "none", os.path.dirname(HAPROXY))
        done = self.fails(machine, "cannot write .*50-sidrec.conf.*Read-only", "install", "haproxy")
        self.assertIn("done: make the system user and group sidrec", done.stdout)

    def test_install_of_a_program_in_a_directory_of_somebody_else_is_refused(self):
        machine = self.machine()
        os.chmod(machine.library_dir, 0o777)
        self.fails(machine, "must be root's", "install")

    # -- uninstall

    def test_uninstall_leaves_no_trace(self):
        machine = self.machine()
        before = machine.everything()
        self.does(machine, "install", "ssh", "haproxy", "nginx", "pgbouncer")
        self.does(machine, "uninstall", "haproxy")
        self.assertFalse(os.path.exists(machine.path(os.path.dirname(HAPROXY))))
        self.assertTrue(os.path.exists(machine.path(NGINX)))
        self.does(machine, "uninstall", "nginx")
        self.assertFalse(os.path.exists(machine.path(NGINX)))
        self.does(machine, "uninstall")
        self.assertEqual(machine.everything(), before)

    def test_uninstall_waits_for_what_is_recorded_and_leaves_the_trails(self):
        machine = self.machine()
        before = machine.everything()
        self.does(machine, "install", "haproxy")
        host = self.start(machine, HaproxyService(self.place.echo_backend()), "haproxy.service")
        self.place.client(host).says(b"this stays").close()
        done = machine.run(machine.sidrec, "uninstall")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"still recorded.*haproxy \({host.pid}\).*uninstall\" again")
        trail = self.ended_trail(machine, "127.0.0.1")
        host.stop()
        said = self.does(machine, "uninstall")
        self.assertRegex(said, f"It stays: {AUDIT}, for it holds trails")
        shutil.rmtree(os.path.dirname(trail.path))
        self.does(machine, "uninstall")
        self.assertEqual(machine.everything(), before)

    def test_uninstall_ends_the_recorders_that_wait_for_another_host(self):
        machine = self.machine()
        before = machine.everything()
        self.does(machine, "install", "haproxy")
        host = self.start(machine, HaproxyService(self.place.echo_backend()), "haproxy.service")
        self.place.client(host).says(b"of a worker, whose recorder waits for the next").close()
        trail = self.ended_trail(machine, "127.0.0.1")
        host.stop()
        waiting = [pid for pid in processes.all_pids() if processes.executable(pid) == machine.recorder]
        self.assertTrue(waiting)
        shutil.rmtree(os.path.dirname(trail.path))
        self.does(machine, "uninstall")
        self.assertFalse([pid for pid in waiting if processes.is_running(pid)])
        self.assertEqual(machine.everything(), before)

    def test_uninstall_leaves_settings_that_were_changed(self):
        machine = self.machine()
        self.does(machine, "install")
        machine.write(SETTINGS, '{"linger_ms": 5000}\n')
        self.assertIn(f"It stays: {SETTINGS}, for it was changed by hand.", self.does(machine, "uninstall"))
        self.assertEqual(machine.read(SETTINGS), '{"linger_ms": 5000}\n')
