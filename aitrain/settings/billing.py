"""The settings of billing."""

from __future__ import annotations

from pydantic import Field

from aitrain.domain.billing import Policy
from aitrain.settings.section import Section


class BillingSettings(Section):
    """How runs are billed.

    policy: from when on, for attempts that are placed from now on.
    """

    policy: Policy = Policy.RUNNING
    # A month that is over for less is not pruned: long enough for questions about a bill, and for a year's accounts.
    ledger_retention_days: int = Field(default=400, ge=1)
