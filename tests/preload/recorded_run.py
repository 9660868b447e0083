"""Running a program with the shim in a place of its own, and waiting until its recording has ended.

The build folder comes by SIDREC_BUILD_DIR, as ctest sets it.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import trail

BUILD = Path(os.environ["SIDREC_BUILD_DIR"])
SHIM = BUILD / "libsidrec.so"
RECORDER = BUILD / "sidrec-recorder"
VICTIMS = BUILD / "victims"
FIRST_LIBRARY = os.environ.get("SIDREC_FIRST_LIBRARY")  # a sanitizer's runtime
VICTIM_S = 18  # a victim that takes longer hangs
TRAIL_S = 20  # from the victim's end to the end of its recording
POLL_S = 0.01


def bare_environment():
    return {key: value for key, value in os.environ.items() if not key.startswith(("SIDREC_", "LD_"))}


def run(command, environment, **options):
    """The finished process: returncode, stdout and stderr, up to the end of its last descendant that holds them."""
    return subprocess.run([str(part) for part in command], env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=VICTIM_S, start_new_session=True, check=False, **options)


def preloaded(shim):
    """What LD_PRELOAD must be: the runtime of a sanitizer insists on being the first."""
    return f"{FIRST_LIBRARY}:{shim}" if FIRST_LIBRARY else str(shim)


class Place:
    """Directories of one recorded run. Use with `with`: they are gone afterwards."""

    def __init__(self, shim=SHIM, **settings):
        self.shim = shim
        self.settings = {"linger_ms": 200, "spare_ms": 0, **settings}
        if FIRST_LIBRARY:  # the recorder is slow, so the ring must hold what it is behind
            self.settings["ring_kib"] = 16 * 1024

    def __enter__(self):
        self.base = Path(tempfile.mkdtemp(prefix="sidrec-preload-", dir="/dev/shm"))
        self.base.chmod(0o755)
        self.audit_dir, self.run_dir = self.base / "audit", self.base / "run"
        (self.base / "config.json").write_text(json.dumps(self.settings))
        return self

    def __exit__(self, *_):
        deadline = time.monotonic() + TRAIL_S
        while self.base.exists() and time.monotonic() < deadline:  # a recorder may be writing its last
            shutil.rmtree(self.base, ignore_errors=True)
            time.sleep(POLL_S)

    def replace_recorder(self, script):
        """The shim finds its recorder beside itself: there is a shell script of that name now, or none (None)."""
        self.shim = self.base / "instead" / SHIM.name
        self.shim.parent.mkdir()
        shutil.copy2(SHIM, self.shim)
        if script is not None:
            recorder = self.shim.parent / RECORDER.name
            recorder.write_text(f"#!/bin/sh\n{script}\n")
            recorder.chmod(0o755)

    def shim_environment(self):
        """What the shim adds to an environment."""
        return {"LD_PRELOAD": preloaded(self.shim), "SIDREC_SID": "victim", "SIDREC_AUDIT_DIR": str(self.audit_dir),
                "SIDREC_RUN_DIR": str(self.run_dir), "SIDREC_CONFIG": str(self.base / "config.json")}

    def environment(self):
        return {**bare_environment(), **self.shim_environment()}

    def await_sessions(self, connections):
        """The sessions, once they have ended, hold `connections` connections, and no ring is left."""
        deadline = time.monotonic() + TRAIL_S
        while time.monotonic() < deadline and not self.is_finished(connections):
            time.sleep(POLL_S)
        return [trail.Session(path.read_bytes()) for path in trail.files(self.audit_dir)]

    def is_finished(self, connections):
        if not self.run_dir.exists():
            return connections == 0
        files = trail.files(self.audit_dir)
        if any(self.run_dir.glob("rings/*")) or not all(trail.has_ended(path) for path in files):
            return False
        return sum(path.read_bytes().count(b'"ev":"conn.close"') for path in files) >= connections

    def evidence(self):
        """For a failure's message: the ends of what was written."""
        parts = []
        for path in trail.files(self.audit_dir) + sorted(self.run_dir.glob("**/*")):
            if path.is_file() and path.suffix in (".jsonl", ".log"):
                lines = path.read_text(errors="replace").splitlines()[-25:]
                parts.append(f"--- {path.relative_to(self.base)}\n" + "\n".join(line[:400] for line in lines))
            else:
                parts.append(f"--- {path.relative_to(self.base)}")
        return "\n".join(parts)
