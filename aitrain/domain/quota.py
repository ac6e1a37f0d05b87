"""Quotas: what a project's jobs may hold at once. Counted by the store (store/lua/shared/quota.lua)."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class QuotaKind(StrEnum):
    """What a quota limits: units of a kind, or the number of jobs."""

    GPU = "gpu"
    CPU = "cpu"
    JOBS = "jobs"


class OverQuota(StrEnum):
    """What becomes of a job for which its project's quota has no room: refused, or accepted and held until it has."""

    REFUSE = "refuse"
    HOLD = "hold"


class Quota(BaseModel):
    """A project's quota of one kind. limit: None for none; used: by jobs that count, those that are held do not."""

    model_config = ConfigDict(frozen=True)

    project: str
    kind: QuotaKind
    limit: int | None
    used: int
