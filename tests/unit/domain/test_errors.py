"""The errors as whoever catches them has them, also in another process."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal

import pytest

from aitrain.domain import errors
from aitrain.domain.errors import AitrainError
from aitrain.domain.states import EndCause, InfoCode

MADE = [
    errors.InvalidInput.of("cpu", "0", "is none", "give 1"),
    errors.QuotaExceeded(project="red", kind="gpu", limit=4, used=4, asked=1),
    errors.BudgetExceeded(
        project="red", month="2026-11", limit=Decimal(5), spent=Decimal(4), set_aside=Decimal(0), asked=Decimal(2)
    ),
    errors.JobNotFound("x"),
    errors.AmbiguousJob("x", ["x1", "x2"]),
    errors.HostNotFound("h1"),
    errors.DataStoreNotFound("red", "own"),
    errors.ReceiptNotFound("x", 2),
    errors.ReceiptInvalid("it was changed"),
    errors.LineUnreadable("red", "x", "y"),
    errors.JobNotRunning("x", "is DONE"),
    errors.WaitTimeout("it goes on"),
    errors.StoreUnavailable("it does not answer"),
    errors.UserFault(EndCause.EXIT_CODE, InfoCode.JOB_FAILED, "exit code 3"),
]


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_leaves_a_process_as_it_is(error: AitrainError) -> None:
    pickled = pickle.loads(pickle.dumps(error))  # noqa: S301  our own, a moment ago
    for again in (pickled, copy.copy(error)):
        assert type(again) is type(error)
        assert (str(again), repr(again), vars(again)) == (str(error), repr(error), vars(error))
