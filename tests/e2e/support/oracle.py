"""The trail holds exactly what the clients know to have sent and received, connection by connection."""


def first_difference(found, expected):
    for offset, (one, other) in enumerate(zip(found, expected)):
        if one != other:
            return offset
    return min(len(found), len(expected))


def expect_exactly(trail, lines, host=None):
    """`lines`: the client's sides (address, sent, received). Nothing missing, nothing different, nothing more."""
    expected = {line.address: {"in": line.sent, "out": line.received} for line in lines}
    found = {connection.client: connection for connection in trail.connections.values()}
    assert len(expected) == len(lines) and len(found) == len(trail.connections), "client addresses are not unique"
    assert found.keys() == expected.keys(), (
        f"missing: {sorted(expected.keys() - found.keys())}, not ours: {sorted(found.keys() - expected.keys())}"
    )
    for address, streams in expected.items():
        for direction, data in streams.items():
            recorded = found[address].bytes[direction]
            if recorded != data:
                at = first_difference(recorded, data)
                raise AssertionError(
                    f"{address} {direction}: {len(recorded)} bytes instead of {len(data)}, different from {at} on: "
                    f"{bytes(recorded[at : at + 40])!r} instead of {bytes(data[at : at + 40])!r}"
                )
    for connection in found.values():
        assert not trail.gaps, f"gaps: {trail.gaps[:5]}"
        if host:
            seen = (connection.program, connection.server)
            assert seen == (host.program, ("127.0.0.1", host.port)), f"recorded as {seen}, expected {host.program}"
