"""What operators order of hosts, and see of hosts and queues: a part of the client."""

from __future__ import annotations

import logging
import time

from aitrain.broker import CONTROL_QUEUE, UNROUTED_QUEUE, Broker, host_queue, queues_of
from aitrain.dispatch import Dispatcher
from aitrain.domain.errors import BrokerUnavailable, HostNotFound, InvalidInput, StoreUnavailable, WaitTimeout
from aitrain.domain.host import HostView, Owner, QueueView
from aitrain.settings import Settings
from aitrain.site_secrets import SecretsStatus, secrets_status
from aitrain.store import HostRemoval, Store

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
# A drain that is further away is none; and the dates of people end somewhere.
LONGEST_DRAIN_SECONDS = 366 * 86_400
LONGEST_REASON = 500


class Operations:
    """The part of a client that operators use. Raises StoreUnavailable as all of it."""

    settings: Settings
    _store: Store
    _broker: Broker
    _dispatcher: Dispatcher

    def secrets_status(self) -> SecretsStatus:
        """How the site's secrets are kept: which key sealed how many, and whether one may be removed."""
        return secrets_status(self._store)

    def hosts(self) -> list[HostView]:
        """Every host that has joined and was not removed, by name."""
        return self._with_messages(self._store.host_views(self._store.host_names()))

    def host(self, name: str) -> HostView:
        """A host as it stands. Raises HostNotFound."""
        return self._with_messages([self._stands(name)])[0]

    def cordon_host(self, name: str, unit: str = "", *, by: str = "", reason: str = "") -> None:
        """Gives a host, or one of its units (its id, or FLAVOR/ID), no more jobs. What runs there goes on.

        It holds until it is taken back, also over restarts of the host. Raises HostNotFound, and InvalidInput for a
        unit that the host does not have, or a reason that is no line of text.
        """
        self._store.cordon(name, unit, by=by, reason=_checked(reason))

    def uncordon_host(self, name: str, unit: str = "") -> None:
        """Takes a cordon or a drain back; jobs that wait are placed. Raises as cordon_host does.

        What is being evicted already still goes. A unit that its agent finds unfit stays aside.
        """
        if self._store.uncordon(name, unit):
            try:
                self._dispatcher.place_waiting()
            except StoreUnavailable as error:
                log.warning("host %s is back in placement; nothing was placed there yet: %s", name, error)

    def drain_host(
        self, name: str, unit: str = "", *, deadline: float | None = None, by: str = "", reason: str = ""
    ) -> None:
        """Empties a host, or one of its units: a cordon, and the jobs there finish.

        deadline: after so many seconds those that have not are evicted: stopped, their data pushed, and queued again as
        their next attempt; None: they may take as long as they do. Ordered again, it sets the deadline anew. Raises as
        cordon_host does, and InvalidInput for a deadline below 0 or above a year.
        """
        if deadline is not None and not 0 <= deadline <= LONGEST_DRAIN_SECONDS:
            remedy = f"give 0 to {LONGEST_DRAIN_SECONDS} (366 days), or none: then jobs may take as long as they do"
            raise InvalidInput.of("deadline", deadline, "is no number of seconds that a drain may take", remedy)
        drain_ms = -1 if deadline is None else int(deadline * 1000)
        self._store.cordon(name, unit, by=by, reason=_checked(reason), drain_ms=drain_ms)

    def wait_drained(self, name: str, unit: str = "", *, timeout: float | None = None) -> HostView:
        """Waits until a host has no jobs, or until nobody holds one of its units.

        timeout: at most so many seconds. Raises HostNotFound, InvalidInput for a unit that it does not have, and
        WaitTimeout.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            view = self._stands(name)
            held = view.unit(unit) if unit else None
            if unit and held is None:
                raise InvalidInput.of("unit", unit, f"is no unit of host {name}", "look at `aitrain host show`")
            if not (view.jobs if held is None else held.job_id):
                return view
            if until is not None and time.monotonic() >= until:
                raise WaitTimeout(f"host {name} still has jobs: {', '.join(job.id for job in view.jobs)}")
            time.sleep(POLL_SECONDS)

    def remove_host(self, name: str, *, force: bool = False, by: str = "") -> HostRemoval:
        """Forgets a host whose processes have ended and that has no jobs. One that starts again joins as a new one.

        force: of a lost host, also gives up the results that it has yet to push: their jobs end ERROR, JOB_SYNC_FAILED.
        done=False in the answer: the host is "alive"; it has "jobs"; or it is "not_lost" yet, and force must wait.
        Raises HostNotFound.
        """
        who = f" by {by}" if by else ""
        return self._store.remove_host(
            name,
            force=force,
            message=f"its host {name} was removed{who} before its results were pushed",
            keep_ms=1000 * self.settings.limits.results_retention_seconds,
        )

    def queues(self, *, ask_workers: bool = True) -> list[QueueView]:
        """Every queue of the site: of hosts, of hosts that were removed, of control workers, and what is unrouted.

        ask_workers: who reads them; takes a second. Raises BrokerUnavailable.
        """
        readers = self._broker.readers() if ask_workers else None
        dropped, flavors = self._store.dropped(), self._store.flavors_ever()
        known: dict[str, QueueView] = {
            CONTROL_QUEUE: QueueView(name=CONTROL_QUEUE, messages=0, owner=Owner.CONTROL),
            UNROUTED_QUEUE: QueueView(name=UNROUTED_QUEUE, messages=0, owner=Owner.NOBODY),
        }
        own = set()
        for view in self._store.host_views(self._store.host_names()):
            offered = {flavor.flavor for flavor in view.flavors}
            own |= {
                host_queue(self.settings.flavors[flavor].kind, flavor, view.name)
                for flavor in offered & self.settings.flavors.keys()
            }
            for queue in queues_of(view.name, flavors):
                known[queue] = QueueView(
                    name=queue, messages=0, owner=Owner.HOST, host=view.name, state=view.state
                )  # fmt: skip
        for host in self._store.dead_hosts().removed:
            for queue in queues_of(host, flavors):
                known[queue] = QueueView(name=queue, messages=0, owner=Owner.REMOVED, host=host)
        lengths = self._broker.lengths(list(known))
        own |= {CONTROL_QUEUE, UNROUTED_QUEUE, *(readers or ())}
        return [
            queue.model_copy(
                update={
                    "messages": lengths[name],
                    "dropped": dropped.get(name, 0),
                    "workers": None if readers is None else tuple(readers.get(name, ())),
                }
            )
            for name, queue in sorted(known.items())
            # Of the queues that a host may have had, those that it has, or that hold something.
            if name in own or lengths[name] or name in dropped
        ]

    def _stands(self, name: str) -> HostView:
        views = self._store.host_views([name])
        if not views:
            raise HostNotFound(name)
        return views[0]

    def _with_messages(self, views: list[HostView]) -> list[HostView]:
        """The same hosts with what waits in their queues, as far as the broker answers."""
        dropped, flavors = self._store.dropped(), self._store.flavors_ever()
        queues = {view.name: queues_of(view.name, flavors) for view in views}
        lengths: dict[str, int] | None = None
        try:
            lengths = self._broker.lengths([queue for of_host in queues.values() for queue in of_host])
        except BrokerUnavailable as error:
            log.warning("what waits in the queues is not known: %s", error)
        return [
            view.model_copy(
                update={
                    "messages": None if lengths is None else sum(lengths[queue] for queue in queues[view.name]),
                    "dropped": sum(dropped.get(queue, 0) for queue in queues[view.name]),
                }
            )
            for view in views
        ]


def _checked(reason: str) -> str:
    """A reason is shown on others' terminals: it is one line of text."""
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        raise InvalidInput.of(
            "reason", reason, "is no line of text", f"write up to {LONGEST_REASON} characters in one line"
        )
    return reason
