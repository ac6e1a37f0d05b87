"""The last look at a job's GPUs, just before its container is made: no job starts on a GPU that is not clean."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from aitrain.domain.errors import PlatformFault
from aitrain.domain.flavor import Kind
from aitrain.domain.job import Job
from aitrain.domain.states import EndCause, InfoCode
from workers.gpus import health
from workers.gpus.nvml import look
from workers.machine import Machine

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 0.5


def await_clean(machine: Machine, job: Job, checkpoint: Callable[[], None]) -> None:
    """Waits for a moment until the GPUs that are reserved for a job are clean. Nothing of the job may run yet.

    checkpoint: called between looks; what it raises ends the wait. Raises PlatformFault if they stay as they are; then
    the store has set them aside already, so that they are given to nobody once the job gives them back.
    """
    timing, host = machine.settings.timing, machine.settings.host
    if job.kind is not Kind.GPU or not timing.gpu_look_seconds:
        return
    deadline = time.monotonic() + timing.gpu_clean_seconds
    while unfit := health.faults({job.flavor: job.unit_ids}, look(), (), host):
        checkpoint()
        if time.monotonic() >= deadline:
            break
        time.sleep(LOOK_AGAIN_SECONDS)
    else:
        return
    machine.store.report_faults(host.name, instance=machine.instance, faults=unfit, beside=True)
    why = ", ".join(f"GPU {unit}: {reason}" for unit, reason in unfit[job.flavor].items())
    log.warning("job %s: its GPUs are not fit for it, and are set aside: %s", job.id, why)
    raise PlatformFault(EndCause.GPU_FAULT, InfoCode.JOB_ERROR, f"host {host.name}, {why}")
