"""The job store. `Store` is its one class; the scripts in lua/ are its one way to write."""

from aitrain.store.records import HostJob
from aitrain.store.redis_store import Lease, LogLine, Moved, Seen, Store, Submitted, fence

__all__ = ["HostJob", "Lease", "LogLine", "Moved", "Seen", "Store", "Submitted", "fence"]
