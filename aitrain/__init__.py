"""aitrain: self-hosted training jobs on a Celery fleet.

from aitrain import submit_job

job = submit_job("registry.example/team/trainer:1", ["python", "train.py"], gpu=1, volumes=["data@s3:/data"])
"""

from aitrain.client import Client, submit_job
from aitrain.domain.errors import (
    AitrainError,
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

__all__ = [
    "AitrainError",
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
    "Unavailable",
    "Volume",
    "WaitTimeout",
    "submit_job",
]
