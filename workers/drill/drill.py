"""One drill, from its start to its table."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError
from redis import Redis
from redis.exceptions import RedisError

from aitrain.domain.errors import AitrainError
from aitrain.domain.states import ENDED
from aitrain.store.keys import Keys
from workers.drill.checks import check, looked_at
from workers.drill.heartbeats import Heartbeats
from workers.drill.injection import Injection
from workers.drill.observation import Observation, Told, left_containers, left_messages, left_workspaces, observe
from workers.drill.order import Order, check_machine, read_order
from workers.drill.plan import Plan, make_plan
from workers.drill.planting import plant
from workers.drill.producer import Producer
from workers.drill.queues import Queues
from workers.drill.report import Report
from workers.drill.site import LEASE_SECONDS, NAMESPACE, DrillSite
from workers.drill.witness import BROKEN, Witness
from workers.scratch.servers import ServerFailed

LOOK_SECONDS = 0.5
# After the last job's end, until containers, files and messages are cleaned away by agents and sweeps.
SETTLE_SECONDS = 60.0
# What is there for so long stays.
UNCHANGED_SECONDS = 15.0
# For what a late message may set off.
LATE_SECONDS = 3.0
CLEAN, VIOLATED, IMPOSSIBLE, INTERRUPTED = 0, 1, 2, 130


def main(text: str) -> int:
    """Runs the drill that an order (JSON, see Order) asks for; the exit status: 1 if a promise was broken."""
    # SIGINT, too: a shell starts what it runs in the background with it ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    report = Report()
    try:
        order = read_order(text)
        plan = make_plan(order.seed, order.jobs, order.kinds)
        check_machine()
        return Drill(order, plan, report).run()
    except (AitrainError, ServerFailed, OSError, *BROKEN, RedisError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the command's own word
        return IMPOSSIBLE
    except KeyboardInterrupt:
        report.say("interrupted: everything is ended and removed")
        return INTERRUPTED


class Drill:
    """One drill."""

    def __init__(self, order: Order, plan: Plan, report: Report) -> None:
        self._order, self._plan, self._report = order, plan, report

    def run(self) -> int:
        """Runs it, and leaves nothing behind; the exit status."""
        plan, report = self._plan, self._report
        report.say(f"seed {plan.seed}: {len(plan.jobs)} jobs, {len(plan.faults)} faults; again: {self._order.command}")
        directory = Path(tempfile.mkdtemp(prefix="aitrain-drill-"))
        if self._order.keep:
            report.say(f"its logs are kept in {directory}")
        with ExitStack() as ending:
            variables = plant(self._order.plant, directory / "planted") if self._order.plant else {}
            site = DrillSite(directory, variables)
            ending.callback(lambda: site.remove(keep_logs=self._order.keep))
            ending.enter_context(report)
            report.progress("starting the site")
            injection = Injection(site, plan.faults, report.tell)
            ending.callback(injection.close)
            ending.callback(site.stop)
            site.start(plan.input_text)
            ending.callback(injection.call_off)
            seen = self._course(site, injection)
        violations = check(plan, seen)
        report.result(violations, looked_at(plan, seen))
        return VIOLATED if violations else CLEAN

    def _course(self, site: DrillSite, injection: Injection) -> Observation:
        """From the first submission to the look at everything."""
        with ExitStack() as ending:
            client = ending.enter_context(site.client())
            witnesses = [Witness(host.name, host.engine.url, NAMESPACE) for host in site.hosts.values()]
            for witness in witnesses:
                ending.callback(witness.stop)
                witness.start()
            heartbeats = Heartbeats(site.redis.url, NAMESPACE, LEASE_SECONDS)
            ending.callback(heartbeats.stop)
            heartbeats.start()
            self._report.begin()
            began = time.monotonic()
            producer = Producer(client, self._plan)
            ending.callback(producer.end)
            producer.start(began)
            injection.start(began)
            self._until_all_ended(site, producer, injection, began + 60 * self._order.minutes)
            injection.call_off()
            if injection.problems:
                raise ServerFailed("the drill is spoiled, what it broke cannot be mended: " + injection.problems[0])
            # Its ticks are messages too.
            site.beat.stop()
            self._until_settled(site, witnesses)
            self._deliver_late(site, witnesses)
            told = Told(producer.refused, producer.stopped, injection.struck, heartbeats.silences())
            return observe(site, self._plan, client, witnesses, told)

    def _until_all_ended(self, site: DrillSite, producer: Producer, injection: Injection, deadline: float) -> None:
        jobs = Ended(site)
        while time.monotonic() < deadline and not injection.problems:
            self._supervise(site)
            ended = jobs.count()
            self._report.progress(f"{len(producer.submitted)} submitted, {ended} ended, of {len(self._plan.jobs)} jobs")
            if producer.over and injection.over and ended + len(producer.refused) >= len(self._plan.jobs):
                self._report.tell("every job has ended")
                return
            time.sleep(LOOK_SECONDS)
        self._report.tell(f"not every job ended within {self._order.minutes:g} minutes")

    def _until_settled(self, site: DrillSite, witnesses: list[Witness]) -> None:
        end, changed, before = time.monotonic() + SETTLE_SECONDS, time.monotonic(), [""]
        while time.monotonic() < min(end, changed + UNCHANGED_SECONDS):
            self._supervise(site)
            try:
                left = [*left_containers(witnesses), *map(str, left_workspaces(site)), *left_messages(site)]
            except (*BROKEN, RedisError) as error:
                left = [str(error)]
            if left != before:
                changed, before = time.monotonic(), left
            if not left:
                self._report.tell("at rest")
                return
            self._report.progress(f"waiting for rest: {len(left)} things left")
            time.sleep(LOOK_SECONDS)

    def _deliver_late(self, site: DrillSite, witnesses: list[Witness]) -> None:
        """A worker that is killed takes a message along now and then. The broker hands it out again after an hour; here
        it comes now, and must not change anything.
        """
        with closing(Queues(site.redis.url, NAMESPACE)) as queues:
            count = queues.hand_out_again()
        if count:
            self._report.tell(f"{count} messages that killed workers took along are delivered late")
            time.sleep(LATE_SECONDS)
            self._until_settled(site, witnesses)

    def _supervise(self, site: DrillSite) -> None:
        """Starts again what ended by itself, as a service manager does."""
        for part in site.parts:
            status = part.keep()
            if status is not None:
                self._report.tell(f"{part.name} ended by itself with status {status}, and is started again")


class Ended:
    """How many jobs have ended, as far as Redis answers."""

    def __init__(self, site: DrillSite) -> None:
        self._redis: Any = Redis.from_url(site.redis.url, socket_timeout=LOOK_SECONDS)
        self._keys = Keys(NAMESPACE)
        self._last = 0

    def count(self) -> int:
        """Of all jobs; the last known number while Redis is away."""
        with suppress(RedisError):
            self._last = sum(int(self._redis.zcard(self._keys("state", state))) for state in ENDED)
        return self._last
