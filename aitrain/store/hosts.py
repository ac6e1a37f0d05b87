"""Hosts: joining, heartbeats, what they should be doing, and those that are lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from aitrain.domain.errors import InvalidInput
from aitrain.store.answers import Heard, HostJob, HostTiming, Kept, Seen, UnitCount, to_host_job
from aitrain.store.connection import Connection


class Hosts(Connection):
    """What a host's agent says and asks."""

    def join_host(
        self,
        host: str,
        *,
        instance: str,
        units: Mapping[str, Sequence[str]],
        max_jobs: int,
        timing: HostTiming,
        faults: Mapping[str, Mapping[str, str]] | None = None,
    ) -> bool:
        """Registers a host with the units it offers, by flavor. True: a job may wait for them.

        instance: which machine it is; faults: see report_faults, None: as they stand. Raises InvalidInput while another
        machine holds the lease of this name, or has jobs: it may run them, and it has their data.
        """
        arguments = {"host": host, "instance": instance, "max_jobs": max_jobs, "units": units, **asdict(timing)}
        answer = self._run("join_host", arguments if faults is None else {**arguments, "faults": faults})
        if not answer["joined"]:
            raise InvalidInput.of(
                "host.name", host, "is the name of another machine that is alive or still has jobs",
                "give each host its own name; a machine that was set up anew keeps its data_dir, or takes a new name",
            )  # fmt: skip
        return bool(answer["waiting"])

    def tell_version(self, host: str, process: str, version: str) -> None:
        """Tells which version of aitrain a process of a host is, "agent" or "worker", for those who look at it."""
        self._change(("HSET", self._key("host_versions", host), process, version))

    def heartbeat(
        self,
        host: str,
        *,
        instance: str,
        fit: bool,
        seen: Sequence[Seen],
        timing: HostTiming,
        resend_ms: int,
        disk: tuple[int, int] | None = None,
    ) -> Heard | None:
        """Renews a host's lease, tells how long its jobs were seen running, and brings back its orders.

        instance: which machine it is; fit: it can start containers now, and may be given jobs; disk: bytes that are
        free on the file system of its data, and that this has, None: as they were told last. None: the store does not
        know the host, or another machine has its name; it must join (again).
        """
        answer = self._run(
            "heartbeat",
            {
                "host": host, "instance": instance, "fit": fit, "resend_ms": resend_ms, **asdict(timing),
                "seen": [{"id": s.job_id, "fence": s.fence, "ran_ms": s.ran_ms} for s in seen],
                **({} if disk is None else {"disk": disk}),
            },
        )  # fmt: skip
        return Heard([to_host_job(row) for row in answer["jobs"]], answer["place"]) if answer["known"] else None

    def report_faults(
        self, host: str, *, instance: str, faults: Mapping[str, Mapping[str, str]], beside: bool = False
    ) -> bool:
        """Sets which units the host's agent finds unfit, and why, by flavor and unit: all of them, in place of those it
        reported before. They are given to no job; a job that holds one keeps it.

        beside: what it reported before stands, too, until its next full report. True: a unit came free, and a job may
        wait for it. Nothing changes if another machine has the host's name now.
        """
        arguments = {"host": host, "instance": instance, "faults": faults, "beside": beside}
        answer = self._run("report_faults", arguments)
        return bool(answer["waiting"])

    def units(self) -> dict[str, UnitCount]:
        """How many units of each flavor there are, by flavor. Costs every host."""
        return {flavor: UnitCount(*counted) for flavor, counted in dict(self._run("flavor_units", {})).items()}

    def host_jobs(self, host: str, only: str = "", *, instance: str | None = None) -> list[HostJob] | None:
        """What the host should be doing now; of one job only, if its id is given.

        instance: the machine that asks; None in the answer: another machine has the host's name now.
        """
        arguments = {"host": host, "only": only, **({"instance": instance} if instance is not None else {})}
        answer = self._run("host_jobs", arguments)
        return [to_host_job(row) for row in answer["jobs"]] if answer["ours"] else None

    def host_is_alive(self, host: str, instance: str) -> bool:
        """Whether this machine's agent renewed the host's lease lately."""
        return bool(self._run("host_is_alive", {"host": host, "instance": instance})["alive"])

    def expire_results(self, job_id: str, fence: str, keep_ms: int, *, look: bool = False) -> Kept:
        """Gives up what an attempt could not push, if the time for which it is kept is past.

        keep_ms: how long what no time was noted for is kept after the job's end, 0 for ever; look: only ask.
        """
        answer = self._run("expire_results", {"id": job_id, "fence": fence, "keep_ms": keep_ms, "look": look})
        until_ms, left_ms = (None if ms is None else int(ms) for ms in (answer["until_ms"], answer.get("left_ms")))
        return Kept(bool(answer["known"]), until_ms, bool(answer["expired"]), left_ms)

    def jobs_of_lost_hosts(self, *, finalizing_ms: int, gap_ms: int, limit: int) -> list[str]:
        """Ids of up to `limit` jobs of hosts that are lost.

        finalizing_ms: least silence of the hosts of jobs whose results may still come; gap_ms: a sweep that was itself
        away for longer gives every host the whole time again.
        """
        arguments = {"finalizing_ms": finalizing_ms, "gap_ms": gap_ms, "limit": limit}
        return list(self._run("lost_hosts", arguments))
