"""What AsyncClient shares with Client, call by call. Made by deploy/local/async_twin.py: do not edit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic.types import SecretStr

from aitrain.bills import FlavorPrices
from aitrain.client import Client
from aitrain.data_stores import DataStoreRemoval, DataStores
from aitrain.domain.admission import Admitted
from aitrain.domain.bill import Bill, Usage
from aitrain.domain.billing import LedgerLine
from aitrain.domain.budget import BudgetRule, BudgetView
from aitrain.domain.copying import DataCopy
from aitrain.domain.datastore import DataStoreEntry
from aitrain.domain.egress import Egress
from aitrain.domain.host import HostView, QueueView
from aitrain.domain.job import Job
from aitrain.domain.orders import JobEdit
from aitrain.domain.quota import OverQuota, ProjectRules, Quota, QuotaKind
from aitrain.domain.registry import RegistryEntry
from aitrain.domain.spec import JobSpec
from aitrain.domain.usage import JobStats
from aitrain.domain.waiting import Explanation
from aitrain.ledger_file import LedgerSums
from aitrain.registries import Registries, RegistryRemoval
from aitrain.site_secrets import SecretsStatus
from aitrain.store.answers import Ordered, UnitCount
from aitrain.store.fleet import HostRemoval
from aitrain.store.months import PrunedMonth
from aitrain.submissions import Submission
from aitrain.threads import Threads


class AsyncCalls:
    """The methods of Client that only ask and answer, each run in a thread."""

    def __init__(self, twin: Client, threads: Threads) -> None:
        self._twin, self._threads = twin, threads

    async def bill(self, project: str, month: str | None = None, *, by: Sequence[str] = ("flavor",)) -> Bill:
        """See Client.bill."""
        return await self._threads.run(self._twin.bill, project, month, by=by)

    async def budget(self, project: str) -> BudgetView | None:
        """See Client.budget."""
        return await self._threads.run(self._twin.budget, project)

    async def budgets(self) -> Sequence[BudgetView]:
        """See Client.budgets."""
        return await self._threads.run(self._twin.budgets)

    async def check(self, spec: JobSpec) -> Admitted:
        """See Client.check."""
        return await self._threads.run(self._twin.check, spec)

    async def cordon_host(self, name: str, unit: str = "", *, by: str = "", reason: str = "") -> None:
        """See Client.cordon_host."""
        await self._threads.run(self._twin.cordon_host, name, unit, by=by, reason=reason)

    async def delete(self, job_id: str, *, force: bool = False, by: str = "") -> Ordered:
        """See Client.delete."""
        return await self._threads.run(self._twin.delete, job_id, force=force, by=by)

    async def drain_host(
        self, name: str, unit: str = "", *, deadline: float | None = None, by: str = "", reason: str = ""
    ) -> None:
        """See Client.drain_host."""
        await self._threads.run(self._twin.drain_host, name, unit, deadline=deadline, by=by, reason=reason)

    async def edit(self, job_id: str, edit: JobEdit) -> Ordered:
        """See Client.edit."""
        return await self._threads.run(self._twin.edit, job_id, edit)

    async def egress(self, project: str) -> Egress:
        """See Client.egress."""
        return await self._threads.run(self._twin.egress, project)

    async def explain(self, job_id: str) -> Explanation:
        """See Client.explain."""
        return await self._threads.run(self._twin.explain, job_id)

    async def export_ledger(self, project: str, month: str, file: Path | str) -> LedgerSums:
        """See Client.export_ledger."""
        return await self._threads.run(self._twin.export_ledger, project, month, file)

    async def find(self, ref: str, *, project: str | None = None) -> str:
        """See Client.find."""
        return await self._threads.run(self._twin.find, ref, project=project)

    async def get(self, job_id: str) -> Job:
        """See Client.get."""
        return await self._threads.run(self._twin.get, job_id)

    async def held_count(self, project: str) -> int:
        """See Client.held_count."""
        return await self._threads.run(self._twin.held_count, project)

    async def host(self, name: str) -> HostView:
        """See Client.host."""
        return await self._threads.run(self._twin.host, name)

    async def hosts(self) -> list[HostView]:
        """See Client.hosts."""
        return await self._threads.run(self._twin.hosts)

    async def last_copy(self, job_id: str) -> DataCopy | None:
        """See Client.last_copy."""
        return await self._threads.run(self._twin.last_copy, job_id)

    async def ledger(self, project: str, month: str | None = None) -> Sequence[LedgerLine]:
        """See Client.ledger."""
        return await self._threads.run(self._twin.ledger, project, month)

    async def over_quota(self, project: str) -> OverQuota:
        """See Client.over_quota."""
        return await self._threads.run(self._twin.over_quota, project)

    async def prices(self) -> list[FlavorPrices]:
        """See Client.prices."""
        return await self._threads.run(self._twin.prices)

    async def priority_limit(self, project: str) -> int:
        """See Client.priority_limit."""
        return await self._threads.run(self._twin.priority_limit, project)

    async def project_rules(self) -> list[ProjectRules]:
        """See Client.project_rules."""
        return await self._threads.run(self._twin.project_rules)

    async def prune_ledger(self, project: str, month: str, file: Path | str, *, by: str = "") -> PrunedMonth:
        """See Client.prune_ledger."""
        return await self._threads.run(self._twin.prune_ledger, project, month, file, by=by)

    async def pruned_months(self, project: str) -> dict[str, PrunedMonth]:
        """See Client.pruned_months."""
        return await self._threads.run(self._twin.pruned_months, project)

    async def queues(self, *, ask_workers: bool = True) -> list[QueueView]:
        """See Client.queues."""
        return await self._threads.run(self._twin.queues, ask_workers=ask_workers)

    async def quotas(self, project: str | None = None) -> list[Quota]:
        """See Client.quotas."""
        return await self._threads.run(self._twin.quotas, project)

    async def receipt(self, job_id: str, attempt: int | None = None) -> dict[str, Any]:
        """See Client.receipt."""
        return await self._threads.run(self._twin.receipt, job_id, attempt)

    async def remove_budget(self, project: str) -> None:
        """See Client.remove_budget."""
        await self._threads.run(self._twin.remove_budget, project)

    async def remove_host(self, name: str, *, force: bool = False, by: str = "") -> HostRemoval:
        """See Client.remove_host."""
        return await self._threads.run(self._twin.remove_host, name, force=force, by=by)

    async def retry_push(self, job_id: str, *, by: str = "") -> Ordered:
        """See Client.retry_push."""
        return await self._threads.run(self._twin.retry_push, job_id, by=by)

    async def secrets_status(self) -> SecretsStatus:
        """See Client.secrets_status."""
        return await self._threads.run(self._twin.secrets_status)

    async def set_budget(
        self,
        project: str,
        amount: Decimal | int | str,
        *,
        warn_percent: int = 80,
        rule: BudgetRule | str = BudgetRule.REFUSE,
        stop: bool = False,
    ) -> None:
        """See Client.set_budget."""
        await self._threads.run(self._twin.set_budget, project, amount, warn_percent=warn_percent, rule=rule, stop=stop)

    async def set_egress(self, project: str, egress: Egress | str | None) -> None:
        """See Client.set_egress."""
        await self._threads.run(self._twin.set_egress, project, egress)

    async def set_over_quota(self, project: str, what: OverQuota | str | None) -> None:
        """See Client.set_over_quota."""
        await self._threads.run(self._twin.set_over_quota, project, what)

    async def set_priority_limit(self, project: str, highest: int | None) -> None:
        """See Client.set_priority_limit."""
        await self._threads.run(self._twin.set_priority_limit, project, highest)

    async def set_quota(self, project: str, kind: QuotaKind | str, limit: int | None) -> None:
        """See Client.set_quota."""
        await self._threads.run(self._twin.set_quota, project, kind, limit)

    async def set_timeout_limit(self, project: str, seconds: int | None) -> None:
        """See Client.set_timeout_limit."""
        await self._threads.run(self._twin.set_timeout_limit, project, seconds)

    async def start(self, job_id: str, *, by: str = "") -> Ordered:
        """See Client.start."""
        return await self._threads.run(self._twin.start, job_id, by=by)

    async def stats(self, job_id: str) -> JobStats:
        """See Client.stats."""
        return await self._threads.run(self._twin.stats, job_id)

    async def stop(self, job_id: str, *, by: str = "") -> Ordered:
        """See Client.stop."""
        return await self._threads.run(self._twin.stop, job_id, by=by)

    async def submit(self, spec: JobSpec, *, job_id: str | UUID | None = None) -> Job:
        """See Client.submit."""
        return await self._threads.run(self._twin.submit, spec, job_id=job_id)

    async def submit_many(
        self, specs: Sequence[JobSpec], *, job_ids: Sequence[str | UUID] | None = None
    ) -> list[Submission]:
        """See Client.submit_many."""
        return await self._threads.run(self._twin.submit_many, specs, job_ids=job_ids)

    async def timeout_limit(self, project: str) -> int:
        """See Client.timeout_limit."""
        return await self._threads.run(self._twin.timeout_limit, project)

    async def uncordon_host(self, name: str, unit: str = "") -> None:
        """See Client.uncordon_host."""
        await self._threads.run(self._twin.uncordon_host, name, unit)

    async def units(self) -> Mapping[str, UnitCount]:
        """See Client.units."""
        return await self._threads.run(self._twin.units)

    async def usage(self, month: str | None = None) -> Usage:
        """See Client.usage."""
        return await self._threads.run(self._twin.usage, month)


class AsyncDataStores:
    """The methods of DataStores that only ask and answer, each run in a thread."""

    def __init__(self, twin: DataStores, threads: Threads) -> None:
        self._twin, self._threads = twin, threads

    async def add(
        self,
        project: str,
        alias: str,
        endpoint_url: str | None,
        region: str,
        access_key_id: str | SecretStr,
        secret_access_key: str | SecretStr,
        container: str | None = None,
        check: bool = True,
    ) -> DataStoreEntry:
        """See DataStores.add."""
        return await self._threads.run(
            self._twin.add, project, alias, endpoint_url, region, access_key_id, secret_access_key, container, check
        )

    async def list(self, project: str) -> list[DataStoreEntry]:
        """See DataStores.list."""
        return await self._threads.run(self._twin.list, project)

    async def remove(self, project: str, alias: str, force: bool = False) -> DataStoreRemoval:
        """See DataStores.remove."""
        return await self._threads.run(self._twin.remove, project, alias, force)

    async def show(self, project: str, alias: str) -> DataStoreEntry:
        """See DataStores.show."""
        return await self._threads.run(self._twin.show, project, alias)


class AsyncRegistries:
    """The methods of Registries that only ask and answer, each run in a thread."""

    def __init__(self, twin: Registries, threads: Threads) -> None:
        self._twin, self._threads = twin, threads

    async def add(
        self, project: str, server: str, user: str, password: str | SecretStr, ca: str | None = None, check: bool = True
    ) -> RegistryEntry:
        """See Registries.add."""
        return await self._threads.run(self._twin.add, project, server, user, password, ca, check)

    async def list(self, project: str) -> list[RegistryEntry]:
        """See Registries.list."""
        return await self._threads.run(self._twin.list, project)

    async def remove(self, project: str, server: str, force: bool = False) -> RegistryRemoval:
        """See Registries.remove."""
        return await self._threads.run(self._twin.remove, project, server, force)

    async def show(self, project: str, server: str) -> RegistryEntry:
        """See Registries.show."""
        return await self._threads.run(self._twin.show, project, server)
