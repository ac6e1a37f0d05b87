"""What one job may take."""

from __future__ import annotations

from pydantic import Field

from aitrain.domain.egress import Egress
from aitrain.domain.quota import OverQuota
from aitrain.domain.spec import HIGHEST_PRIORITY, MAX_TIMEOUT_S
from aitrain.settings.section import DAY_SECONDS, Section

DEFAULT_TIMEOUT_SECONDS = 7 * DAY_SECONDS


class Limits(Section):
    """What one job may take."""

    # None: seven days, or none where max_timeout_seconds lifts the limit.
    default_timeout_seconds: int | None = Field(default=None, ge=0, le=MAX_TIMEOUT_S)
    # 0 lifts the limit: a job may then run until it is done or stopped.
    max_timeout_seconds: int = Field(default=28 * DAY_SECONDS, ge=0, le=MAX_TIMEOUT_S)
    # So long before its timeout a job is warned: time to write a checkpoint of some gigabytes.
    timeout_warning_seconds: int = Field(default=300, ge=0, le=MAX_TIMEOUT_S)
    # How often a job is tried again after faults of the platform: with the pauses of Timing, about five minutes.
    platform_retries: int = Field(default=5, ge=0)
    # How often results that could not be pushed are tried again: with the pauses of Timing, some twelve hours.
    push_retries: int = Field(default=75, ge=0)
    # Results that could not be pushed stay on their host for so long after the job ended, so that the push can be tried
    # again once somebody is back from leave; 0: for ever.
    results_retention_seconds: int = Field(default=30 * DAY_SECONDS, ge=0)
    # Of a job that names none; the middle leaves room on both sides.
    default_priority: int = Field(default=50, ge=0, le=HIGHEST_PRIORITY)
    # The highest that a job may have, unless its project has a limit of its own.
    max_priority: int = Field(default=HIGHEST_PRIORITY, ge=0, le=HIGHEST_PRIORITY)

    # What becomes of a job over its project's quota: refused, or accepted and held until there is room.
    over_quota: OverQuota = OverQuota.REFUSE
    # What jobs reach over the network, unless their project has a policy of its own (`aitrain quota set --egress`):
    # most training fetches packages or weights.
    egress: Egress = Egress.BRIDGE

    @property
    def default_timeout_s(self) -> int:
        """The timeout of a job that names none, in seconds; 0 for none."""
        if self.default_timeout_seconds is not None:
            return self.default_timeout_seconds
        return DEFAULT_TIMEOUT_SECONDS if self.max_timeout_seconds else 0
