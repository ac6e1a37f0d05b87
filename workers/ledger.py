"""What a job owes, as ledger rows: the domain's arithmetic with this site's prices."""

from __future__ import annotations

from aitrain.domain.billing import LedgerRow, Terms, rows_due
from aitrain.domain.errors import InvalidInput
from aitrain.domain.job import Job
from aitrain.settings import Settings


def unwritten_rows(settings: Settings, job: Job, ran_ms: int) -> list[LedgerRow]:
    """The rows of minutes that have begun after ran_ms of running and that are not in the ledger yet.

    None are owed by a job that has not reached RUNNING. Raises InvalidInput if this site does not price its flavor.
    """
    if job.started_ms is None:
        return []
    flavor = settings.flavors.get(job.flavor)
    if flavor is None:
        raise InvalidInput.of("flavors", job.flavor, "has no price here", "put the flavor back into the settings")
    return rows_due(
        job_id=job.id,
        attempt=job.attempt,
        started_ms=job.started_ms,
        elapsed_ms=ran_ms,
        written=job.billed_minutes,
        terms=Terms(job.project, job.flavor, job.units, flavor.hourly_price, job.host),
    )
