"""At full speed, half of it up and half of it down: recorded byte for byte, or the gaps say what is not."""

import os
import signal
import time

from support.bulk import BulkBackend, BulkCheck, Stream, transfer
from support.stock_programs import Haproxy, Socat
from support.workplace import EndToEnd

MIB = 1024 * 1024
TOTAL = int(os.environ.get("SIDREC_BULK_MIB", "1024")) * MIB
IN_FULL_FLOW = 128 * MIB


class Bulk(EndToEnd):
    on_disk = True

    def test_bulk_through_haproxy_is_recorded_without_a_gap(self):
        self.bulk_is_recorded_without_a_gap(Haproxy)

    def test_bulk_through_socat_is_recorded_without_a_gap(self):
        self.bulk_is_recorded_without_a_gap(Socat)

    def test_bulk_through_a_slave_is_held_to_its_masters_pace_and_loses_nothing(self):
        self.place.settings |= {"spool_bytes": MIB, "fold": "none"}
        first = self.place.client(self.place.start(Haproxy(self.place.echo_backend())))
        self.place.recorded(first)
        self.bulk_is_recorded_without_a_gap(Socat, IN_FULL_FLOW, first)

    def test_behind_a_stopped_master_an_impatient_host_goes_on_and_gaps_say_what_is_missing(self):
        self.place.settings |= {"spool_bytes": MIB, "fold": "none", "patience_ms": 100}
        first = self.place.client(self.place.start(Haproxy(self.place.echo_backend())))
        self.place.recorded(first)
        half, upload, download = 16 * MIB, Stream(1, text=True), Stream(2, text=False)
        backend = BulkBackend(upload, download, half)
        master = self.place.master().pid
        os.kill(master, signal.SIGSTOP)
        try:
            client = transfer(self.place.start(Socat(backend.port)).port, upload, download, half)
            backend.finish()
        finally:
            os.kill(master, signal.SIGCONT)
        first.close()
        check = BulkCheck(upload, download)
        (trail,) = self.place.ended_trails("demo", seconds=120, take=check.take)
        connection = trail.connection_of(client)
        missing = {way: sum(gap["len"] for gap in trail.gaps if gap["dir"] == way) for way in ("in", "out")}
        self.assertGreater(sum(missing.values()), 0, "a spool of 1 MiB has held 32")
        self.assertLessEqual({gap["why"] for gap in trail.gaps}, {"overflow", "spool-full"})
        self.assertEqual({way: check.seen[way] + missing[way] for way in missing}, {"in": half, "out": half})
        self.assertEqual((connection.offset["in"], connection.offset["out"]), (half, half))
        self.assertIs(connection.close["complete"], False)

    def bulk_is_recorded_without_a_gap(self, program, total=TOTAL, first=None):
        half, upload, download = total // 2, Stream(1, text=True), Stream(2, text=False)
        backend = BulkBackend(upload, download, half)
        host = self.place.start(program(backend.port))
        started = time.monotonic()
        client = transfer(host.port, upload, download, half)
        backend.finish()
        took = time.monotonic() - started
        print(f"{program.program}: {total // MIB} MiB in {took:.1f} s, {total / MIB / took:.0f} MiB/s")

        if first:
            first.close()
        check = BulkCheck(upload, download)
        (trail,) = self.place.ended_trails("demo", seconds=120, take=check.take)
        connection = trail.connection_of(client)
        self.assertEqual((len(trail.connections), trail.gaps), (1 + bool(first), []))
        self.assertEqual((check.seen, connection.offset), ({"in": half, "out": half},) * 2)
