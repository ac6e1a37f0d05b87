"""What operators set of projects, and see of it: a part of the client."""

from __future__ import annotations

import logging

from aitrain.dispatch import Dispatcher
from aitrain.domain.errors import InvalidInput, StoreUnavailable
from aitrain.domain.quota import OverQuota, Quota, QuotaKind
from aitrain.domain.spec import HIGHEST_PRIORITY, MAX_TIMEOUT_S
from aitrain.settings import Settings
from aitrain.store import Store

log = logging.getLogger(__name__)


class ProjectLimits:
    """The part of a client that limits projects. Raises StoreUnavailable as all of it."""

    settings: Settings
    _store: Store
    _dispatcher: Dispatcher

    def set_quota(self, project: str, kind: QuotaKind | str, limit: int | None) -> None:
        """Sets how many units of a kind ("gpu", "cpu"), or how many "jobs", a project may have at once; None for none.

        It holds at once: held jobs are let in for which there is room then; what counts already goes on, also beyond
        the limit. Raises InvalidInput for another kind, or a limit below 0.
        """
        if kind not in list(QuotaKind):
            raise InvalidInput.of("kind", kind, "has no quota", f"name one of: {', '.join(QuotaKind)}")
        if limit is not None and limit < 0:
            raise InvalidInput.of("limit", limit, "cannot be a quota", "give 0 or more")
        self._store.set_quota(project, QuotaKind(kind), limit)
        self._place_let_in(project)

    def set_over_quota(self, project: str, what: OverQuota | str | None) -> None:
        """Sets what becomes of a project's jobs over its quota, "refuse" or "hold"; None: what the site says.

        Jobs that are held already stay so. Raises InvalidInput for another word.
        """
        if what is not None and what not in list(OverQuota):
            raise InvalidInput.of("over_quota", what, "is no rule", f"name one of: {', '.join(OverQuota)}")
        self._store.set_over_quota(project, None if what is None else OverQuota(what))

    def over_quota(self, project: str) -> OverQuota:
        """What becomes of a project's jobs over its quota."""
        return self._store.over_quota(project) or self.settings.limits.over_quota

    def quotas(self, project: str | None = None) -> list[Quota]:
        """The quotas of a project, each kind of it, with what is in use; or those that are set, of all projects."""
        return self._store.quotas(project)

    def held_count(self, project: str) -> int:
        """How many jobs of a project are held: accepted, and not counted until there is room."""
        return self._store.held_count(project)

    def set_timeout_limit(self, project: str, seconds: int | None) -> None:
        """Sets the longest timeout of a project's jobs in seconds, 0 for none; None: the site's.

        Raises InvalidInput for a number that is none.
        """
        if seconds is not None and not 0 <= seconds <= MAX_TIMEOUT_S:
            remedy = f"give 0 for no limit, or up to {MAX_TIMEOUT_S} seconds"
            raise InvalidInput.of("max_timeout", seconds, "cannot be a longest timeout", remedy)
        self._store.set_timeout_limit(project, seconds)

    def set_priority_limit(self, project: str, highest: int | None) -> None:
        """Sets the highest priority that a project's jobs may have, 0 to 100; None: the site's.

        Holds from the next submission on. Raises InvalidInput for a number that is none.
        """
        if highest is not None and not 0 <= highest <= HIGHEST_PRIORITY:
            remedy = f"give a number from 0 to {HIGHEST_PRIORITY}"
            raise InvalidInput.of("max_priority", highest, "cannot be a highest priority", remedy)
        self._store.set_priority_limit(project, highest)

    def _place_let_in(self, project: str) -> None:
        try:
            self._dispatcher.place_waiting()
        except StoreUnavailable as error:
            log.warning("jobs of project %s may wait that were not placed yet: %s", project, error)
