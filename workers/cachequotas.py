"""This host's word with the job store about the quotas of cached bytes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from aitrain.domain.errors import StoreUnavailable
from aitrain.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HostCacheQuotas:
    """The quotas as one host sees them. A store that is away has no room: the copy goes on without the cache."""

    store: Store
    host: str

    def limited(self, project: str) -> bool:
        """See workers.datasync.allowance.CacheQuotas."""
        try:
            return self.store.has_cache_quota(project)
        except StoreUnavailable as error:
            log.warning("whether project %s has a quota of cached bytes is not known: %s", project, error)
            return False

    def keep(self, project: str, held: int, more: int) -> int:
        """See workers.datasync.allowance.CacheQuotas."""
        try:
            return self.store.keep_cache(project, self.host, held=held, more=more)
        except StoreUnavailable as error:
            log.warning("no bytes of the cache are kept for project %s: %s", project, error)
            return max(1, more)
