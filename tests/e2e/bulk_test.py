"""At full speed, half of it up and half of it down: recorded without a gap, byte for byte."""

import os
import time

from support.bulk import BulkBackend, BulkCheck, Stream, transfer
from support.stock_programs import Haproxy, Socat
from support.workplace import EndToEnd

MIB = 1024 * 1024
TOTAL = int(os.environ.get("SIDREC_BULK_MIB", "1024")) * MIB


class Bulk(EndToEnd):
    on_disk = True

    def test_bulk_through_haproxy_is_recorded_without_a_gap(self):
        self.bulk_is_recorded_without_a_gap(Haproxy)

    def test_bulk_through_socat_is_recorded_without_a_gap(self):
        self.bulk_is_recorded_without_a_gap(Socat)

    def bulk_is_recorded_without_a_gap(self, program):
        half, upload, download = TOTAL // 2, Stream(1, text=True), Stream(2, text=False)
        backend = BulkBackend(upload, download, half)
        host = self.place.start(program(backend.port))
        started = time.monotonic()
        client = transfer(host.port, upload, download, half)
        backend.finish()
        took = time.monotonic() - started
        print(f"{program.program}: {TOTAL // MIB} MiB in {took:.1f} s, {TOTAL / MIB / took:.0f} MiB/s")

        check = BulkCheck(upload, download)
        (trail,) = self.place.ended_trails("demo", seconds=120, take=check.take)
        connection = trail.connection_of(client)
        self.assertEqual((len(trail.connections), trail.gaps), (1, []))
        self.assertEqual((check.seen, connection.offset), ({"in": half, "out": half},) * 2)
