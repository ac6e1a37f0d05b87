"""Makes a file like store-1.json: `python -m tests.golden FILE`. Everything in it is made up, and the same each time
but for fences.
"""

from __future__ import annotations

import json
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

from redis import Redis

from aitrain.domain.admission import Site, admit
from aitrain.domain.billing import Policy
from aitrain.domain.budget import Budget, BudgetRule
from aitrain.domain.datastore import DataStoreEntry
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.job import Direction
from aitrain.domain.placement import place
from aitrain.domain.quota import OverQuota, QuotaKind
from aitrain.domain.retry import Again
from aitrain.domain.sealing import SecretKind, purpose
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, InfoCode, State
from aitrain.sealing import data_store_text
from aitrain.settings import DataStore
from aitrain.store import HostTiming, Lease, Store
from aitrain.vault import PrivateKey, new_key
from tests.golden import NAMESPACE, dump
from workers.scratch.servers import RedisServer

# 2027-01-10 00:00 UTC
BEGIN_MS = 1_799_539_200_000
TIMING = HostTiming(30_000, 150_000)
SITE = Site(BUILT_IN, {"s3", "mine"}, 604_800, 2_419_200, platform_retries=3, warning_s=60)
FULL = {
    "image": "registry.example/team/trainer:1", "command": ["python", "train.py"], "env": {"EPOCHS": "3"},
    "volumes": ["data@s3/in:/in:ro:cache", "results@mine/out:/out:rwd"], "timeout": 3600, "auto_restart": True,
    "max_retries": 2, "retry_exit_codes": [3], "platform_retries": 1, "on_host_loss": "fail", "warning_seconds": 30,
    "warning_signal": "SIGUSR2", "priority": 70, "labels": {"team": "vision"}, "user": "ada",
}  # fmt: skip


class Story:
    """What happened in the store that is kept."""

    def __init__(self, store: Store) -> None:
        self.store, self.made = store, 0

    def submit(self, name: str, **fields: object) -> str:
        """A job; its id says how many there were before."""
        self.made += 1
        job_id = f"00000000-0000-7000-8000-{self.made:012d}"
        spec = JobSpec.of(**{"image": "busybox:latest", "resources": {"cpu": 1}, "name": name, **fields})  # type: ignore[arg-type]
        self.store.submit(job_id, admit(spec, SITE))
        return job_id

    def placed(self, name: str, **fields: object) -> str:
        """INITIALIZING."""
        job_id = self.submit(name, **fields)
        for one in place(self.store.placement_view()).assignments:
            self.store.assign(one)
        return job_id

    def move(self, job_id: str, *states: State, **told: object) -> str:
        """Through the states; told: with the last move."""
        for state in states:
            with_ = told if state is states[-1] else {}
            assert self.store.transition(job_id, self.store.get(job_id).fence, state, **with_).moved  # type: ignore[arg-type]
        return job_id

    def running(self, name: str, **fields: object) -> str:
        """RUNNING, its container known."""
        facts = {"started_ms": BEGIN_MS, "image_id": "sha256:" + "e" * 64, "image_digest": "sha256:" + "d" * 64}
        return self.move(self.placed(name, **fields), State.PENDING, State.RUNNING, ran_ms=0, fields=facts)

    def tell(self) -> None:
        """All of it."""
        store = self.store
        self._site()
        store.join_host("h1", instance="m1", units={"cpu": [str(n) for n in range(16)], "v100s": ["g0", "g1"]},
                        max_jobs=20, timing=TIMING, faults={"v100s": {"g1": "fell off the bus"}})  # fmt: skip
        self.move(self.running("done"), State.FINALIZING, cause=EndCause.COMPLETED, fields={"exit_code": 0})
        self.move("00000000-0000-7000-8000-000000000001", State.DONE)
        failed = self.running("failed", **FULL, resources={"gpu": 1})  # type: ignore[arg-type]
        self.move(failed, State.FINALIZING, cause=EndCause.EXIT_CODE, fields={"exit_code": 3})
        self.move(failed, State.QUEUED, again=Again.OWN, pause_ms=3_600_000, message="tried again")
        broken = self.move(self.running("error"), State.FINALIZING, cause=EndCause.COMPLETED, fields={"exit_code": 0})
        self.move(broken, State.ERROR, code=InfoCode.JOB_SYNC_FAILED, message="not pushed", keep_ms=0)
        bad = self.placed("bad-image")
        self.move(bad, State.PENDING)
        self.move(
            bad, State.FAILED, code=InfoCode.JOB_IMAGE_PULL, cause=EndCause.IMAGE_REFUSED, message="no such image"
        )
        store.stop(self.submit("interrupted", project="red"), "stopped by ada")
        store.delete(
            self.move(self.placed("deleted"), State.FAILED, cause=EndCause.DATA_FAULT), force=False, message=""
        )
        self.move(self.running("finalizing"), State.FINALIZING, cause=EndCause.COMPLETED, fields={"exit_code": 0})
        self.move(self.running("timeout"), State.TIMEOUT)
        store.stop(self.running("interrupting"), "stopped by ada")
        running = self.running("running")
        fence = store.get(running).fence
        lease = Lease(running, fence, State.RUNNING, "worker-1")
        assert store.begin_step(lease, 15_000, "h1", "m1").job is not None
        store.hand_over(lease)
        store.append_log(running, fence, first=0, lines=[b"2027-01-10T00:00:01.1Z stdout F up"], ring_bytes=4096)
        store.order_copy(running, Direction.PUSH, mount_path="", dry_run=False, by="ada")
        self.move(self.placed("pending"), State.PENDING)
        self.placed("initializing")
        self.submit("queued", resources={"gpu": 4})
        self.submit("held", project="blue")
        store.cordon("h1", "v100s/g0", by="ada", reason="fan")
        store.tick_billing(100)
        store.sweep_done("bill_minutes", BEGIN_MS)

    def _site(self) -> None:
        store = self.store
        store.set_billing(Policy.RUNNING, {"cpu": Decimal("0.10"), "v100s": Decimal("2.00")})
        store.signing()
        store.set_quota("blue", QuotaKind.CPU, 0)
        store.set_over_quota("blue", OverQuota.HOLD)
        store.set_timeout_limit("red", 86_400)
        store.set_budget(Budget(project="red", amount=Decimal(500), rule=BudgetRule.RESERVE))
        keys = DataStore(endpoint_url="https://s3.example", region="gra", access_key_id="golden", secret_access_key="x")
        entry = DataStoreEntry(
            project="default", alias="mine", endpoint_url="https://s3.example", region="gra", access_key_id="gol***",
            checked=True, revision="r1", added_ms=0,
        )  # fmt: skip
        sealer = PrivateKey.of(new_key()).sealer
        token = sealer.seal(purpose(SecretKind.DATA_STORE, "default", "mine"), data_store_text(keys))
        store.put_data_store(entry, token)


def main(file: Path) -> None:
    """Makes the file."""
    with tempfile.TemporaryDirectory() as directory, RedisServer(Path(directory)) as server:
        now = iter(range(BEGIN_MS, BEGIN_MS + 10**9, 250))
        store = Store(server.url, namespace=NAMESPACE, clock_ms=lambda: next(now))
        Story(store).tell()
        held = dump(Redis.from_url(server.url, decode_responses=True))
    file.write_text("".join(["{\n", ",\n".join(f"{json.dumps(n)}: {json.dumps(v)}" for n, v in held.items()), "\n}\n"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
