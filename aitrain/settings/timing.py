"""Waits and periods."""

from __future__ import annotations

from pydantic import Field

from aitrain.domain.placement import Rules
from aitrain.domain.retry import Pauses
from aitrain.settings.section import DAY_SECONDS, Section


class Timing(Section):
    """Waits and periods, in seconds."""

    # One call a second per host: an order is known within about a second, and a Redis carries a thousand hosts.
    heartbeat_seconds: float = Field(default=1, gt=0)
    # Longer than a restart of Redis takes, shorter than a person waits before asking.
    host_lease_seconds: float = Field(default=30, gt=0)
    # A worker that was killed is noticed after this; one that only stalls for less keeps its work.
    step_lease_seconds: float = Field(default=15, gt=0)
    # So often a worker renews the leases of its steps: several times may fail before one lapses.
    step_renew_seconds: float = Field(default=1, gt=0)
    # A command in a job ends when whoever started it was silent for this; a blip of the network is over by then.
    session_silence_seconds: float = Field(default=15, gt=3)
    # A message that was not taken up after this is sent again; taking it up twice does no harm.
    message_grace_seconds: float = Field(default=10, gt=0)
    # The agent compares the store with the engine this often, in case an event was missed.
    reconcile_seconds: float = Field(default=5, gt=0)
    # New lines of a log are sent to the job store this often at most: who follows it sees them within a second.
    log_poll_seconds: float = Field(default=0.5, gt=0)
    # The agent looks at the GPUs this often; 0: never, and none is set aside.
    gpu_look_seconds: float = Field(default=5, ge=0)
    # A job that ended may leave its GPU's memory in use for a moment. The next waits for so long, then goes elsewhere.
    gpu_clean_seconds: float = Field(default=10, ge=0)
    # From SIGTERM to SIGKILL: time to write a last checkpoint.
    stop_grace_seconds: float = Field(default=30, ge=0)
    # So often beat has the sweeps run, in case what they look for was missed by who should have seen it.
    sweep_seconds: float = Field(default=15, gt=0)
    # So often minutes that have begun are written to the ledger. How often changes no bill.
    billing_seconds: float = Field(default=60, gt=0)
    # A host that cannot reach the job store for this long stops its containers, so that their jobs may run elsewhere.
    # Longer than a Redis is away in a bad hour; the price of a lost host is that its jobs wait this long.
    host_grace_seconds: float = Field(default=600, gt=0)
    # After that, and the time a stop takes, the host is taken for lost; this covers what clocks and engines add.
    host_lost_margin_seconds: float = Field(default=60, ge=0)
    # A lost host may come back with the results that it had yet to push; after this they are given up for now.
    finalizing_patience_seconds: float = Field(default=86_400, gt=0)
    # An engine that is away for longer than a restart takes: jobs that it has not started are placed elsewhere.
    engine_patience_seconds: float = Field(default=600, gt=0)
    # A running container of a job that the store does not know is stopped after this; a store that was put back from a
    # backup by mistake should not cost what runs before somebody has noticed.
    orphan_grace_seconds: float = Field(default=300, ge=0)
    # Between retries: the first pause, doubled each time up to the longest.
    retry_pause_seconds: float = Field(default=10, ge=0)
    # An outage that lasts is asked after this often, and no less.
    retry_pause_max_seconds: float = Field(default=600, ge=0)
    # What no job has read from a host's cache for so long is removed; 0: only when the disk needs room.
    cache_idle_seconds: float = Field(default=7 * DAY_SECONDS, ge=0)
    # Auto-restarts of a job do not follow each other faster: each leaves its history and log.
    restart_period_seconds: float = Field(default=60, ge=0)
    # A data store that is to be added answers a check in 10 s at most; the rest is for a control worker that is busy.
    check_seconds: float = Field(default=20, gt=0)
    # A control worker answers a host that asks for a job's secrets at once; after this it is taken for away, and the
    # step is tried again as after any fault of the platform.
    secret_seconds: float = Field(default=30, gt=0)
    # A job that has waited this long has a host kept for it; until then smaller ones may pass it.
    placement_patience_seconds: float = Field(default=600, ge=0)
    # What a job needs beside its timeout, where it has to be gone by the time at which a kept host is expected to be
    # free: its data is copied before, and its container stopped after.
    backfill_margin_seconds: float = Field(default=300, ge=0)
    # What a project used so long ago counts half in its fair share: a busy day is forgotten within a week.
    fair_share_half_life_seconds: float = Field(default=DAY_SECONDS, gt=0)
    # So often a worker sends itself a message, to see that it takes messages. A thousand hosts make some 30 a second.
    canary_seconds: float = Field(default=30, gt=0)
    # A process that has not proved for so long that it gets work done is not well. Four canaries are lost by then, and
    # a connection that broke without a word has been given up by Celery and made anew (50 s).
    canary_stale_seconds: float = Field(default=120, gt=0)
    # A worker that takes no messages is ended so that it starts anew, but steps at work are given this long first: what
    # they have copied whole is kept, the rest is copied again.
    stuck_patience_seconds: float = Field(default=900, ge=0)
    # A loop of the agent that has not come round for so long hangs: the longest wait in one is an engine's answer.
    loop_patience_seconds: float = Field(default=300, gt=0)
    # A worker that is told to stop lets its steps go on for so long; then they give up, and the next one begins them
    # again. Starts of containers and small copies end within it, which is all that would be lost.
    worker_stop_seconds: float = Field(default=60, ge=0)
    # A placement pass without a look for this long is taken for dead, and another one may begin. Two at once do no
    # harm.
    placement_lease_seconds: float = Field(default=5, gt=0)

    @property
    def host_lost_seconds(self) -> float:
        """How long after its last heartbeat a host of these settings has surely stopped its containers."""
        return max(
            self.host_lease_seconds, self.host_grace_seconds + self.stop_grace_seconds + self.host_lost_margin_seconds
        )

    @property
    def pauses(self) -> Pauses:
        """Between retries."""
        return Pauses(self.retry_pause_seconds, self.retry_pause_max_seconds, self.restart_period_seconds)

    @property
    def placement(self) -> Rules:
        """Of placement."""
        return Rules(self.placement_patience_seconds, self.backfill_margin_seconds)
