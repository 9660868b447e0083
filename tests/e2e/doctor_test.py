"""sidrec doctor, on real programs, processes and Debian's own unit files: it says what then comes true."""

import json
import os
import pwd
import re
import shutil
import struct
import subprocess

from support.deadline import until
from support.host import Missing, find_program
from support.stock_programs import Haproxy, Socat
from support.workplace import BUILD, EndToEnd

SIDREC = os.path.join(BUILD, "sidrec")
UNITS = "/lib/systemd/system"


class Verdict:
    def __init__(self, done):
        self.code = done.returncode
        self.stderr = done.stderr.decode()
        self.object = json.loads(done.stdout) if done.stdout else {}
        self.findings = self.object.get("findings", [])

    def checks(self, severity):
        return {finding["check"] for finding in self.findings if finding["severity"] == severity}

    def text(self, check):
        found = [finding for finding in self.findings if finding["check"] == check]
        return " ".join(f"{each['severity']}: {each['what']} {each['why']} {each['remedy']}" for each in found)


class Doctor(EndToEnd):
    def doctor(self, *words, environment=None):
        if environment is None:
            environment = self.place.environment()
            del environment["LD_PRELOAD"]
        done = subprocess.run(
            [SIDREC, "doctor", "--json", *map(str, words)],
            env=environment, capture_output=True, timeout=30, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Verdict(done)

    def works(self, *words):
        verdict = self.doctor(*words)
        self.assertEqual((verdict.code, verdict.checks("problem")), (0, set()), verdict.findings or verdict.stderr)
        self.assertTrue(verdict.object["recordable"])
        return verdict

    def fails(self, check, says, *words):
        verdict = self.doctor(*words)
        self.assertEqual(verdict.code, 1, verdict.stderr)
        self.assertIn(check, verdict.checks("problem"), verdict.findings or verdict.stderr)
        self.assertRegex(verdict.text(check), says)
        for finding in verdict.findings:
            if finding["severity"] != "ok":
                self.assertTrue(finding["why"] and finding["remedy"], finding)
        return verdict

    def copy_of(self, program, mode=0o755):
        copy = shutil.copy(find_program(program), self.place.path("copy-of-" + program))
        os.chmod(copy, mode)
        return copy

    def needs_root(self):
        if os.geteuid() != 0:
            self.skipTest("only root can do that")

    # -- programs

    def test_doctor_finds_stock_proxies_fit(self):
        self.works(find_program("haproxy"))
        self.works("socat")

    def test_doctor_names_what_no_library_can_be_preloaded_into(self):
        self.fails("program", "static", os.path.join(BUILD, "sidrec-recorder"))
        self.fails("program", "set-user-id", find_program("su"))
        self.fails("program", "set-group-id", self.copy_of("socat", 0o2755))
        script = self.place.path("script")
        with open(script, "w") as file:
            file.write(f"#!{self.copy_of('dash', 0o4755)}\n")
        os.chmod(script, 0o755)
        self.fails("program", "copy-of-dash: it is set-user-id", script)

    def test_doctor_names_file_capabilities(self):
        self.needs_root()
        copy = self.copy_of("socat")
        # VFS_CAP_REVISION_2 with the effective bit, CAP_NET_BIND_SERVICE permitted (capabilities(7))
        try:
            os.setxattr(copy, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
        except OSError as error:
            self.skipTest(f"no file capabilities here: {error}")
        self.fails("program", "file capabilities", copy)

    def test_doctor_names_calls_past_libc(self):
        self.fails("system calls", r"past libc: read, write\.", os.path.join(BUILD, "victims", "victim_bypassing_libc"))

    def test_doctor_names_squids_worker_unless_squid_is_one_process(self):
        squid = self.copy_of("socat")  # its name is what counts: its habits show only when it runs
        os.rename(squid, self.place.path("squid"))
        squid = self.place.path("squid")
        self.fails("secure execution", "AT_SECURE", squid)
        self.fails("secure execution", "AT_SECURE", "--", squid, "-f", "squid.conf")
        self.works("--", squid, "-NYC", "-f", "squid.conf")

    def test_doctor_names_directories_that_will_not_do(self):
        with open(self.place.path("file"), "w"):
            pass
        self.fails("audit directory", "cannot write", "socat", "--audit-dir", self.place.path("file") + "/below")
        self.fails("run directory", "Only 0 MiB are free", "socat", "--run-dir", "/proc/sidrec")
        on_disk = self.doctor("socat", "--run-dir", "/var/lib/sidrec-of-a-test")
        self.assertIn("run directory", on_disk.checks("note"), "not on a tmpfs")

    def test_doctor_of_nothing_that_exists_fails_with_a_sentence(self):
        for words in (["no-such-program"], ["no-such.service"], ["--pid", 2**22 + 1]):
            verdict = self.doctor(*words)
            self.assertEqual((verdict.code, verdict.object), (1, {}), words)
            self.assertRegex(verdict.stderr, r"^sidrec: .*no (such|unit|process)", words)

    # -- processes

    def test_doctor_sees_a_process_being_recorded(self):
        host = self.place.start(Socat(self.place.echo_backend()))
        self.assertIn("waits for its first", self.works(host.pid).text("recording"))
        client = self.place.client(host).says(b"hello")
        self.place.recorded(client)
        (serving,) = until(lambda: [pid for pid in host.pids() if self.serves(pid)], "a process that serves")
        verdict = self.works(serving)
        self.assertRegex(verdict.text("recording"), r"ok: A recorder reads its ring .*\.ring in " + self.place.run_dir)

    def serves(self, pid):
        with open(f"/proc/{pid}/maps") as file:
            return ".ring" in file.read()

    def test_doctor_sees_a_process_that_is_not_recorded(self):
        bare = self.place.start(Socat(self.place.echo_backend()), recorded=False)
        self.fails("library", "not loaded", bare.pid)
        self.fails("library", "not loaded", "--pid", bare.pid)

    def test_doctor_sees_that_the_recorder_is_gone(self):
        host = self.place.start(Haproxy(self.place.echo_backend()))
        client = self.place.client(host).says(b"hello")
        self.place.recorded(client)
        self.works(host.pid)
        os.kill(self.place.master().pid, 9)
        until(lambda: not self.place.recorders(), "the recorder's end")
        self.fails("recording", "No recorder reads its ring", host.pid)

    def test_doctor_sees_why_a_loaded_library_does_not_record(self):
        host = Socat(self.place.echo_backend())
        os.rmdir(self.place.audit_dir)
        with open(self.place.audit_dir, "w"):
            pass
        self.place.start(host)
        verdict = self.fails("audit directory", "cannot write", host.pid)
        self.assertIn("library", verdict.checks("ok"))

    def test_doctor_sees_secure_execution(self):
        self.needs_root()
        copy = self.copy_of("sleep", 0o4755)
        nobody = pwd.getpwnam("nobody")
        os.chmod(self.place.folder, 0o755)
        os.chown(copy, nobody.pw_uid, nobody.pw_gid)
        os.chmod(copy, 0o4755)
        process = subprocess.Popen([copy, "60"], env=self.place.environment(), stderr=subprocess.DEVNULL)
        try:
            until(lambda: os.readlink(f"/proc/{process.pid}/exe") == copy, "the program's start")
            self.fails("secure execution", "AT_SECURE", process.pid)
            self.assertIn("was asked for", self.doctor(process.pid).text("library"))
        finally:
            process.kill()
            process.wait(10)

    # -- services

    def unit(self, name, text="", drop_in=None):
        """Debian's own unit, or `text`, in a directory of its own."""
        folder = self.place.path("units")
        os.makedirs(os.path.join(folder, name + ".d"), exist_ok=True)
        if text:
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        elif os.path.exists(os.path.join(UNITS, name)):
            shutil.copy(os.path.join(UNITS, name), folder)
        else:
            raise Missing(f"{name} is not installed")
        if drop_in:
            with open(os.path.join(folder, name + ".d", "sidrec.conf"), "w") as file:
                file.write("[Service]\n" + drop_in)
        return ["--unit-dir", folder, name]

    def preloading(self, library=None):
        return (
            f"Environment=LD_PRELOAD={library or self.place.preload}\n"
            f'Environment="SIDREC_AUDIT_DIR={self.place.audit_dir}" SIDREC_RUN_DIR={self.place.run_dir}\n'
        )

    def test_doctor_finds_debians_haproxy_service_fit_once_it_preloads(self):
        find_program("haproxy")
        self.fails("library", "does not preload", *self.unit("haproxy.service"))
        self.works(*self.unit("haproxy.service", drop_in=self.preloading()))

    def test_doctor_names_all_that_hinders_debians_redis_service(self):
        library = "/usr/lib/sidrec-of-a-test/libsidrec.so"
        words = self.unit("redis-server.service", drop_in=self.preloading(library).replace("/dev/shm", "/srv"))
        verdict = self.fails("SystemCallFilter", r"denies setpriority\b", *words)
        for check, says in (
            ("audit directory", "ProtectSystem=strict.*ReadWritePaths="),
            ("run directory", "ProtectSystem=strict.*ReadWritePaths="),
            ("library", "cannot read"),
            ("RestrictAddressFamilies", "note: It denies AF_NETLINK"),
            ("PrivateUsers", "note"),
            ("MemoryDenyWriteExecute", "ok: It does no harm"),
        ):
            self.assertRegex(verdict.text(check), says)

    def test_doctor_finds_redis_fit_with_the_remedies_it_gives(self):
        self.needs_root()
        words = self.unit("redis-server.service", drop_in=self.preloading() + (
            f"ReadWritePaths={self.place.audit_dir} {self.place.run_dir}\nSystemCallFilter=setpriority\n"
            f"ExecPaths={BUILD}\nBindReadOnlyPaths={BUILD}\nRestrictAddressFamilies=AF_NETLINK\n"
        ))  # fmt: skip
        self.fails("audit directory", "user redis cannot write", *words)
        os.chmod(self.place.folder, 0o755)
        for path in (self.place.audit_dir, self.place.run_dir):
            shutil.chown(path, "redis", "redis")
        self.works_as_redis(words)

    def works_as_redis(self, words):
        verdict = self.doctor(*words)
        hindered = {check for check in verdict.checks("problem")}
        if not self.is_public(BUILD):
            hindered -= {"library", "recorder"}  # a build below somebody's home
        self.assertEqual(hindered, set(), verdict.findings)

    @staticmethod
    def is_public(path):
        while path != "/":
            if not os.stat(path).st_mode & 0o001:
                return False
            path = os.path.dirname(path)
        return True

    def test_doctor_of_a_service_that_the_installed_recorder_serves_for_another_user(self):
        self.needs_root()
        group = self.place.install().user
        text = f"[Service]\nUser=nobody\nExecStart={find_program('socat')} -V\n"
        preload = f"Environment=LD_PRELOAD={self.place.preload}\n"
        member = f"{preload}SupplementaryGroups={group}\n"
        self.fails("recorder", f"SupplementaryGroups={group}", *self.unit("of-nobody.service", text, preload))
        verdict = self.works(*self.unit("of-nobody.service", text, member))
        self.assertIn(f"{self.place.audit_dir} is there, and user {group} can write", verdict.text("audit directory"))
        for setting, says in (
            ("NoNewPrivileges=yes", "NoNewPrivileges=no"),
            ("RestrictRealtime=yes\nLockPersonality=yes", "implied, by RestrictRealtime, LockPersonality"),
        ):
            words = self.unit("of-nobody.service", text, f"{member}{setting}\n")
            self.fails("NoNewPrivileges", says, *words)
            self.works(*self.unit("of-root.service", text.replace("User=nobody", ""), f"{self.preloading()}{setting}\n"))
        self.fails("PrivateUsers", "PrivateUsers=no", *self.unit("of-nobody.service", text, member + "PrivateUsers=yes\n"))

    def test_doctor_of_a_root_service_looks_at_the_directories_as_the_recorders_user(self):
        self.needs_root()
        self.place.install()
        words = self.unit("of-root.service", f"[Service]\nExecStart={find_program('socat')} -V\n", self.preloading())
        self.works(*words)
        os.chown(self.place.audit_dir, 0, 0)
        self.fails("audit directory", "cannot write", *words)

    def test_doctor_names_squids_service(self):
        squid = shutil.copy(find_program("true"), self.place.path("squid"))
        text = f"[Service]\nType=notify\nExecStart={squid} --foreground -sYC\nLimitNOFILE=65535\n"
        words = self.unit("squid.service", text, self.preloading())
        self.fails("secure execution", "-N", *words)
        self.works(*self.unit("squid.service", text.replace("-sYC", "-sYNC"), self.preloading()))

    def test_doctor_names_each_setting_that_hinders(self):
        program = find_program("socat")
        for settings, check, says in (
            ("RestrictAddressFamilies=AF_INET", "RestrictAddressFamilies", "AF_UNIX"),
            ("SystemCallFilter=@basic-io", "SystemCallFilter", "openat"),
            (f"InaccessiblePaths={self.place.audit_dir}", "audit directory", "InaccessiblePaths"),
            (f"ReadOnlyPaths={self.place.run_dir}", "run directory", "ReadOnlyPaths"),
            (f"TemporaryFileSystem={self.place.folder}", "run directory", "TemporaryFileSystem"),
            (f"NoExecPaths={BUILD}", "library", "NoExecPaths"),
            ("Environment=SIDREC_RUN_DIR=/tmp/sidrec\nPrivateTmp=yes", "run directory", "PrivateTmp"),
            ("Environment=SIDREC_AUDIT_DIR=/home/audit\nProtectHome=yes", "audit directory", "ProtectHome"),
            ("LimitFSIZE=1M", "file size", "LimitFSIZE"),
            ("DynamicUser=yes", "audit directory", "DynamicUser"),
            ("RootDirectory=/srv/jail", "RootDirectory", "another root"),
            ("User=nobody", "audit directory", "nobody cannot write"),
        ):
            with self.subTest(settings):
                text = f"[Service]\nExecStart=-{program} -V\n"
                self.fails(check, says, *self.unit("each.service", text, self.preloading() + settings + "\n"))
        self.works(*self.unit("each.service", text, self.preloading() + "ProtectSystem=full\nMemoryDenyWriteExecute=yes\n"))

    def test_doctor_knows_every_system_call_of_the_recorder(self):
        backend = self.place.echo_backend()
        for number, program in enumerate((Socat, Haproxy)):
            traced = [find_program("strace"), "-ff", "-o", self.place.path(f"strace-{number}")]
            self.place.start(program(backend), prefix=traced)
        for host in self.place.hosts:
            self.place.client(host).says(os.urandom(100_000)).close()
        self.place.ended_trail()
        made = set()
        for name in os.listdir(self.place.folder):
            if not name.startswith("strace-"):
                continue
            with open(self.place.path(name), errors="replace") as file:
                _, start, calls = file.read().partition('/sidrec-recorder", [')
            made |= set(re.findall(r"^([a-z_0-9]+)\(", calls, re.M))
        self.assertIn("epoll_wait", made)
        filtered = f"[Service]\nExecStart={find_program('socat')}\nSystemCallFilter=~{' '.join(sorted(made))}\n"
        verdict = self.fails("SystemCallFilter", "denies", *self.unit("denied.service", filtered))
        denied = set(re.findall(r"[a-z_0-9]+", re.search("denies ([^.]*)", verdict.text("SystemCallFilter"))[1]))
        always = made - denied
        self.assertLessEqual(always, ALWAYS_ALLOWED, "calls that recorder/cli/system_call_filter.cpp does not know")


# systemd's @default, as far as a recorder makes them (systemd-analyze syscall-filter @default)
ALWAYS_ALLOWED = set(
    "arch_prctl brk clock_gettime clock_nanosleep execve exit exit_group futex geteuid getegid getuid getgid getpid gettid "
    "getrandom membarrier mmap mprotect munmap prlimit64 restart_syscall rseq rt_sigreturn sched_yield "
    "set_robust_list set_tid_address".split()
)
