"""aitrain: self-hosted training jobs on a Celery fleet.

from aitrain import submit_job

job = submit_job("registry.example/team/trainer:1", ["python", "train.py"], gpu=1, volumes=["data@s3:/data"])
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aitrain.async_client import AsyncClient
    from aitrain.bills import FlavorPrices
    from aitrain.buckets import Buckets, ObjectDone, StoredObject, TransferWatch
    from aitrain.client import Client, submit_job, submit_jobs
    from aitrain.data_stores import DataStoreRemoval, DataStores
    from aitrain.domain.admission import Admitted
    from aitrain.domain.audit import Audited, Difference
    from aitrain.domain.bill import Bill, Usage
    from aitrain.domain.billing import BilledJob, LedgerLine
    from aitrain.domain.budget import BudgetRule, BudgetView
    from aitrain.domain.copying import DataCopy
    from aitrain.domain.datastore import DataStoreEntry
    from aitrain.domain.egress import Egress
    from aitrain.domain.errors import (
        AitrainError,
        AmbiguousJob,
        BrokerUnavailable,
        BucketNotFound,
        BucketRefused,
        BucketUnavailable,
        BudgetExceeded,
        CheckUnavailable,
        DataStoreNotFound,
        HostNotFound,
        InvalidInput,
        JobNotFound,
        JobNotRunning,
        LineUnreadable,
        LogUnavailable,
        QuotaExceeded,
        ReceiptNotFound,
        RegistryNotFound,
        SchemaMismatch,
        SecretUnreadable,
        SessionLost,
        SessionRefused,
        StoreUnavailable,
        Unavailable,
        WaitTimeout,
    )
    from aitrain.domain.host import HostView, QueueView
    from aitrain.domain.job import HistoryEntry, Job
    from aitrain.domain.logs import LogLine
    from aitrain.domain.orders import JobEdit
    from aitrain.domain.quota import OverQuota, ProjectRules, Quota, QuotaKind
    from aitrain.domain.registry import RegistryEntry
    from aitrain.domain.spec import JobSpec, OnHostLoss, Resources
    from aitrain.domain.states import EndCause, InfoCode
    from aitrain.domain.states import State as JobState
    from aitrain.domain.usage import GpuUse, JobStats
    from aitrain.domain.volume import Permission, Volume
    from aitrain.domain.waiting import Explanation
    from aitrain.ledger_file import LedgerSums
    from aitrain.registries import Registries, RegistryRemoval
    from aitrain.sessions import Session
    from aitrain.settings import Settings
    from aitrain.site_secrets import SealingKey, SecretsStatus
    from aitrain.store import HostRemoval, Ordered, PrunedMonth, UnitCount
    from aitrain.submissions import Submission

__all__ = [
    "Admitted",
    "AitrainError",
    "AmbiguousJob",
    "AsyncClient",
    "Audited",
    "Bill",
    "BilledJob",
    "BrokerUnavailable",
    "BucketNotFound",
    "BucketRefused",
    "BucketUnavailable",
    "Buckets",
    "BudgetExceeded",
    "BudgetRule",
    "BudgetView",
    "CheckUnavailable",
    "Client",
    "DataCopy",
    "DataStoreEntry",
    "DataStoreNotFound",
    "DataStoreRemoval",
    "DataStores",
    "Difference",
    "Egress",
    "EndCause",
    "Explanation",
    "FlavorPrices",
    "GpuUse",
    "HistoryEntry",
    "HostNotFound",
    "HostRemoval",
    "HostView",
    "InfoCode",
    "InvalidInput",
    "Job",
    "JobEdit",
    "JobNotFound",
    "JobNotRunning",
    "JobSpec",
    "JobState",
    "JobStats",
    "LedgerLine",
    "LedgerSums",
    "LineUnreadable",
    "LogLine",
    "LogUnavailable",
    "ObjectDone",
    "OnHostLoss",
    "Ordered",
    "OverQuota",
    "Permission",
    "ProjectRules",
    "PrunedMonth",
    "QueueView",
    "Quota",
    "QuotaExceeded",
    "QuotaKind",
    "ReceiptNotFound",
    "Registries",
    "RegistryEntry",
    "RegistryNotFound",
    "RegistryRemoval",
    "Resources",
    "SchemaMismatch",
    "SealingKey",
    "SecretUnreadable",
    "SecretsStatus",
    "Session",
    "SessionLost",
    "SessionRefused",
    "Settings",
    "StoreUnavailable",
    "StoredObject",
    "Submission",
    "TransferWatch",
    "Unavailable",
    "UnitCount",
    "Usage",
    "Volume",
    "WaitTimeout",
    "submit_job",
    "submit_jobs",
]

# Where each public name stands. They are imported when they are first asked for: a command that needs no job store
# does not wait for Redis, pydantic and cryptography to load.
_HOMES: dict[str, tuple[str, ...]] = {
    "aitrain.async_client": ("AsyncClient",),
    "aitrain.bills": ("FlavorPrices",),
    "aitrain.buckets": ("Buckets", "ObjectDone", "StoredObject", "TransferWatch"),
    "aitrain.client": ("Client", "submit_job", "submit_jobs"),
    "aitrain.data_stores": ("DataStoreRemoval", "DataStores"),
    "aitrain.domain.admission": ("Admitted",),
    "aitrain.domain.audit": ("Audited", "Difference"),
    "aitrain.domain.bill": ("Bill", "Usage"),
    "aitrain.domain.billing": ("BilledJob", "LedgerLine"),
    "aitrain.domain.budget": ("BudgetRule", "BudgetView"),
    "aitrain.domain.copying": ("DataCopy",),
    "aitrain.domain.datastore": ("DataStoreEntry",),
    "aitrain.domain.egress": ("Egress",),
    "aitrain.domain.errors": (
        "AitrainError", "AmbiguousJob", "BrokerUnavailable", "BucketNotFound", "BucketRefused", "BucketUnavailable",
        "BudgetExceeded", "CheckUnavailable", "DataStoreNotFound", "HostNotFound", "InvalidInput", "JobNotFound",
        "JobNotRunning", "LineUnreadable", "LogUnavailable", "QuotaExceeded", "ReceiptNotFound", "RegistryNotFound",
        "SecretUnreadable", "SchemaMismatch", "SessionLost", "SessionRefused", "StoreUnavailable", "Unavailable",
        "WaitTimeout",
    ),
    "aitrain.domain.host": ("HostView", "QueueView"),
    "aitrain.domain.job": ("HistoryEntry", "Job"),
    "aitrain.domain.logs": ("LogLine",),
    "aitrain.domain.orders": ("JobEdit",),
    "aitrain.domain.quota": ("OverQuota", "ProjectRules", "Quota", "QuotaKind"),
    "aitrain.domain.registry": ("RegistryEntry",),
    "aitrain.domain.spec": ("JobSpec", "OnHostLoss", "Resources"),
    "aitrain.domain.states": ("EndCause", "InfoCode", "JobState"),
    "aitrain.domain.usage": ("GpuUse", "JobStats"),
    "aitrain.domain.volume": ("Permission", "Volume"),
    "aitrain.domain.waiting": ("Explanation",),
    "aitrain.ledger_file": ("LedgerSums",),
    "aitrain.registries": ("Registries", "RegistryRemoval"),
    "aitrain.sessions": ("Session",),
    "aitrain.settings": ("Settings",),
    "aitrain.site_secrets": ("SealingKey", "SecretsStatus"),
    "aitrain.store": ("HostRemoval", "Ordered", "PrunedMonth", "UnitCount"),
    "aitrain.submissions": ("Submission",),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for. Raises AttributeError for any other."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    collects = gc.isenabled()
    gc.disable()  # what loading makes stays; looking through it over and over takes a tenth of the time
    try:
        home = import_module(_HOME[name])
    finally:
        if collects:
            gc.enable()
    found = globals()[name] = getattr(home, "State" if name == "JobState" else name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
