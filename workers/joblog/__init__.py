"""The logs of this host's containers: from the engine to a spool on the disk, from there to the store and objects."""

from workers.joblog.ending import end_left, end_unread, keep_end
from workers.joblog.following import follow
from workers.joblog.opening import open_spool
from workers.joblog.shipping import Shipper
from workers.joblog.spool import Spool, SpoolBusy, spools
from workers.joblog.uploading import Uploader

__all__ = [
    "Shipper", "Spool", "SpoolBusy", "Uploader", "end_left", "end_unread", "follow", "keep_end", "open_spool", "spools",
]  # fmt: skip
