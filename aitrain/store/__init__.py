"""The job store. `Store` is its one class; the scripts in lua/ are its one way to write."""

from aitrain.store.answers import HostJob, Lease, LogLine, Moved, Seen, Submitted
from aitrain.store.redis_store import Store, fence

__all__ = ["HostJob", "Lease", "LogLine", "Moved", "Seen", "Store", "Submitted", "fence"]
