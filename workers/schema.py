"""What every process of the fleet does before all else: it looks whether the job store is of its version.

A control worker brings an older store up to date; the others wait for that. A newer one is refused by all: the scripts
of the store refuse it, too, while a process runs (aitrain/store/lua/shared/call.lua).
"""

from __future__ import annotations

import logging
import time
from contextlib import closing

from aitrain.client import open_store
from aitrain.domain.errors import SchemaMismatch, StoreUnavailable
from aitrain.settings import Settings
from aitrain.store.migrations import Migration, migrate

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


def await_ours(settings: Settings, *, migrates: bool) -> None:
    """Returns once the job store has the schema of this process, or does not answer: whoever starts waits for that.

    migrates: brings an older one up to date. Raises SchemaMismatch for a newer one.
    """
    try:
        if migrates:
            _migrate(settings)
        else:
            _wait(settings)
    except SchemaMismatch:
        raise
    except StoreUnavailable as error:
        log.warning("the schema of the job store is not known yet: %s", error)


def _migrate(settings: Settings) -> None:
    with closing(Migration(settings.redis_url, namespace=settings.namespace, ca_file=settings.redis_ca_file)) as store:
        done = migrate(store)
    if done is None:
        return
    for line in done.said:
        log.warning("%s", line)
    log.warning("the job store was brought up to date from schema %d", done.before)


def _wait(settings: Settings) -> None:
    told = ""
    with closing(open_store(settings)) as store:
        while True:
            try:
                store.check_schema()
            except SchemaMismatch as error:
                if error.for_good:
                    raise
                if str(error) != told:
                    log.warning("%s; this process waits for that", error)
                    told = str(error)
            else:
                return
            time.sleep(LOOK_SECONDS)
