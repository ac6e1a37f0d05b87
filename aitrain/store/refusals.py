"""Refusals of the scripts, as errors."""

from __future__ import annotations

from typing import Any

from aitrain.domain.budget import to_amount
from aitrain.domain.errors import AitrainError, BudgetExceeded, InvalidInput, QuotaExceeded


def refusal(answer: dict[str, Any]) -> AitrainError | None:
    """The error that an answer tells of, None if it tells of none. See lua/shared/quota.lua and budget.lua."""
    match answer.get("refused"):
        case "quota":
            return QuotaExceeded(**{name: answer[name] for name in ("project", "kind", "limit", "used", "asked")})
        case "budget":
            figures = {name: to_amount(int(answer[name])) for name in ("limit", "spent", "set_aside", "asked")}
            return BudgetExceeded(project=answer["project"], month=answer["month"], **figures)
        case "timeout":
            return InvalidInput.of(
                "timeout", 0, f"has no bound, and project {answer['project']!r} has a budget",
                "give a timeout in seconds, so that it is known what the job may cost",
            )  # fmt: skip
    return None
