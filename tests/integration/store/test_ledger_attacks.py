"""What would make a bill wrong if the store believed it: late words, lies, ids that come again, large sums."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from importlib import resources

import pytest

from aitrain.audit import Audit
from aitrain.domain.admission import Site, admit
from aitrain.domain.billing import Policy
from aitrain.domain.errors import InvalidInput, StoreUnavailable
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.store import Seen
from tests.integration.store.one_host import DAY, FOR_YEARS, HOUR, MINUTE, SECOND, OneHost
from workers.scratch.servers import RedisServer


@pytest.fixture
def site(redis: RedisServer, namespace: str) -> Iterator[OneHost]:
    site = OneHost(redis.url, namespace)
    yield site
    site.store.close()


def audited(site: OneHost) -> list[str]:
    found: list[str] = []
    Audit(site.store, None, None, lambda one: found.append(str(one))).run()
    return found


@pytest.mark.parametrize("policy", ["pending", "initializing"])
def test_the_way_of_a_late_word_is_not_billed_twice(site: OneHost, policy: str) -> None:
    """It says that the container began just now, 30 s later: they are in its lead, and in what it then has run."""
    site.store.set_billing(Policy(policy), {})
    job_id = site.placed()
    site.move(job_id, State.PENDING)
    site.now_ms += 10 * SECOND  # it begins
    site.now_ms += 25 * SECOND
    site.move(job_id, State.RUNNING, age_ms=0)
    site.now_ms += 25 * SECOND
    site.move(job_id, State.FINALIZING, ran_ms=50 * SECOND)
    assert site.minutes(job_id) == 1, "60.0 s since the clock started"


def test_a_hosts_fast_clock_bills_no_minute_that_is_far_ahead(site: OneHost) -> None:
    """Its minutes would be in the ledger already when a price is told that should count for them."""
    site.store.set_billing(Policy.RUNNING, {"cpu": Decimal("0.03")})
    job_id = site.placed()
    site.now_ms += 2 * HOUR  # of data
    site.move(job_id, State.PENDING)
    site.move(job_id, State.RUNNING, age_ms=0)
    site.now_ms += MINUTE
    site.seen(job_id, DAY)
    site.store.tick_billing(9)
    assert site.minutes(job_id) <= 2
    site.store.set_billing(Policy.RUNNING, {"cpu": Decimal("0.06")})
    site.now_ms += HOUR
    site.move(job_id, State.FINALIZING, ran_ms=61 * MINUTE)
    assert audited(site) == []


def test_a_host_cannot_speak_of_anothers_job(site: OneHost) -> None:
    site.store.join_host("h2", instance="h2", units={}, max_jobs=1, timing=FOR_YEARS)
    job_id = site.running()
    site.now_ms += HOUR
    seen = [Seen(job_id, site.store.get(job_id).fence, HOUR)]
    site.store.heartbeat("h2", instance="h2", fit=True, seen=seen, timing=FOR_YEARS, resend_ms=HOUR)
    site.store.tick_billing(9)
    assert site.minutes(job_id) == 1


def test_an_id_that_was_billed_is_not_given_again(site: OneHost) -> None:
    """A caller chooses ids. What is left of a deleted job lapses, and its lines would be written over."""
    job_id = site.running()
    site.now_ms += 10 * MINUTE
    site.move(job_id, State.FINALIZING, ran_ms=10 * MINUTE)
    site.move(job_id, State.DONE)
    site.store.delete(job_id, force=False, message="gone")
    site.store._redis.delete(site.store._key("job", job_id))  # its day is over
    admitted = admit(JobSpec.of(image="busybox:latest", resources={"cpu": 1}), Site(BUILT_IN, (), 0, 0))
    with pytest.raises(InvalidInput):
        site.store.submit(job_id, admitted)
    (line,) = site.store.ledger_lines("default")
    assert line.minutes == 10


def test_what_is_spent_is_exact_at_the_highest_price(site: OneHost) -> None:
    price = Decimal("99999.999999")
    site.store.set_billing(Policy.RUNNING, {"v100s": price})
    site.now_ms += MINUTE
    jobs = [site.running(gpu=3)]
    ran_ms = 21 * DAY
    site.now_ms += ran_ms
    site.move(jobs[0], State.FINALIZING, ran_ms=ran_ms)
    lines = site.lines(jobs[0])
    assert site.store.spent("2027-01") == {"default": sum(line.price_minutes for line in lines)}


def test_a_pass_ends_though_the_clock_is_set_back(site: OneHost) -> None:
    for _ in range(3):
        site.running()
    site.now_ms += HOUR
    first = site.store.tick_billing(1)
    site.now_ms -= MINUTE
    assert sum(site.store.tick_billing(1, first.until_ms).looked for _ in range(9)) <= 2


def test_every_verb_compiles(site: OneHost) -> None:
    """Lua allows 200 local names and 60 outer ones in a function, and says so only when a script is run."""
    for verb in resources.files("aitrain.store").joinpath("lua").iterdir():
        if verb.name.endswith(".lua"):
            refused = ""
            try:
                site.store._run(verb.name.removesuffix(".lua"), {})
            except StoreUnavailable as error:
                refused = str(error)
            assert "compiling" not in refused, verb.name
