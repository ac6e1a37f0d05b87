"""Quotas: what a project's jobs may hold at once. Counted by the store (store/lua/shared/quota.lua)."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from aitrain.domain.egress import Egress


class QuotaKind(StrEnum):
    """What a quota limits: units of a kind, the number of jobs, or bytes of its data in hosts' caches."""

    GPU = "gpu"
    CPU = "cpu"
    JOBS = "jobs"
    CACHE = "cache"


class OverQuota(StrEnum):
    """What becomes of a job for which its project's quota has no room: refused, or accepted and held until it has."""

    REFUSE = "refuse"
    HOLD = "hold"


class ProjectRules(BaseModel):
    """What is set for all jobs of a project beside its quotas; None: what the site says.

    over_quota: what becomes of a job over a quota; max_timeout_s: the longest timeout in seconds, 0 for none;
    max_priority: the highest priority; egress: what they reach over the network.
    """

    model_config = ConfigDict(frozen=True)

    project: str
    over_quota: OverQuota | None
    max_timeout_s: int | None
    max_priority: int | None
    egress: Egress | None = None


class Quota(BaseModel):
    """A project's quota of one kind. limit: None for none.

    used: by jobs that count, those that are held do not; of the cache, on all hosts, or about to be.
    """

    model_config = ConfigDict(frozen=True)

    project: str
    kind: QuotaKind
    limit: int | None
    used: int
