"""A victim's statement of what it did, and the comparison of trails with it."""

import collections

Stated = collections.namedtuple("Stated", "client_ip client_port server_port via inward outward gaps")


def stated(connection):
    """The facts of a connection as a victim states them, comparable with recorded()."""
    gaps = tuple(sorted((gap["dir"], gap["off"], gap["len"], gap["why"]) for gap in connection["gaps"]))
    return Stated(connection["client_ip"], connection["client_port"], connection["server_port"], connection["via"],
                  connection["in"], connection["out"], gaps)


def recorded(connection):
    """The same facts as a trail holds them."""
    opened = connection.opened
    gaps = tuple(sorted((direction, off, length, why)
                        for direction, stream in connection.streams.items() for off, length, why in stream.gaps))
    return Stated(opened["client_ip"], opened["client_port"], opened["server_port"], opened["via"],
                  connection.streams["in"].bytes.hex(), connection.streams["out"].bytes.hex(), gaps)


def without_ports(statement):
    """What must be the same in every run: threads may finish in another order, and ports are the kernel's choice."""
    rows = []
    for connection in statement["connections"]:
        row = {key: value for key, value in connection.items() if not key.endswith("_port")}
        row["ends_before"] = len(row["ends_before"])
        rows.append(sorted(row.items(), key=str))
    return sorted(rows, key=str), statement["observed"], statement["failures"]


def differences(statement, sessions):
    """Sentences about what the trails hold other than the victim stated; none when they agree."""
    found = []
    connections = [connection for session in sessions for connection in session.connections.values()]
    want = collections.Counter(stated(connection) for connection in statement["connections"])
    have = collections.Counter(recorded(connection) for connection in connections)
    missing, extra = list((want - have).elements()), list((have - want).elements())
    for lost in missing:
        near = next((other for other in extra if other.client_port == lost.client_port), None)
        if near is None:
            found.append(f"not recorded: {brief(lost)}")
            continue
        extra.remove(near)
        for field in Stated._fields:
            if getattr(lost, field) != getattr(near, field):
                found.append(f"client port {lost.client_port}: {unlike(field, getattr(lost, field), getattr(near, field))}")
    found += [f"recorded, but not the victim's: {brief(other)}" for other in extra]
    if not found:
        found += completeness(statement, connections) + order(statement, sessions)
    return found


def unlike(field, want, have):
    if field not in ("inward", "outward"):
        return f"{field}: stated {want}, recorded {have}"
    at = next((i for i, pair in enumerate(zip(want, have)) if pair[0] != pair[1]), min(len(want), len(have))) // 2
    return (f"{field}: stated {len(want) // 2} bytes, recorded {len(have) // 2}, the first difference at {at}: "
            f"{bytes.fromhex(want[at * 2:at * 2 + 40])!r} and {bytes.fromhex(have[at * 2:at * 2 + 40])!r}")


def brief(connection):
    return str(connection._replace(inward=connection.inward[:60], outward=connection.outward[:60]))


def completeness(statement, connections):
    allowed = {"true": (True,), "false": (False,), "unknown": (True, None)}
    by_fact = collections.defaultdict(list)
    for connection in connections:
        by_fact[recorded(connection)].append(connection)
    found = []
    for connection in statement["connections"]:
        close = by_fact[stated(connection)].pop().closed
        if close["complete"] not in allowed[connection["complete"]]:
            found.append(f"client port {connection['client_port']}: complete is {close['complete']}, "
                         f"expected {connection['complete']}: {close}")
    return found


def order(statement, sessions):
    by_port = {c.opened["client_port"]: (number, c)
               for number, session in enumerate(sessions) for c in session.connections.values()}
    found = []
    for connection in statement["connections"]:
        session, ended = by_port[connection["client_port"]]
        for port in connection["ends_before"]:
            later_session, later = by_port[port]
            if session == later_session and ended.closed["seq"] > later.first_bytes_seq:
                found.append(f"client port {ended.opened['client_port']} ends after the first bytes of {port}")
    return found
