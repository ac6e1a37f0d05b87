"""Refusals of the scripts, as errors."""

from __future__ import annotations

from typing import Any

from aitrain.domain.errors import AitrainError, QuotaExceeded


def refusal(answer: dict[str, Any]) -> AitrainError | None:
    """The error that an answer tells of, None if it tells of none. See over_quota in lua/shared/quota.lua."""
    if answer.get("refused") == "quota":
        return QuotaExceeded(**{name: answer[name] for name in ("project", "kind", "limit", "used", "asked")})
    return None
