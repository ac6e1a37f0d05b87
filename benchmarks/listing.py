"""Memory of a plan over a container of a million objects, which a fake server lists: here only the number matters."""

from __future__ import annotations

import subprocess
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.bench import Bench
from benchmarks.measured import measured
from workers.datasync import VolumeSync
from workers.scratch.servers import accepts, bound_to_parent, free_port, wait_until

OBJECTS, PAGE = 1_000_000, 1000
ITEM = (
    '<Contents><Key>train/shard-{0:05}/sample-{1:08}.jpg</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>'
    '<ETag>"{1:032x}"</ETag><Size>100000</Size><StorageClass>STANDARD</StorageClass></Contents>'
)  # fmt: skip


def run(bench: Bench) -> None:
    """Peak memory of planning a pull of 1,000,000 objects."""
    if not hasattr(VolumeSync, "preview"):
        print("  this engine cannot plan without copying: VolumeSync has no preview")
        return
    port = free_port()
    server = subprocess.Popen(bound_to_parent([sys.executable, "-m", "benchmarks.listing", str(port)]))
    try:
        wait_until(lambda: accepts(port), 30, lambda: "the fake server did not start")
        command = [sys.executable, "-m", "benchmarks.copies", "aitrain", "plan", f"http://127.0.0.1:{port}"]
        bench.directory.mkdir(parents=True, exist_ok=True)
        keys = {"AWS_ACCESS_KEY_ID": "fake", "AWS_SECRET_ACCESS_KEY": "fake"}
        for name, bucket in (("an empty container", "bucket-0"), (f"{OBJECTS} objects", f"bucket-{OBJECTS}")):
            taken = measured([*command, bucket, str(bench.directory / bucket)], keys)
            print(f"  {name:<24} peak {taken.memory:6.0f} MiB   wall {taken.wall:6.1f} s   cpu {taken.cpu:6.1f} s")
    finally:
        server.terminate()
        server.wait()


class _Lister(BaseHTTPRequestHandler):
    """Lists as many objects as the bucket's name says, in S3's order."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        total = int(path.strip("/").rpartition("-")[2])
        start = int(asked.get("continuation-token", 0))
        end = min(total, start + min(PAGE, int(asked.get("max-keys", PAGE))))
        more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < total else ""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult '
            f'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}'
            + "".join(ITEM.format(number // PAGE, number) for number in range(start, end))
            + "</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Lister).serve_forever()
