"""What is followed for days outlives a job store that is away for minutes, as in a restart or a failover."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from aitrain.cli.output import err
from aitrain.domain.errors import StoreUnavailable
from aitrain.watching import AWAY_SECONDS, Patience

P = ParamSpec("P")
T = TypeVar("T")

PAUSE_SECONDS = 0.5


def patiently(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What is read, once the job store answers: until then says so. Raises StoreUnavailable if it stays away."""
    patience, away = Patience(), False
    while True:
        try:
            found = read(*args, **kwargs)
        except StoreUnavailable as error:
            if not patience.bears(error):
                raise
            if not away:
                away = True
                said = f"{error} It is tried again for {AWAY_SECONDS / 60:g} minutes"
                err.print(said, markup=False, soft_wrap=True)
            time.sleep(PAUSE_SECONDS)
        else:
            if away:
                err.print("the job store answers again")
            return found
