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
from aitrain.store.checks import Check, CheckAnswer, RegistryCheck
from aitrain.store.connection import fence, token
from aitrain.store.delivery import Delivered, Vouched
from aitrain.store.fleet import DeadHosts, HostRemoval
from aitrain.store.listing import Wanted
from aitrain.store.logs import ChunkAnswer, ChunkAsk, DueLog, LogStand, LogState
from aitrain.store.months import MonthView, PrunedMonth
from aitrain.store.receipts import UnsignedEnd
from aitrain.store.redis_store import Store
from aitrain.store.sealed import SealedSecret, SiteKeys
from aitrain.store.sessions import Ask, Entry, Kind, Side

__all__ = [
    "Ask",
    "Begun",
    "Check",
    "CheckAnswer",
    "ChunkAnswer",
    "ChunkAsk",
    "CopyBegun",
    "CopyLease",
    "DeadHosts",
    "Delivered",
    "DueLog",
    "Entry",
    "Heard",
    "HostJob",
    "HostRemoval",
    "HostTiming",
    "Kept",
    "Kind",
    "Lease",
    "LogLine",
    "LogStand",
    "LogState",
    "MonthView",
    "Moved",
    "Ordered",
    "PrunedMonth",
    "RegistryCheck",
    "SealedSecret",
    "Seen",
    "Side",
    "SiteKeys",
    "Store",
    "Submitted",
    "UnitCount",
    "UnsignedEnd",
    "Vouched",
    "Wanted",
    "fence",
    "token",
]
