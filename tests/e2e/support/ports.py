"""TCP ports for listeners that other programs open.

They lie below the range the kernel takes clients' ports from (ip_local_port_range), so no client can take one in
between. Against a second test at the same moment, each choice is held by an abstract unix socket of the same number,
which the kernel frees with this process (unix(7)).
"""

import random
import socket

FIRST, LAST = 20000, 32000
_held = []
_random = random.SystemRandom()


def free_port():
    for _ in range(1000):
        port = _random.randrange(FIRST, LAST)
        hold = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            hold.bind(f"\0sidrec-e2e-port-{port}")
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            hold.close()
            continue
        _held.append(hold)
        return port
    raise RuntimeError(f"no free port between {FIRST} and {LAST}")


def is_listening(port):
    """Asks the kernel's table, since a connection would be a recorded one."""
    return bool(listener_inodes(port))


def listener_inodes(port):
    wanted, inodes = f"{port:04X}", []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as lines:
                for line in lines:
                    columns = line.split()
                    if columns[3] == "0A" and columns[1].endswith(":" + wanted):
                        inodes.append(int(columns[9]))
        except FileNotFoundError:
            pass
    return inodes
