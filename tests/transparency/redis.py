"""redis's own tests (`runtest --host`), from its source package, against Debian's redis-server."""

import os
import re

from compare import Suite
from one_run import Cannot
from sources import source

PORT = 6379
RESULT = re.compile(r"^\[(ok|err|exception|timeout|ignore|skip)\]: (.*?)(?: \(\d+ ms\))?$", re.MULTILINE)
WORDS = {"err": "failed", "exception": "failed", "timeout": "time limit", "ignore": "skipped", "skip": "skipped"}
# The server is recorded, its clients are not.
SERVER_AND_TESTS = """\
env $RECORDING redis-server --port $PORT --dir "$1" --enable-debug-command yes --enable-protected-configs yes \\
  --enable-module-command yes --save '' >"$1/server.log" 2>&1 &
until redis-cli -p $PORT ping >/dev/null 2>&1; do kill -0 $! || exit 99; sleep 0.05; done
tclsh tests/test_helper.tcl --host 127.0.0.1 --port $PORT --single "$2" --tags -needs:repl
code=$?
kill $!
wait $! || code=98
exit $code
"""


class Redis(Suite):
    name = "redis"
    what = "redis's tests against a running server"
    quick = ()

    def prepare(self):
        for program in ("redis-server", "redis-cli", "tclsh"):
            if not os.access(f"/usr/bin/{program}", os.X_OK):
                raise Cannot(f"{program} is not installed", missing=True)
        self.tree = source(self.place.store, "redis")

    def parts(self):
        with open(os.path.join(self.tree, "tests/test_helper.tcl")) as file:
            (listed,) = re.findall(r"^set ::all_tests \{(.*?)^\}", file.read(), re.MULTILINE | re.DOTALL)
        return [name for name in listed.split() if name.startswith("unit/")]

    def run(self, part, run):
        tree = run.path("tree")
        os.makedirs(tree + "/src")
        os.makedirs(tree + "/tests")
        for name in os.listdir(self.tree + "/tests"):
            if name != "tmp":
                os.symlink(f"{self.tree}/tests/{name}", f"{tree}/tests/{name}")
        os.makedirs(tree + "/tests/tmp")
        for program in ("redis-server", "redis-cli", "redis-benchmark"):
            os.symlink(f"/usr/bin/{program}", f"{tree}/src/{program}")
        server = run.path("server")
        os.makedirs(server)
        recording = " ".join(f"{name}={value}" for name, value in run.recording().items())
        code = run.execute(["sh", "-c", SERVER_AND_TESTS, "sh", server, part],
                           {"RECORDING": recording, "PORT": str(PORT)}, tree, self.limit_s)  # fmt: skip
        outcomes = {f"{part}: {name}": WORDS.get(word, word) for word, name in RESULT.findall(run.output)}
        outcomes[part] = {0: "ok", None: "time limit"}.get(code, f"failed ({code})")
        return outcomes
