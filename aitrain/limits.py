"""What operators set of projects, and see of it: a part of the client."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from aitrain.domain.budget import MOST_AMOUNT, Budget, BudgetRule, BudgetView
from aitrain.domain.checked import checked_project, checked_whole
from aitrain.domain.egress import Egress
from aitrain.domain.errors import InvalidInput, Problem
from aitrain.domain.quota import OverQuota, ProjectRules, Quota, QuotaKind
from aitrain.domain.spec import HIGHEST_PRIORITY, MAX_TIMEOUT_S
from aitrain.settings import Settings
from aitrain.store import Store

MOST_WARN_PERCENT = 100
# From a timeout until its job is told of it, and from a kill until the container has ended.
STOP_MARGIN_SECONDS = 30


class ProjectLimits:
    """The part of a client that limits projects. Raises StoreUnavailable as all of it."""

    settings: Settings
    _store: Store

    def set_quota(self, project: str, kind: QuotaKind | str, limit: int | None) -> None:
        """Sets how many units of a kind ("gpu", "cpu"), how many "jobs", or how many bytes of "cache" on all
        hosts a project may have at once; None for none.

        It holds at once: held jobs are let in for which there is room then; what counts already goes on, also beyond
        the limit. Raises InvalidInput for another kind, a limit that is no whole number of 0 or more, or a project that
        there cannot be.
        """
        if kind not in list(QuotaKind):
            raise InvalidInput.of("kind", kind, "has no quota", f"name one of: {', '.join(QuotaKind)}")
        if limit is not None:
            checked_whole("limit", limit, "cannot be a quota", "give a whole number of 0 or more")
            checked_project(project)
        self._store.set_quota(project, QuotaKind(kind), limit)

    def set_over_quota(self, project: str, what: OverQuota | str | None) -> None:
        """Sets what becomes of a project's jobs over its quota, "refuse" or "hold"; None: what the site says.

        Jobs that are held already stay so. Raises InvalidInput for another word, or a project that there cannot be.
        """
        if what is not None:
            checked_project(project)
        if what is not None and what not in list(OverQuota):
            raise InvalidInput.of("over_quota", what, "is no rule", f"name one of: {', '.join(OverQuota)}")
        self._store.set_over_quota(project, None if what is None else OverQuota(what))

    def over_quota(self, project: str) -> OverQuota:
        """What becomes of a project's jobs over its quota."""
        return self._store.over_quota(project) or self.settings.limits.over_quota

    def set_egress(self, project: str, egress: Egress | str | None) -> None:
        """Sets what a project's jobs reach over the network: "bridge", whatever their host does, but not each other; or
        "none". None: what the site says.

        Holds for containers that are started from now on. Raises InvalidInput for another word, or a project that there
        cannot be.
        """
        if egress is not None:
            checked_project(project)
        if egress is not None and egress not in list(Egress):
            raise InvalidInput.of("egress", egress, "is no policy", f"name one of: {', '.join(Egress)}")
        self._store.set_egress(project, None if egress is None else Egress(egress))

    def egress(self, project: str) -> Egress:
        """What a project's jobs reach over the network: as set, or as the site says."""
        return self._store.egress(project) or self.settings.limits.egress

    def quotas(self, project: str | None = None) -> list[Quota]:
        """The quotas of a project, each kind of it, with what is in use; or those that are set, of all projects."""
        return self._store.quotas(project)

    def project_rules(self) -> list[ProjectRules]:
        """What is set of projects beside their quotas, of those that have something set, by project."""
        return self._store.project_rules()

    def held_count(self, project: str) -> int:
        """How many jobs of a project are held: accepted, and not counted until there is room."""
        return self._store.held_count(project)

    def set_budget(
        self,
        project: str,
        amount: Decimal | int | str,
        *,
        warn_percent: int = 80,
        rule: BudgetRule | str = BudgetRule.REFUSE,
        stop: bool = False,
    ) -> None:
        """Sets what a project's jobs may cost in a month (UTC), at the most, in the site's currency. It holds at once.

        warn_percent: of the amount, at which a warning is given, 0 for none; rule: "refuse" compares each new job with
        what is left, "reserve" also sets the worst that live jobs may yet cost aside; stop: at the limit what runs is
        stopped with its data pushed, and what waits is held. Raises InvalidInput for what cannot be.
        """
        checked_project(project)
        problems, given = [], str(amount)
        try:
            amount = Decimal(amount)
        except (InvalidOperation, TypeError, ValueError):
            amount = Decimal("NaN")
        if not (amount.is_finite() and 0 <= amount <= MOST_AMOUNT and amount == amount.quantize(Decimal("0.000001"))):
            remedy = f"give a number from 0 to {MOST_AMOUNT}, of six places at most"
            problems.append(Problem("amount", given, "cannot be a budget", remedy))
        if not 0 <= warn_percent <= MOST_WARN_PERCENT:
            remedy = f"give 1 to {MOST_WARN_PERCENT} percent, or 0 for no warning"
            problems.append(Problem("warn_percent", str(warn_percent), "is no share of a budget", remedy))
        if rule not in list(BudgetRule):
            problems.append(Problem("rule", rule, "is no rule", f"name one of: {', '.join(BudgetRule)}"))
        if problems:
            raise InvalidInput(problems)
        budget = Budget(project=project, amount=amount, warn_percent=warn_percent, rule=BudgetRule(rule), stop=stop)
        # A job is billed until its container has ended: told to stop at its timeout, killed after its grace.
        beyond_s = self.settings.timing.stop_grace_seconds + STOP_MARGIN_SECONDS
        self._store.set_budget(budget, beyond_ms=int(beyond_s * 1000))

    def remove_budget(self, project: str) -> None:
        """Takes a project's budget away. What it held is let in."""
        self._store.remove_budget(project)

    def budget(self, project: str) -> BudgetView | None:
        """A project's budget and how it stands this month; None if it has none."""
        return next((view for view in self.budgets() if view.budget.project == project), None)

    def budgets(self) -> Sequence[BudgetView]:
        """Every budget and how it stands this month, by project."""
        return self._store.budgets()

    def set_timeout_limit(self, project: str, seconds: int | None) -> None:
        """Sets the longest timeout of a project's jobs in seconds, 0 for none; None: the site's.

        Raises InvalidInput for a number that is none, or a project that there cannot be.
        """
        if seconds is not None:
            remedy = f"give 0 for no limit, or up to {MAX_TIMEOUT_S} whole seconds"
            checked_whole("max_timeout", seconds, "cannot be a longest timeout", remedy, high=MAX_TIMEOUT_S)
            checked_project(project)
        self._store.set_timeout_limit(project, seconds)

    def timeout_limit(self, project: str) -> int:
        """The longest timeout of a project's jobs in seconds, 0 for none: its own, or the site's."""
        own = self._store.project_terms(project).max_timeout_s
        return self.settings.limits.max_timeout_seconds if own is None else own

    def priority_limit(self, project: str) -> int:
        """The highest priority that a project's jobs may have: its own, or the site's."""
        own = self._store.project_terms(project).max_priority
        return self.settings.limits.max_priority if own is None else own

    def set_priority_limit(self, project: str, highest: int | None) -> None:
        """Sets the highest priority that a project's jobs may have, 0 to 100; None: the site's.

        Holds from the next submission on. Raises InvalidInput for a number that is none, or a project that there
        cannot be.
        """
        if highest is not None:
            remedy = f"give a whole number from 0 to {HIGHEST_PRIORITY}"
            checked_whole("max_priority", highest, "cannot be a highest priority", remedy, high=HIGHEST_PRIORITY)
            checked_project(project)
        self._store.set_priority_limit(project, highest)
