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
    from aitrain.client import Client, submit_job, submit_jobs
    from aitrain.domain.errors import (
        AitrainError,
        AmbiguousJob,
        BrokerUnavailable,
        BudgetExceeded,
        DataStoreNotFound,
        HostNotFound,
        InvalidInput,
        JobNotFound,
        QuotaExceeded,
        StoreUnavailable,
        Unavailable,
        WaitTimeout,
    )
    from aitrain.domain.job import Job
    from aitrain.domain.orders import JobEdit
    from aitrain.domain.spec import JobSpec, Resources
    from aitrain.domain.states import State as JobState
    from aitrain.domain.volume import Volume
    from aitrain.submissions import Submission

__all__ = [
    "AitrainError",
    "AmbiguousJob",
    "AsyncClient",
    "BrokerUnavailable",
    "BudgetExceeded",
    "Client",
    "DataStoreNotFound",
    "HostNotFound",
    "InvalidInput",
    "Job",
    "JobEdit",
    "JobNotFound",
    "JobSpec",
    "JobState",
    "QuotaExceeded",
    "Resources",
    "StoreUnavailable",
    "Submission",
    "Unavailable",
    "Volume",
    "WaitTimeout",
    "submit_job",
    "submit_jobs",
]

# Where each public name stands. They are imported when they are first asked for: a command that needs no job store
# does not wait for Redis, pydantic and cryptography to load.
_ERRORS = "aitrain.domain.errors"
_HOME = {
    "AsyncClient": "aitrain.async_client",
    "Client": "aitrain.client",
    "Job": "aitrain.domain.job",
    "JobEdit": "aitrain.domain.orders",
    "JobSpec": "aitrain.domain.spec",
    "JobState": "aitrain.domain.states",
    "Resources": "aitrain.domain.spec",
    "Submission": "aitrain.submissions",
    "Volume": "aitrain.domain.volume",
    "submit_job": "aitrain.client",
    "submit_jobs": "aitrain.client",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for. Raises AttributeError for any other."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    collects = gc.isenabled()
    gc.disable()  # what loading makes stays; looking through it over and over takes a tenth of the time
    try:
        home = import_module(_HOME.get(name, _ERRORS))
    finally:
        if collects:
            gc.enable()
    found = globals()[name] = getattr(home, "State" if name == "JobState" else name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
