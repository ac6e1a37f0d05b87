"""Submits the jobs of a plan at their moments and orders those to stop whose fate it is, as producers would."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from aitrain import Client
from aitrain.domain.errors import AitrainError, StoreUnavailable
from workers.drill.fates import FATES, READY, Stop
from workers.drill.orders import spec_of
from workers.drill.plan import Plan, PlannedJob

# A submission that waits for a Redis that is away must not hold up the others.
AT_ONCE = 12
AGAIN_SECONDS = 0.3


class Producer:
    """A producer that repeats what got no answer, under the same job's id."""

    def __init__(self, client: Client, plan: Plan) -> None:
        self._client, self._plan = client, plan
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="submit")
        self.submitted: set[str] = set()
        self.refused: dict[str, str] = {}
        # Whether the order to stop a job did it, by the job's id; if not, it was ending by itself.
        self.stopped: dict[str, bool] = {}

    @property
    def over(self) -> bool:
        """Whether every submission was answered."""
        return len(self.submitted) + len(self.refused) == len(self._plan.jobs)

    def start(self, began: float) -> None:
        """Begins. began: monotonic seconds at which the plan's time begins."""
        self._began = began
        for work in (self._submit_all, self._stop_all):
            threading.Thread(target=work, name=work.__name__, daemon=True).start()

    def end(self) -> None:
        """Submits and orders nothing more."""
        self._over.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit_all(self) -> None:
        for job in self._plan.jobs:
            if self._over.wait(max(0.0, self._began + job.at_s - time.monotonic())):
                return
            self._pool.submit(self._submit, job)

    def _submit(self, job: PlannedJob) -> None:
        while not self._over.is_set():
            try:
                self._client.submit(spec_of(job), job_id=job.job_id)
            except StoreUnavailable:
                self._over.wait(AGAIN_SECONDS)
            except Exception as error:  # whatever it is, the job is lost, and the table has to show it
                self.refused[job.job_id] = f"{type(error).__name__}: {error}"
                return
            else:
                self.submitted.add(job.job_id)
                return

    def _stop_all(self) -> None:
        """Orders each job to stop, once it is ready for that and its time has come."""
        due: dict[str, float] = {}
        open_ = {job.job_id: job for job in self._plan.jobs if FATES[job.fate].stop}
        while open_ and not self._over.wait(AGAIN_SECONDS):
            for job in list(open_.values()):
                try:
                    if self._is_ready(job) and (
                        time.monotonic() >= due.setdefault(job.job_id, time.monotonic() + job.stop_after_s)
                        # An order that meets an eviction has the last word.
                        or self._client.get(job.job_id).evicting
                    ):
                        self.stopped[job.job_id] = self._client.stop(job.job_id, by="the drill").done
                        del open_[job.job_id]
                except AitrainError:
                    continue  # asked again at the next look

    def _is_ready(self, job: PlannedJob) -> bool:
        if job.job_id not in self.submitted:
            return False
        if FATES[job.fate].stop is Stop.QUEUED:
            return True
        return any(line.text == READY for line in self._client.logs(job.job_id))
