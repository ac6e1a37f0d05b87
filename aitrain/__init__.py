"""aitrain: self-hosted training jobs on a Celery fleet.

from aitrain import submit_job

job = submit_job("registry.example/team/trainer:1", ["python", "train.py"], gpu=1, volumes=["data@s3:/data"])
"""

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
