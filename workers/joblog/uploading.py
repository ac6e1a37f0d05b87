"""Brings the closed parts of spools to the object store."""

from __future__ import annotations

from aitrain.domain.logs import LogPlace, chunk_key, pack_chunk
from aitrain.settings import LogSettings
from workers.data_stores import ProjectDataStores
from workers.datasync.objects import Objects
from workers.joblog.spool import Segment, Spool
from workers.machine import Machine
from workers.secrets import JobSecrets


class Uploader:
    """Of one host."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    @property
    def _settings(self) -> LogSettings:
        return self._machine.settings.logs

    def upload(self, spool: Spool) -> None:
        """Uploads what is closed, registers it, and has its files go; where logs are kept nowhere, files go once the
        store has had their lines. Raises JobFault and StoreUnavailable.
        """
        place, closed = self._settings.place, spool.closed()
        if not closed:
            return
        if place is not None:
            objects = self._objects(spool, place)
            objects.ensure()
            for segment in closed:
                self._upload(spool, segment, objects, place)
            return
        stand = self._machine.store.log_stand(spool.job_id, spool.fence)
        for segment in closed:
            if spool.ended or (stand.known and segment.first + segment.path.read_bytes().count(b"\n") <= stand.next):
                spool.mark_sent(segment)

    def _upload(self, spool: Spool, segment: Segment, objects: Objects, place: LogPlace) -> None:
        try:
            text = segment.path.read_bytes()
        except FileNotFoundError:  # it was dropped for want of room
            return
        objects.write(self._key(spool, segment.first, place), pack_chunk(text))
        cut = self._machine.store.register_log_chunk(
            spool.job_id, spool.fence, first=segment.first, count=text.count(b"\n"), size=len(text),
            max_bytes=self._settings.max_bytes,
        )  # fmt: skip
        objects.delete(self._key(spool, first, place) for first in cut)
        spool.mark_sent(segment)

    def _objects(self, spool: Spool, place: LogPlace) -> Objects:
        machine = self._machine
        # Its job may have left the host: then nobody takes back what is delivered, but who reads it.
        secrets = JobSecrets(machine, spool.project, spool.job_id, spool.fence, keep=not spool.ended)
        stores = ProjectDataStores(spool.project, machine.store, machine.settings.data_stores, secrets.data_store)
        return Objects(stores, place.alias, place.container)

    def _key(self, spool: Spool, first: int, place: LogPlace) -> str:
        return chunk_key(place.prefix, spool.project, spool.job_id, spool.attempt, first)
