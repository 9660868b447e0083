"""What the recording costs, against the same program without it: interleaved rounds, median and spread."""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from support.ports import free_port  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("SIDREC_BUILD", os.path.join(ROOT, "build", "release"))
TICK = os.sysconf("SC_CLK_TCK")


class Place:
    """A temporary home: run directory in memory, trails on disk or in memory."""

    def __init__(self):
        parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.path = tempfile.mkdtemp(prefix="sidrec-bench.", dir=parent)
        self.config = os.path.join(self.path, "config.json")
        with open(self.config, "w") as f:
            f.write('{"linger_ms": 3000}')

    def environment(self, recorded):
        env = dict(os.environ)
        if recorded:
            env.update(LD_PRELOAD=os.path.join(BUILD, "libsidrec.so"), SIDREC_SID="bench", SIDREC_CONFIG=self.config,
                       SIDREC_AUDIT_DIR=os.path.join(self.path, "audit"), SIDREC_RUN_DIR=os.path.join(self.path, "run"))
        return env

    def recorders(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    line = f.read()
            except OSError:
                continue
            if b"sidrec-recorder" in line and self.path.encode() in line:
                found.append(int(pid))
        return found

    def wipe(self):
        deadline = time.monotonic() + 20
        while self.recorders() and time.monotonic() < deadline:
            time.sleep(0.05)
        shutil.rmtree(os.path.join(self.path, "audit"), ignore_errors=True)

    def close(self):
        self.wipe()
        shutil.rmtree(self.path, ignore_errors=True)


def cpu_seconds(pid, with_children):
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(") ", 1)[1].split()
    except OSError:
        return 0.0
    ticks = int(fields[11]) + int(fields[12])
    if with_children:
        ticks += int(fields[13]) + int(fields[14])
    return ticks / TICK


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def wait_for_port(port):
    deadline = time.monotonic() + 10
    wanted = f":{port:04X} 00000000:0000 0A"
    while time.monotonic() < deadline:
        with open("/proc/net/tcp") as f:
            if wanted in f.read():
                return
        time.sleep(0.02)
    raise SystemExit(f"bench: nothing listens on port {port}")


def call_cost(place, size, rounds_of_calls, recorded):
    out = subprocess.run([os.path.join(BUILD, "call_cost"), str(size), str(rounds_of_calls)], check=True,
                         env=place.environment(recorded), capture_output=True, text=True).stdout
    place.wipe()
    return float(out)


def through_proxy(place, proxy, backend, requests, recorded):
    port = free_port()
    if proxy == "haproxy":
        path = os.path.join(place.path, "haproxy.cfg")
        with open(path, "w") as f:
            f.write("global\n  nbthread 2\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n"
                    f"  timeout server 1m\nlisten b\n  bind 127.0.0.1:{port}\n  server r 127.0.0.1:{backend}\n")
        command = ["haproxy", "-db", "-f", path]
    else:
        command = ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr", f"TCP:127.0.0.1:{backend}"]
    host = subprocess.Popen(command, env=place.environment(recorded), stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        out = subprocess.run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-t", "get", "-c", "50",
                              "-n", str(requests), "--csv"], check=True, capture_output=True, text=True).stdout
        time.sleep(0.2)  # the last children end
        cpu = cpu_seconds(host.pid, True) + sum(cpu_seconds(pid, False) for pid in place.recorders())
    finally:
        host.terminate()
        host.wait()
        place.wipe()
    rate = float(out.strip().splitlines()[-1].split(",")[1].strip('"'))
    return rate, cpu / requests * 1e6


def interleaved(label, rounds, measure):
    bare, ours = [], []
    for number in range(rounds):
        progress(f"{label}: round {number + 1} of {rounds}")
        bare.append(measure(False))
        ours.append(measure(True))
    progress("")
    return bare, ours


def row(label, bare, ours, ratio, unit):
    spread = f"{min(ratio):.2f} .. {max(ratio):.2f}"
    print(f"{label:<44}{statistics.median(bare):>12.1f}{statistics.median(ours):>12.1f} {unit:<8}"
          f"{statistics.median(ratio):>8.2f}   {spread}")


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: about a minute")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement (default 7, quick 3)")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 7)
    calls = 100_000 if options.quick else 300_000
    requests = 50_000 if options.quick else 200_000
    place = Place()
    backend = free_port()
    redis = subprocess.Popen(["redis-server", "--port", str(backend), "--bind", "127.0.0.1", "--save", "",
                              "--dir", place.path], stdout=subprocess.DEVNULL)
    try:
        wait_for_port(backend)
        print(f"{rounds} interleaved rounds, medians; the ratio's spread is its smallest and largest round\n")
        print(f"{'':<44}{'bare':>12}{'recorded':>12} {'':<8}{'ratio':>8}   spread")
        for size in (64, 1024, 16384):
            few = calls if size < 16384 else calls // 4
            bare, ours = interleaved(f"{size} bytes a call", rounds, lambda r: call_cost(place, size, few, r))
            row(f"write + read of {size} bytes", bare, ours, [b / a for a, b in zip(bare, ours)], "ns")
            added = [b - a for a, b in zip(bare, ours)]
            print(f"{'  added per captured call':<44}{'':>12}{statistics.median(added):>12.1f} {'ns':<8}{'':>8}   "
                  f"{min(added):.0f} .. {max(added):.0f}")
        for proxy in ("haproxy", "socat"):
            bare, ours = interleaved(proxy, rounds, lambda r: through_proxy(place, proxy, backend, requests, r))
            for name, index, unit in (("requests/s", 0, ""), ("CPU of host and recorders", 1, "us/req")):
                a, b = [x[index] for x in bare], [x[index] for x in ours]
                row(f"redis-benchmark -c 50 through {proxy}: {name}"[:43], a, b, [y / x for x, y in zip(a, b)], unit)
    finally:
        redis.terminate()
        redis.wait()
        place.close()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
