"""The job store. `Store` is its one class; the scripts in lua/ are its one way to write."""

from aitrain.domain.logs import LogLine
from aitrain.store.answers import (
    Begun,
    CopyBegun,
    CopyLease,
    Heard,
    HostJob,
    HostTiming,
    Kept,
    Lease,
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
from aitrain.store.logs import ChunkAnswer, ChunkAsk, DueLog, LogStand, LogState
from aitrain.store.months import MonthView, PrunedMonth
from aitrain.store.receipts import UnsignedEnd
from aitrain.store.redis_store import Store

__all__ = [
    "Begun",
    "Check",
    "CheckAnswer",
    "ChunkAnswer",
    "ChunkAsk",
    "CopyBegun",
    "CopyLease",
    "DataStoreRow",
    "DeadHosts",
    "DueLog",
    "Heard",
    "HostJob",
    "HostTiming",
    "Kept",
    "Lease",
    "LogLine",
    "LogStand",
    "LogState",
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
    "fence",
    "token",
]
