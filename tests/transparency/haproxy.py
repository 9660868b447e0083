"""haproxy's reg-tests, from its source package, against Debian's haproxy; Debian's varnishtest stands in for vtest."""

import os
import re
import subprocess

from compare import Suite
from one_run import Cannot
from sources import source

HAPROXY = "/usr/sbin/haproxy"
TYPES = ("default", "bug", "devel", "slow")  # those that its own run-regtests.sh runs
OUTCOMES = {0: "ok", 77: "skipped", None: "time limit"}


class Haproxy(Suite):
    name = "haproxy"
    what = "haproxy's reg-tests"
    quick = ()
    limit_s = 60

    def prepare(self):
        for program in (HAPROXY, "/usr/bin/varnishtest"):
            if not os.access(program, os.X_OK):
                raise Cannot(f"{program} is not installed", missing=True)
        self.tree = source(self.place.store, "haproxy")
        about = subprocess.run([HAPROXY, "-vv"], capture_output=True, text=True, check=True).stdout
        (services,) = re.findall(r"^Available services : (.*)$", about, re.MULTILINE)
        self.features = {*re.findall(r"\+(\w+)", about), *services.split()}

    def parts(self):
        found = []
        for folder, _, names in os.walk(os.path.join(self.tree, "reg-tests")):
            found += [os.path.relpath(os.path.join(folder, name), self.tree) for name in names if name.endswith(".vtc")]
        return sorted(part for part in found if self.is_for_this_haproxy(part))

    def is_for_this_haproxy(self, part):
        with open(os.path.join(self.tree, part), errors="replace") as file:
            says = dict(re.findall(r"^#([A-Z_]+)=([^\n]*)$", file.read(), re.MULTILINE))
        needs = [says.get(key, "").split(",") for key in ("REQUIRE_OPTIONS", "REQUIRE_SERVICES")]
        needs += [says.get(key, "").split(",")[:1] for key in ("REQUIRE_OPTION", "REQUIRE_SERVICE")]
        return says.get("REGTEST_TYPE", "default") in TYPES and all(
            self.features & set(one.strip().split("|")) for each in needs for one in each if one.strip())  # fmt: skip

    def run(self, part, run):
        recording = " ".join(f"{name}='{value}'" for name, value in run.recording().items())
        program = run.write("haproxy", f'#!/bin/sh\nexec env {recording} {HAPROXY} "$@"\n', 0o755)
        environment = {"HAPROXY_PROGRAM": program, "HAPROXY_ARGS": "-dM"}
        command = ["varnishtest", "-b", "2097152", "-k", "-t", "30", "-v", part]
        code = run.execute(command, environment, self.tree, self.limit_s)
        return {part: OUTCOMES.get(code, f"failed ({code})")}
