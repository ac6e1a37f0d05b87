"""The door is pinned, holds all that a client gives, and opens without the fleet's packages."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pytest

import aitrain
from aitrain import AsyncClient, Buckets, Client, DataStores, JobSpec, Registries
from aitrain.domain import errors
from aitrain.domain.spec import SpecFields

NAMES = {
    "Admitted", "AitrainError", "AmbiguousJob", "AsyncClient", "Audited", "Bill", "BilledJob", "BrokerUnavailable",
    "BucketNotFound", "BucketRefused", "BucketUnavailable", "Buckets", "BudgetExceeded", "BudgetRule",
    "BudgetView", "CheckUnavailable", "Client", "DataCopy", "DataStoreEntry", "DataStoreNotFound",
    "DataStoreRemoval", "DataStores", "Difference", "Egress", "EndCause", "Explanation", "FlavorPrices", "GpuUse",
    "HistoryEntry", "HostNotFound", "HostRemoval", "HostView", "InfoCode", "InvalidInput", "Job", "JobEdit",
    "JobNotFound", "JobNotRunning", "JobSpec", "JobState", "JobStats", "LedgerLine", "LedgerSums",
    "LineUnreadable", "LogLine", "LogUnavailable", "ObjectDone", "OnHostLoss", "Ordered", "OverQuota",
    "Permission", "ProjectRules", "PrunedMonth", "QueueView", "Quota", "QuotaExceeded", "QuotaKind",
    "ReceiptNotFound", "Registries", "RegistryEntry", "RegistryNotFound", "RegistryRemoval",
    "Resources", "SchemaMismatch", "SealingKey", "SecretUnreadable", "SecretsStatus", "Session",
    "SessionLost", "SessionRefused", "Settings", "StoreUnavailable", "StoredObject", "Submission", "TransferWatch",
    "Unavailable", "UnitCount", "Usage", "Volume", "WaitTimeout", "submit_job", "submit_jobs",
}  # fmt: skip
ERRORS = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
# What a producer is given by a client, it is given by these.
OWNERS = (Client, AsyncClient, DataStores, Registries, Buckets)


def test_a_spec_can_be_given_each_of_its_fields() -> None:
    assert SpecFields.__annotations__.keys() == JobSpec.model_fields.keys()


def test_the_public_names() -> None:
    assert set(aitrain.__all__) == NAMES
    assert all(hasattr(aitrain, name) for name in NAMES)


def test_a_producer_imports_neither_docker_nor_boto3_nor_the_fleet() -> None:
    code = (
        "import aitrain, sys; light = not {'redis', 'pydantic', 'celery', 'cryptography'} & set(sys.modules);"
        "names = [getattr(aitrain, name) for name in aitrain.__all__];"
        "sys.exit(not light or any(m in sys.modules for m in ('docker', 'boto3', 'workers', 'typer', 'rich')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("owner", OWNERS)
def test_what_a_client_takes_gives_and_raises_is_public(owner: type) -> None:
    public = [getattr(aitrain, name) for name in aitrain.__all__]
    for name in re.findall(r"\b[A-Z]\w+", owner.__doc__ or ""):
        assert name not in ERRORS or name in NAMES, f"{owner.__name__}: {name}"
    for function in methods(owner):
        for name in re.findall(r"\b[A-Z]\w+", " ".join(function.__annotations__.values())):
            # What a module imports for annotations only is not to be found there: it must be public by its name.
            meant = function.__globals__.get(name, getattr(aitrain, name, None))
            foreign = name == "None" or not getattr(meant, "__module__", "aitrain").startswith("aitrain")
            assert foreign or meant in public, f"{function.__qualname__}: {name} cannot be imported from aitrain"
        for name in re.findall(r"\b[A-Z]\w+", function.__doc__ or ""):
            assert name not in ERRORS or name in NAMES, f"{function.__qualname__}: {name}"


def methods(owner: type) -> Iterator[Any]:
    """Its public methods, and what makes its public properties."""
    for name, value in inspect.getmembers(owner):
        if name[0] != "_":
            yield value.func if isinstance(value, cached_property) else value


def test_every_error_is_in_the_tree() -> None:
    own = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(error, errors.AitrainError) for error in own)
    tree = errors.__doc__ or ""
    assert all(error.__name__ in tree for error in own)
