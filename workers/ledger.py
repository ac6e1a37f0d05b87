"""What a job owes, as ledger rows: the domain's arithmetic with this site's prices."""

from __future__ import annotations

from aitrain.domain.billing import LedgerRow, Terms, rows_due
from aitrain.domain.job import Job
from aitrain.settings import Settings


def unwritten_rows(settings: Settings, job: Job, ran_ms: int) -> list[LedgerRow]:
    """The rows of minutes that have begun after ran_ms of running and that are not in the ledger yet.

    None are owed by a job that has not reached RUNNING. The price is the catalogue's; of a flavor that it has lost, the
    price at which the job was submitted, since the end of a job must not depend on settings.
    """
    if job.started_ms is None:
        return []
    flavor = settings.flavors.get(job.flavor)
    price = job.hourly_price if flavor is None else flavor.hourly_price
    return rows_due(
        job_id=job.id,
        attempt=job.attempt,
        started_ms=job.started_ms,
        elapsed_ms=ran_ms,
        written=job.billed_minutes,
        terms=Terms(job.project, job.flavor, job.units, price, job.host),
    )
