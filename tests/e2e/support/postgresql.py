"""A PostgreSQL server of its own, and many psql at once, each of which knows what it must print."""

import asyncio
import random
import subprocess

from .accounts import as_user
from .host import Host, find_program
from .traffic import DEADLINE_S

PROGRAMS = "/usr/lib/postgresql/15/bin"
LETTERS = "abcdefgh '\\\"%{}$ äß€漢😀"


class Postgresql(Host):
    program = "postgres"
    folders = (PROGRAMS,)
    starts_as = "postgres"
    stop_signal = 2  # ends its clients: "fast"

    def prepare(self):
        initdb = [find_program("initdb", self.folders), "-D", self.path("data"), "-A", "trust", "-N",
                  "-E", "UTF8", "--no-locale"]  # fmt: skip
        subprocess.run(initdb, check=True, capture_output=True, cwd="/", **as_user(self.starts_as))

    def arguments(self):
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        return ["-D", self.path("data"), *(f"--{name}={value}" for name, value in options.items())]


class Psql:
    """One run: several statements of random sizes, and the one output that they must have."""

    def __init__(self, number, seed, largest):
        dice = random.Random(f"{seed} {number}")
        self.script, self.output = "", ""
        for step in range(dice.randint(1, 4)):
            size = largest if number == step == 0 else int(2 ** dice.uniform(0, largest.bit_length() - 1))
            word = "".join(dice.choices(LETTERS, k=size))
            times = dice.randint(1, 3)
            quoted = word.replace("'", "''")
            self.script += f"select repeat('{quoted}', {times});\n"
            self.output += word * times + "\n"


def run_psql(host, count, seed, largest=128 * 1024):
    """`host`: a server that knows the user and password of `host`. Each psql prints what it must, or it raises."""
    program = find_program("psql")
    environment = {"PGPASSWORD": host.password, "PGSSLMODE": "prefer", "PGCLIENTENCODING": "UTF8", "LC_ALL": "C.UTF-8"}

    async def one(psql):
        process = await asyncio.create_subprocess_exec(
            program, "-h", "127.0.0.1", "-p", str(host.port), "-U", host.drops_to, "-d", "postgres", "-XAtq",
            "-v", "ON_ERROR_STOP=1", env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)  # fmt: skip
        out, err = await process.communicate(psql.script.encode())
        assert (process.returncode, err) == (0, b""), f"psql ended with {process.returncode}: {err.decode()[:500]}"
        assert out.decode() == psql.output, "psql printed something else than expected"

    async def everything():
        await asyncio.gather(*(one(Psql(number, seed, largest)) for number in range(count)))

    asyncio.run(asyncio.wait_for(everything(), DEADLINE_S))
