"""The job store. `Store` is its one class; the scripts in lua/ are its one way to write."""

from aitrain.store.answers import (
    Begun,
    CopyBegun,
    CopyLease,
    Heard,
    HostJob,
    HostTiming,
    Kept,
    Lease,
    LogLine,
    Moved,
    Ordered,
    Seen,
    Submitted,
    UnitCount,
)
from aitrain.store.checks import Check, CheckAnswer
from aitrain.store.connection import fence, token
from aitrain.store.data_stores import DataStoreRow
from aitrain.store.fleet import DeadHosts, Removed
from aitrain.store.listing import Wanted
from aitrain.store.months import MonthView, PrunedMonth
from aitrain.store.receipts import UnsignedEnd
from aitrain.store.redis_store import Store

__all__ = [
    "Begun",
    "Check",
    "CheckAnswer",
    "CopyBegun",
    "CopyLease",
    "DataStoreRow",
    "DeadHosts",
    "Heard",
    "HostJob",
    "HostTiming",
    "Kept",
    "Lease",
    "LogLine",
    "MonthView",
    "Moved",
    "Ordered",
    "PrunedMonth",
    "Removed",
    "Seen",
    "Store",
    "Submitted",
    "UnitCount",
    "UnsignedEnd",
    "Wanted",
    "fence",
    "token",
]
