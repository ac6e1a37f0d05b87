"""Budgets: setting, reading and enforcing them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aitrain.domain.billing import month_of
from aitrain.domain.budget import Budget, BudgetRule, BudgetView, price_minutes, to_amount
from aitrain.store.connection import Connection


@dataclass(frozen=True)
class BudgetWarning:
    """A budget that was found nearly spent. Amounts in the site's currency."""

    project: str
    month: str
    limit: Decimal
    spent: Decimal


@dataclass(frozen=True)
class Enforced:
    """What a sweep of the budgets did. stopped, held: ids of jobs."""

    warned: Sequence[BudgetWarning]
    stopped: Sequence[str]
    held: Sequence[str]


class Budgets(Connection):
    """What projects may spend in a month."""

    def set_budget(self, budget: Budget, *, beyond_ms: int = 0) -> None:
        """Sets a project's budget. beyond_ms: with the rule reserve, how long a job may run beyond its timeout."""
        numbers = [
            price_minutes(budget.amount), budget.warn_percent, budget.rule, int(budget.stop),
            beyond_ms if budget.rule is BudgetRule.RESERVE else 0,
        ]  # fmt: skip
        self._run("set_budget", {"project": budget.project, "budget": json.dumps(numbers)})

    def remove_budget(self, project: str) -> None:
        """Takes a project's budget away."""
        self._run("set_budget", {"project": project, "budget": ""})

    def budgets(self) -> list[BudgetView]:
        """Every budget, by project."""
        held = self._ask(lambda: self._redis.hgetall(self._key("budgets")))
        month = month_of(self._now_ms())
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(self._key("spent", month))
        pipe.hgetall(self._key("set_aside"))
        pipe.hgetall(self._key("budget_warned"))
        spent, aside, warned = self._ask(pipe.execute)
        return [
            BudgetView(
                budget=_to_budget(project, text),
                month=month,
                spent=to_amount(int(spent.get(project, 0))),
                set_aside=to_amount(int(aside.get(project, 0))),
                warned=warned.get(project) == month,
            )
            for project, text in sorted(held.items())
        ]

    def sweep_budgets(self, limit: int, message: str) -> Enforced:
        """Warns of what is nearly spent; of what is spent, stops and holds up to `limit` jobs. message: why."""
        answer: dict[str, Any] = self._run("sweep_budgets", {"limit": limit, "message": message})
        warned = [
            BudgetWarning(one["project"], one["month"], to_amount(int(one["limit"])), to_amount(int(one["spent"])))
            for one in list(answer["warned"])
        ]
        return Enforced(warned, list(answer["stopped"]), list(answer["held"]))


def _to_budget(project: str, text: str) -> Budget:
    limit, warn, rule, stop, _ = json.loads(text)
    return Budget(project=project, amount=to_amount(limit), warn_percent=warn, rule=BudgetRule(rule), stop=bool(stop))
