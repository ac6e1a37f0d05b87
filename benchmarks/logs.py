"""A long log, compared with what its job wrote, though the agent that reads it is killed again and again."""

from __future__ import annotations

import resource
import time

from aitrain import submit_job
from aitrain.domain.logs import NOTICE
from benchmarks.bench import Bench
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import wait_until

LINES, KILLS = 1_000_000, 10
# As long as a line of a training log.
TEXT = "step {} loss 0.12345 lr 0.0003 tokens/s 123456 elapsed 00:12:34"
# It writes as fast as it can, and rests between bursts, so that every agent meets a log that grows.
SCRIPT = (
    'BEGIN {{ for (i = 0; i < {lines}; i++) {{ print "{text}"; '
    'if (i % {burst} == 0) {{ fflush(); system("sleep 2") }} }} }}'
)


def run(bench: Bench) -> None:
    """A million lines from one job, the agent killed ten times: every line once, in order, and what that costs."""
    lines = max(KILLS, int(LINES * bench.scale))
    script = SCRIPT.format(lines=lines, text=TEXT.format('" i "'), burst=max(1, lines // (2 * KILLS)))
    site = bench.site(logs={"container": "bench-logs@s3"})
    agent = site.host("bench", {"cpu": 1}, bench.engine.url, "agent")
    with (
        site.client() as client,
        site.control(),
        site.host("bench", {"cpu": 1}, bench.engine.url, "worker"),
    ):
        spent_s, began = _children_s(), time.monotonic()
        job, had = submit_job(BUSYBOX_IMAGE, ["busybox", "awk", script], cpu=1, client=client), 0
        for _ in range(KILLS):
            with agent.another() as killed:
                wait_until(
                    lambda had=had: client._store.log_state(job.id, 1).next > had,
                    120,
                    lambda: "no line came",  # type: ignore[misc]
                )
                killed.kill()
            had = client._store.log_state(job.id, 1).next
        with agent.another():
            ended = client.wait(job.id, timeout=600)
            written_s = time.monotonic() - began
            wait_until(
                lambda: sum(count for _, count in client._store.log_state(job.id, 1).chunks) >= lines, 300,
                lambda: "the log is not in the object store",
            )  # fmt: skip
            kept_s = time.monotonic() - began
        agents_s, began = _children_s() - spent_s, time.monotonic()
        wrong = notices = number = 0
        for line in client.logs(job.id):
            if line.stream == NOTICE:
                notices += 1
                continue
            wrong += line.text != TEXT.format(number)
            number += 1
        read_s = time.monotonic() - began
    print(f"  {ended.state}: {number} lines of {lines}, {wrong} of them not as written, {notices} notices")
    print(f"  written and ended after {written_s:.1f} s, all in the object store after {kept_s:.1f} s")
    print(f"  {KILLS + 1} agents took {agents_s:.1f} s of processor time; reading it again took {read_s:.1f} s")


def _children_s() -> float:
    """Processor time of all processes that were ended and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
