"""What a simulation prints: tables, side by side if policies are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from aitrain.output import err, out
from workers.simulation.figures import Figures, FlavorGroup, Group

MINUTE, HOUR, DAY = 60, 3600, 86_400


def duration(seconds: float) -> str:
    """Seconds as people read them: 42 s, 12.5 min, 3.2 h, 4.1 d."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.3g} s"
    for unit, name in ((2 * HOUR, "min"), (2 * DAY, "h")):
        if seconds < unit:
            return f"{seconds / (MINUTE if name == 'min' else HOUR):.1f} {name}"
    return f"{seconds / DAY:.1f} d"


# A line of the table: its name, and how it is told of a group.
LINES: tuple[tuple[str, Callable[[Group], str]], ...] = (
    ("jobs", lambda g: str(g.jobs)),
    ("ended", lambda g: ", ".join(f"{count} {state}" for state, count in g.ended.items()) or "0"),
    ("never started", lambda g: str(g.never_started)),
    ("wait p50", lambda g: duration(g.wait_s.p50)),
    ("wait p90", lambda g: duration(g.wait_s.p90)),
    ("wait p99", lambda g: duration(g.wait_s.p99)),
    ("wait max", lambda g: duration(g.wait_s.max)),
    ("slowdown mean", lambda g: f"{g.mean_slowdown:.2f}"),
    ("slowdown p99", lambda g: f"{g.slowdown.p99:.2f}"),
    ("longest queue", lambda g: str(g.longest_queue)),
    ("unit-hours", lambda g: f"{g.unit_hours:.1f}"),
    ("use", lambda g: f"{100 * g.use:.1f} %" if isinstance(g, FlavorGroup) else ""),
    ("cost", lambda g: g.cost),
)


class Progressing:
    """A bar while a simulation runs; on a terminal only, and beside the report."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[jobs]}"))
        self._progress = Progress(*columns, TimeElapsedColumn(), console=err, transient=True)
        self._task = self._progress.add_task("", jobs="", visible=err.is_terminal)

    def begin(self, policy: str, jobs: int) -> None:
        """A simulation of so many jobs begins."""
        self._jobs = jobs
        self._progress.reset(self._task, total=2 * jobs, description=policy, jobs="")

    def watch(self, submitted: int, ended: int) -> None:
        """How far it is."""
        text = f"{submitted} of {self._jobs} submitted, {ended} ended"
        self._progress.update(self._task, completed=submitted + ended, jobs=text)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._progress.stop()


def print_report(runs: Sequence[Figures], currency: str) -> None:
    """Prints one simulation, or several side by side."""
    first = runs[0]
    names = [policy_name(run.policy) for run in runs]
    makespans = ", ".join(duration(run.makespan_s) for run in runs)
    out.print(Text(f"{first.jobs} jobs; from the first submission to the last end: {makespans}"), soft_wrap=True)
    groups: list[tuple[str, Sequence[Group]]] = [(name, [run.flavors[name] for run in runs]) for name in first.flavors]
    if len(groups) > 1:
        groups.append(("all", [run.total for run in runs]))
    out.print(_flavors(groups, names, currency))
    for name, run in zip(names, runs, strict=True):
        out.print(_projects(run, name if len(runs) > 1 else "", currency))
    for name, run in zip(names, runs, strict=True):
        for why, count in run.refused.items():
            out.print(Text(f"{name}: {count} refused: {why}"), soft_wrap=True)
        for waiting in run.never_started:
            lines = ", ".join(str(number) for number in waiting.first)
            told = f"{name}: {waiting.jobs} never started: {waiting.why} (job {lines}{', ...' * (waiting.jobs > 5)})"
            out.print(Text(told), soft_wrap=True)


def policy_name(policy: dict[str, str]) -> str:
    """What was set for a simulation, in a word."""
    return ", ".join(f"{field.rpartition('.')[2]}={value}" for field, value in policy.items()) or "as configured"


def _flavors(groups: Sequence[tuple[str, Sequence[Group]]], names: Sequence[str], currency: str) -> Table:
    """A column for each flavor and policy."""
    table = Table("flavor")
    for group, _ in groups:
        for policy in names:
            table.add_column(f"{group}\n{policy}" if len(names) > 1 else group, justify="right")
    for name, tell in LINES:
        cells = [tell(one) for _, of in groups for one in of]
        table.add_row(f"cost, {currency}" if name == "cost" else name, *cells)
    return table


def _projects(run: Figures, title: str, currency: str) -> Table:
    """A line for each project: there may be many. On a narrow terminal nothing is cut off but goes over lines."""
    heads = ["jobs", "wait p50", "wait p90", "wait max", "slowdown", "unit-\nhours", f"cost, {currency}"]
    table = Table(Column("project", overflow="fold"), title=title or None)
    for head in heads:
        table.add_column(head, justify="right", overflow="fold", min_width=max(map(len, head.split())))
    for project, group in run.projects.items():
        table.add_row(
            project, str(group.jobs), duration(group.wait_s.p50), duration(group.wait_s.p90),
            duration(group.wait_s.max), f"{group.mean_slowdown:.2f}", f"{group.unit_hours:.1f}", group.cost,
        )  # fmt: skip
    return table
