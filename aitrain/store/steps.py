"""Steps: leases on their work, and the facts that they find."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from aitrain.domain.job import VolumeProgress
from aitrain.domain.states import State
from aitrain.store.answers import Begun, Lease
from aitrain.store.connection import Connection
from aitrain.store.records import to_job


class Steps(Connection):
    """What a worker says of the steps it is at."""

    def begin_step(self, lease: Lease, ttl_ms: int, host: str, instance: str) -> Begun:
        """Takes the lease on a step's work for a worker of the host, and reads the job (without its history).

        No job in the answer: an old or doubled message, or another worker is at it.
        """
        answer = self._run("begin_step", {**_lease(lease), "ttl_ms": ttl_ms, "host": host, "instance": instance})
        job = to_job(lease.job_id, answer["job"], [], []) if answer["begun"] else None
        state = answer.get("state")
        return Begun(job, State(state) if state else None, int(answer.get("age_ms", 0)))

    def renew_leases(self, leases: Sequence[Lease], ttl_ms: int) -> list[bool]:
        """Renews leases; False for each whose job moved on or that went to another."""
        answer = self._run("renew_leases", {"leases": [_lease(lease) for lease in leases], "ttl_ms": ttl_ms})
        return [bool(kept) for kept in answer]

    def release_lease(self, lease: Lease) -> bool:
        """Gives a lease back before it lapses."""
        arguments = {"id": lease.job_id, "fence": lease.fence, "holder": lease.holder}
        return bool(self._run("release_lease", arguments)["released"])

    def hand_over(self, lease: Lease) -> bool:
        """Gives a RUNNING job into the hands of its host's agent: its monitor step is over."""
        return bool(self._run("hand_over", {"id": lease.job_id, "fence": lease.fence, "holder": lease.holder})["done"])

    def postpone(self, lease: Lease, pause_ms: int, message: str) -> bool:
        """Puts the push of a job's results off: the lease is given back, the message sent again after a pause."""
        arguments = {"id": lease.job_id, "fence": lease.fence, "holder": lease.holder}
        return bool(self._run("postpone", {**arguments, "pause_ms": pause_ms, "message": message})["done"])

    def set_fields(self, job_id: str, fence: str, fields: Mapping[str, str | int]) -> bool:
        """Writes facts of an attempt that are no move; False if the fence is not the current one."""
        values = {name: str(value) for name, value in fields.items()}
        return bool(self._run("set_fields", {"id": job_id, "fence": fence, "fields": values})["written"])

    def set_progress(self, job_id: str, fence: str, progress: Mapping[str, VolumeProgress]) -> bool:
        """Writes how far the copies of an attempt are, by mount path; False if the fence is not the current one."""
        # What is left out is 0; it is kept for every job.
        told = {path: now.model_dump(exclude_defaults=True) for path, now in progress.items()}
        text = json.dumps(told, separators=(",", ":"))
        return self.set_fields(job_id, fence, {"progress": text})


def _lease(lease: Lease) -> dict[str, str]:
    return {"id": lease.job_id, "fence": lease.fence, "state": lease.state, "holder": lease.holder}
