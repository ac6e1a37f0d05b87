"""`aitrain simulate`: reads what is asked for, runs it on a scratch Redis, and prints the report."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aitrain.domain.errors import AitrainError, InvalidInput
from aitrain.domain.spec import invalid_input
from aitrain.output import Format, out, show
from aitrain.settings import Settings, load_settings
from workers.scratch.servers import RedisServer, ServerFailed
from workers.simulation.figures import Figures, figures
from workers.simulation.files import LONGEST_SECONDS
from workers.simulation.fleet import Fleet, read_fleet
from workers.simulation.joblist import ListedJob, read_jobs
from workers.simulation.report import Progressing, policy_name, print_report
from workers.simulation.sample import sample
from workers.simulation.simulation import Simulation

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
# The parts of the settings that a simulation may change: they are its policy.
POLICY_SECTIONS = ("timing", "limits")


class Order(BaseModel):
    """What is asked for.

    fleet, jobs: files; policy: FIELD=VALUE of settings that hold instead of the configured ones; compare: the same,
    each for a further simulation; until_hours: of simulated time; sample: print a made-up list of so many jobs instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fleet: Path | None = None
    jobs: Path | None = None
    policy: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()
    until_hours: float | None = Field(default=None, gt=0, le=LONGEST_SECONDS / 3600, allow_inf_nan=False)
    output: Format = Format.TABLE
    sample: int | None = Field(default=None, ge=1, le=10_000_000)
    days: float = Field(default=2.0, gt=0, le=LONGEST_SECONDS / 86_400, allow_inf_nan=False)
    seed: int = 0


def main(text: str) -> int:
    """Does what an order (JSON, see Order) asks for; the exit status."""
    logging.basicConfig(level=logging.ERROR)
    try:
        order = parse_order(text)
        if order.sample is not None:
            sys.stdout.write(sample(order.sample, order.seed, order.days))
            return DONE
        return _simulate(order)
    except (AitrainError, ServerFailed, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return WRONG_INPUT if isinstance(error, InvalidInput) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def parse_order(text: str) -> Order:
    """An order from its JSON. Raises InvalidInput."""
    try:
        return Order.model_validate_json(text)
    except ValidationError as error:
        raise invalid_input(error) from None


def _simulate(order: Order) -> int:
    if order.fleet is None or order.jobs is None:
        missing = "FLEET" if order.fleet is None else "JOBS"
        remedy = "name a TOML file of hosts and a CSV file of jobs; --sample 1000 makes up a list of jobs"
        raise InvalidInput.of(missing, "", "is not given", remedy)
    site = load_settings()
    fleet, jobs = read_fleet(order.fleet, site.flavors), read_jobs(order.jobs, site.flavors)
    policies = [_pairs(order.policy), *({**_pairs(order.policy), **_pairs((one,))} for one in order.compare)]
    variants = [(policy, with_policy(site, policy)) for policy in policies]
    if shutil.which("redis-server") is None:
        raise InvalidInput.of("programs", "redis-server", "cannot be found", "apt-get install redis-server")
    began = time.monotonic()
    runs = [_run(order, policy, settings, fleet, jobs) for policy, settings in variants]
    took_s = time.monotonic() - began

    def report() -> None:
        print_report(runs, site.currency)
        out.print(f"{len(runs) * len(jobs)} jobs simulated in {took_s:.1f} s")

    show([run.model_dump(mode="json") for run in runs], order.output, report)
    return DONE


def _run(
    order: Order, policy: dict[str, str], settings: Settings, fleet: Fleet, jobs: list[ListedJob]
) -> Figures:  # fmt: skip
    until_s = None if order.until_hours is None else 3600 * order.until_hours
    with tempfile.TemporaryDirectory(prefix="aitrain-simulation-") as directory, Progressing() as progress:
        progress.begin(policy_name(policy), len(jobs))
        with RedisServer(Path(directory) / "redis", durable=False) as redis:
            data_dir = Path(directory) / "hosts"
            simulation = Simulation(settings, redis.url, fleet, jobs, data_dir, until_s, progress.watch)
            return figures(simulation.run(), jobs, fleet, settings, policy)


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        field, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput.of("policy", text, "is no FIELD=VALUE", "write timing.placement_patience_seconds=0")
        pairs[field.strip()] = value.strip()
    return pairs


def with_policy(settings: Settings, policy: dict[str, str]) -> Settings:
    """The settings with some of their fields, as "timing.placement_patience_seconds", set otherwise.

    Raises InvalidInput for a field that is none, or a value that it cannot have.
    """
    for path, value in policy.items():
        section, _, field = path.partition(".")
        held = getattr(settings, section, None) if section in POLICY_SECTIONS else None
        if held is None or field not in type(held).model_fields:
            known = ", ".join(
                f"{name}.{f}" for name in POLICY_SECTIONS for f in type(getattr(settings, name)).model_fields
            )
            raise InvalidInput.of(path, value, "is no setting of a policy", f"use one of: {known}")
        settings = settings.model_copy(update={section: _changed(held, path, field, value)})
    return settings


def _changed(held: Any, path: str, field: str, value: str) -> Any:
    try:
        return type(held).model_validate({**held.model_dump(), field: value})
    except ValidationError as error:
        problem = invalid_input(error).problems[0]
        raise InvalidInput.of(path, value, problem.message, problem.remedy) from None
