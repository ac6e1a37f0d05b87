"""Placement, as far as the store takes part: what waits, what is free, and the commitment of what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aitrain.domain.errors import JobNotFound
from aitrain.domain.flavor import Kind
from aitrain.domain.placement import Assignment, FlavorView, Keep, Rules, Vacancy, Waiting
from aitrain.domain.profile import Release
from aitrain.domain.states import State
from aitrain.store.connection import Connection, fence, token

if TYPE_CHECKING:  # imported where it is needed: each process has a store, and few explain
    from aitrain.domain.waiting import Explanation

# How many jobs of a flavor one look brings back at most; what is left has its turn in the next look.
WINDOW = 400
# So many assignments in one call: the server does nothing else meanwhile, a few milliseconds.
BATCH = 50
# When a job starts is estimated while no more than so many are ahead of it.
MOST_AHEAD = 200


class Placement(Connection):
    """The verbs of a placement pass."""

    def begin_pass(self, holder: str, ttl_ms: int) -> bool:
        """Begins a placement pass, or another look of it. holder: who; ttl_ms: taken for dead without a look so long.

        False: another pass is at work, and will look again after this call.
        """
        return bool(self._run("begin_pass", {"holder": holder, "ttl_ms": ttl_ms})["mine"])

    def end_pass(self, holder: str) -> bool:
        """Ends a pass. False: somebody asked it to look once more."""
        return bool(self._run("end_pass", {"holder": holder})["over"])

    def placement_view(self, rules: Rules | None = None, *, window: int = WINDOW) -> dict[str, FlavorView]:
        """What waits and what is free, by flavor, where there is both. window: most jobs of a flavor to look at."""
        patience_s = (rules or Rules()).patience_s
        view = self._run("placement_view", {"patience_ms": int(patience_s * 1000), "window": window})
        return {flavor: _to_view(flavor, seen) for flavor, seen in dict(view).items()}

    def assign(self, assignment: Assignment) -> str | None:
        """Commits an assignment: reserves its units and moves the job to INITIALIZING, or changes nothing (None).

        Returns the fence of the run. It is made here, so that a store that lost its last second in a crash does not
        hand out the fence of a run that has begun.
        """
        return self.assign_many([assignment])[0]

    def assign_many(self, assignments: Sequence[Assignment]) -> list[str | None]:
        """Commits each assignment or not, as assign does, with few round trips."""
        fences: list[str | None] = []
        for start in range(0, len(assignments), BATCH):
            rows = [_assignment_row(assignment) for assignment in assignments[start : start + BATCH]]
            answers = self._run("assign", {"rows": rows, "grace_ms": self._grace_ms})
            fences += [str(answer["fence"]) if answer["moved"] else None for answer in answers]
        return fences

    def keep_host(self, keep: Keep) -> bool:
        """Keeps a host for a job that waits; False if it does not wait any more, or either has another."""
        return bool(self._run("keep_host", {"id": keep.job_id, "fence": keep.fence, "host": keep.host})["kept"])

    def explain(self, job_id: str, flavors: Sequence[str] = ()) -> Explanation:
        """Why a job waits. flavors: others that would do for it.

        Raises JobNotFound.
        """
        from aitrain.domain.waiting import (
            HostProfile,
            ViewOfHeld,
            ViewOfWaiting,
            explain,
            explain_held,
            not_waiting,
        )

        view = self._run("explain_view", {"id": job_id, "flavors": list(flavors), "most_ahead": MOST_AHEAD})
        if view is None:
            raise JobNotFound(job_id)
        if view["state"] != State.QUEUED:
            return not_waiting(job_id, State(view["state"]))
        if "held" in view:
            return explain_held(job_id, ViewOfHeld.model_validate(view))
        profiles = {
            host: HostProfile(host=host, free=len(units), releases=_to_releases(releases))
            for host, units, _, _, _, releases in view["profiles"]
        }
        ahead = view["ahead"]
        view |= {"profiles": tuple(profiles.values()), "ahead": None if ahead is None else tuple(ahead)}
        return explain(job_id, ViewOfWaiting.model_validate({**view, "others": dict(view["others"])}))


def _assignment_row(assignment: Assignment) -> dict[str, Any]:
    attempt, _, _ = assignment.fence.partition(".")
    return {
        "id": assignment.job_id, "fence": assignment.fence, "run_fence": fence(int(attempt)), "host": assignment.host,
        "units": assignment.units, "despite": assignment.despite, "op": token(),
    }  # fmt: skip


def _to_view(flavor: str, seen: dict[str, Any]) -> FlavorView:
    waiting = [
        Waiting(job_id, held, Kind(kind), flavor, units, ms / 1000, avoid, project, priority, timeout_s, kept_host)
        for job_id, held, kind, units, project, priority, ms, timeout_s, avoid, kept_host in seen["jobs"]
    ]
    vacancies = [
        Vacancy(host, tuple(units), room, capacity, kept_for, None if releases is None else _to_releases(releases))
        for host, units, room, capacity, kept_for, releases in seen["hosts"]
    ]
    return FlavorView(waiting, vacancies, dict(seen["use"]), seen["keeps"], seen["profiled"])


def _to_releases(rows: Any) -> tuple[Release, ...]:
    return tuple(Release(units, None if ms < 0 else ms / 1000) for units, ms in rows)
