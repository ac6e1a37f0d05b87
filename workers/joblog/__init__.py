"""The logs of this host's containers: from the engine to a spool on the disk, from there to the store and objects."""

from workers.joblog.ending import keep_end
from workers.joblog.following import follow
from workers.joblog.shipping import send_new
from workers.joblog.spool import Spool, SpoolBusy, spools
from workers.joblog.uploading import Uploader

__all__ = ["Spool", "SpoolBusy", "Uploader", "follow", "keep_end", "send_new", "spools"]
