"""A made-up list of jobs, for a first look and for tests: the same seed makes the same list."""

from __future__ import annotations

import csv
import io
import math
from random import Random

DAY_S = 86_400
# Of a team of four projects, one of which submits most.
PROJECTS, SHARES = ("vision", "speech", "robotics", "search"), (50, 25, 15, 10)
UNITS, UNIT_SHARES = (1, 2, 4), (70, 18, 12)
# Half of the jobs run for less than this; some for days.
MEDIAN_RUN_S, RUN_SPREAD, LONGEST_RUN_S = 1800, 1.4, 3 * DAY_S
# A day's peak has so much more than its mean.
RHYTHM = 0.8
EVERY_SO_OFTEN_FAILS = 0.05


def sample(jobs: int, seed: int, days: float) -> str:
    """A list of jobs over some days as CSV."""
    random = Random(seed)  # noqa: S311 - made up, and to be made again
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["submitted_s", "project", "units", "run_s", "copy_in_s", "start_s", "copy_out_s", "exit_code"])
    for at in sorted(_arrival(random, days) for _ in range(jobs)):
        run_s = min(LONGEST_RUN_S, random.lognormvariate(math.log(MEDIAN_RUN_S), RUN_SPREAD))
        project = random.choices(PROJECTS, SHARES)[0]
        units = random.choices(UNITS, UNIT_SHARES)[0]
        failed = int(random.random() < EVERY_SO_OFTEN_FAILS)
        copies = (random.randrange(5, 300), random.randrange(2, 30), random.randrange(2, 60))
        writer.writerow([round(at), project, units, max(1, round(run_s)), *copies, failed])
    return out.getvalue()


def _arrival(random: Random, days: float) -> float:
    """A moment of the days, more likely at noon than at midnight."""
    while True:
        at = random.uniform(0, days * DAY_S)
        likely = 1 - RHYTHM * math.cos(2 * math.pi * at / DAY_S)
        if random.uniform(0, 1 + RHYTHM) < likely:
            return at
