"""Hosts: joining, heartbeats, what they should be doing, and those that are lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aitrain.domain.errors import InvalidInput
from aitrain.store.answers import HostAway, HostJob, Seen, to_host_job
from aitrain.store.connection import Connection


class Hosts(Connection):
    """What a host's agent says and asks."""

    def join_host(
        self, host: str, *, instance: str, units: Mapping[str, Sequence[str]], max_jobs: int, ttl_ms: int
    ) -> bool:
        """Registers a host with the units it offers, by flavor. True: a job may wait for them.

        instance: which machine it is. Raises InvalidInput while another machine holds the lease of this name.
        """
        answer = self._run(
            "join_host", {"host": host, "instance": instance, "max_jobs": max_jobs, "units": units, "ttl_ms": ttl_ms}
        )
        if not answer["joined"]:
            raise InvalidInput.of(
                "host.name", host, "is the name of another machine that is alive", "give each host a name of its own"
            )
        return bool(answer["waiting"])

    def heartbeat(
        self, host: str, *, instance: str, fit: bool, seen: Sequence[Seen], ttl_ms: int, resend_ms: int
    ) -> list[HostJob] | None:
        """Renews a host's lease, tells how long its jobs were seen running, and brings back its orders.

        instance: which machine it is; fit: it can start containers now, and may be given jobs. None: the store does
        not know the host, or another machine has its name; it must join (again).
        """
        answer = self._run(
            "heartbeat",
            {
                "host": host, "instance": instance, "fit": fit, "ttl_ms": ttl_ms, "resend_ms": resend_ms,
                "seen": [{"id": s.job_id, "fence": s.fence, "ran_ms": s.ran_ms} for s in seen],
            },
        )  # fmt: skip
        return [to_host_job(row) for row in answer["jobs"]] if answer["known"] else None

    def host_jobs(self, host: str, only: str = "") -> list[HostJob]:
        """What the host should be doing now; of one job only, if its id is given."""
        return [to_host_job(row) for row in self._run("host_jobs", {"host": host, "only": only})]

    def jobs_of_lost_hosts(self, away: HostAway, gap_ms: int, limit: int) -> list[str]:
        """Ids of up to `limit` jobs whose hosts have been away for so long.

        gap_ms: a sweep that was itself away for longer gives every host the whole time again.
        """
        arguments = {"away_ms": away.away_ms, "ttl_ms": away.ttl_ms, "gap_ms": gap_ms, "limit": limit}
        return list(self._run("lost_hosts", arguments))
