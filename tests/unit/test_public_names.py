"""The door stays small, and opens without the fleet's packages."""

import subprocess
import sys

import aitrain

NAMES = {
    "AitrainError", "AmbiguousJob", "AsyncClient", "BrokerUnavailable", "BudgetExceeded", "Client", "DataStoreNotFound",
    "HostNotFound",
    "InvalidInput", "Job", "JobEdit", "JobNotFound", "JobSpec", "JobState", "QuotaExceeded", "Resources",
    "StoreUnavailable", "Submission", "Unavailable", "Volume", "WaitTimeout", "submit_job", "submit_jobs",
}  # fmt: skip


def test_the_public_names() -> None:
    assert set(aitrain.__all__) == NAMES
    assert all(hasattr(aitrain, name) for name in NAMES)


def test_a_producer_imports_neither_docker_nor_boto3_nor_the_fleet() -> None:
    code = (
        "import aitrain, sys; sys.exit(any(m in sys.modules for m in ('docker', 'boto3', 'workers', 'typer', 'rich')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_error_is_in_the_tree() -> None:
    from aitrain.domain import errors

    own = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(error, errors.AitrainError) for error in own)
    tree = errors.__doc__ or ""
    assert all(error.__name__ in tree for error in own)
