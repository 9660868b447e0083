"""The trail holds exactly what the clients know to have sent and received, connection by connection."""


def first_difference(found, expected):
    for offset, (one, other) in enumerate(zip(found, expected)):
        if one != other:
            return offset
    return min(len(found), len(expected))


def spans(gaps, connection, direction):
    """[(offset, length)] of what is not there, what follows at once as one."""
    joined = []
    for gap in gaps:
        if (gap["conn"], gap["dir"]) != (connection.id, direction):
            continue
        if joined and sum(joined[-1]) == gap["off"]:
            joined[-1] = (joined[-1][0], joined[-1][1] + gap["len"])
        else:
            joined.append((gap["off"], gap["len"]))
    return joined


def without(data, unseen):
    kept, position = bytearray(), 0
    for offset, length in unseen:
        kept += data[position:offset]
        position = offset + length
    return kept + data[position:]


def expect_exactly(trail, lines, host=None, unseen=None, or_told_missing=False):
    """`lines`: the client's sides (address, sent, received). Nothing missing, nothing different, nothing more.

    `unseen`: {address: [(offset, length)]} of what the host never saw of what it sent. Those, and no others, are gaps.
    `or_told_missing`: whatever a gap says is missing may be.
    """
    expected = {line.address: {"in": line.sent, "out": line.received} for line in lines}
    found = {connection.client: connection for connection in trail.connections.values()}
    assert len(expected) == len(lines) and len(found) == len(trail.connections), "client addresses are not unique"
    assert found.keys() == expected.keys(), (
        f"missing: {sorted(expected.keys() - found.keys())}, not ours: {sorted(found.keys() - expected.keys())}"
    )
    for address, streams in expected.items():
        for direction, data in streams.items():
            gaps = unseen.get(address, []) if unseen and direction == "out" else []
            there = spans(trail.gaps, found[address], direction)
            if or_told_missing:
                gaps = there
            assert there == gaps, f"{address} {direction}: gaps {there[:5]}, expected {gaps[:5]}"
            data = without(data, gaps)
            recorded = found[address].bytes[direction]
            if recorded != data:
                at = first_difference(recorded, data)
                raise AssertionError(
                    f"{address} {direction}: {len(recorded)} bytes instead of {len(data)}, different from {at} on: "
                    f"{bytes(recorded[at : at + 40])!r} instead of {bytes(data[at : at + 40])!r}"
                )
    if host:
        for connection in found.values():
            seen = (connection.program, connection.server)
            assert seen == (host.program, ("127.0.0.1", host.port)), f"recorded as {seen}, expected {host.program}"
