"""Quotas: setting and reading them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from aitrain.domain.egress import Egress
from aitrain.domain.quota import OverQuota, ProjectRules, Quota, QuotaKind
from aitrain.store.connection import Connection


class Quotas(Connection):
    """What projects may hold at once."""

    def set_quota(self, project: str, kind: QuotaKind, limit: int | None) -> None:
        """Sets a project's quota of a kind, None for none. Held jobs are let in for which there is room then."""
        self._run("set_quota", {"project": project, "kind": kind, "limit": -1 if limit is None else limit})

    def set_over_quota(self, project: str, what: OverQuota | None) -> None:
        """Sets what becomes of a project's jobs over its quota; None: what the site says."""
        key = self._key("over_quota")
        if what is None:
            self._change(("HDEL", key, project))
        else:
            self._change(("HSET", key, project, what))

    def set_egress(self, project: str, egress: Egress | None) -> None:
        """Sets what a project's jobs reach over the network; None: what the site says."""
        key = self._key("egress")
        if egress is None:
            self._change(("HDEL", key, project))
        else:
            self._change(("HSET", key, project, egress))

    def egress(self, project: str) -> Egress | None:
        """What a project's jobs reach over the network; None: what the site says."""
        held = self._ask(lambda: self._redis.hget(self._key("egress"), project))
        return None if held is None else Egress(held)

    def quotas(self, project: str | None = None) -> list[Quota]:
        """The quotas of a project, each kind of it; or those that are set, of all projects."""
        limits = self._ask(lambda: self._redis.hgetall(self._key("quota_limit")))
        used = self._ask(lambda: self._redis.hgetall(self._key("quota_used")))
        fields = sorted(limits) if project is None else [f"{project}/{kind}" for kind in QuotaKind]
        projects = {field.rpartition("/")[0] for field in fields if field.endswith(f"/{QuotaKind.CACHE}")}
        used |= {f"{one}/{QuotaKind.CACHE}": self._run("cached_bytes", {"project": one}) for one in projects}
        return [
            Quota(
                project=field.rpartition("/")[0], kind=QuotaKind(field.rpartition("/")[2]),
                limit=int(limits[field]) if field in limits else None, used=int(used.get(field, 0)),
            )
            for field in fields
        ]  # fmt: skip

    def project_rules(self) -> list[ProjectRules]:
        """What is set of projects beside quotas, of those that have something set, by project."""
        over, timeouts, priorities, egress = (
            self._ask(partial(self._redis.hgetall, self._key(name)))
            for name in ("over_quota", "timeout_limit", "priority_limit", "egress")
        )
        return [
            ProjectRules(
                project=project, over_quota=over.get(project), max_timeout_s=timeouts.get(project),
                max_priority=priorities.get(project), egress=egress.get(project),
            )
            for project in sorted({*over, *timeouts, *priorities, *egress})
        ]  # fmt: skip

    def held_count(self, project: str) -> int:
        """How many jobs of a project are held."""
        keys = [self._key("held", project, kind) for kind in (QuotaKind.GPU, QuotaKind.CPU)]
        return sum(int(self._ask(partial(self._redis.zcard, key))) for key in keys)

    def over_quota(self, project: str) -> OverQuota | None:
        """What becomes of a project's jobs over its quota; None: what the site says."""
        held = self._ask(lambda: self._redis.hget(self._key("over_quota"), project))
        return None if held is None else OverQuota(held)

    def has_cache_quota(self, project: str) -> bool:
        """Whether a project has a quota of cached bytes."""
        field = f"{project}/{QuotaKind.CACHE}"
        return bool(self._ask(lambda: self._redis.hexists(self._key("quota_limit"), field)))

    def keep_cache(self, project: str, host: str, *, held: int, more: int) -> int:
        """Keeps room in a project's quota of cached bytes for what a host is about to add to what it holds.

        more: bytes, in all; 0 gives back what was kept. Answers by how many bytes it is too much, 0 if it is kept.
        """
        return int(self._run("keep_cache", {"project": project, "host": host, "held": held, "more": more}))

    def tell_cached(self, host: str, held: Mapping[str, int]) -> None:
        """Tells how many bytes a host's cache holds, by project."""
        self._run("tell_cached", {"host": host, "held": dict(held)})

    def sweep_holds(self) -> int:
        """Lets held jobs in that were left waiting; how many."""
        return int(self._run("sweep_holds", {}))
