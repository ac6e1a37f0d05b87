"""The job store: the truth about every job, in Redis. One method per verb; each write is one atomic script.

Every write may be applied twice without harm, because the client sends a command again when a connection breaks before
the answer: moves carry an operation's id, everything else sets what it says rather than adding to it.
"""

from __future__ import annotations

from aitrain.store.budgets import Budgets
from aitrain.store.checks import Checks
from aitrain.store.copies import Copies
from aitrain.store.data_stores import DataStoreRows
from aitrain.store.delivery import Deliveries
from aitrain.store.fleet import Fleet
from aitrain.store.hosts import Hosts
from aitrain.store.listing import Listing
from aitrain.store.logs import Logs
from aitrain.store.months import Months
from aitrain.store.orders import Orders
from aitrain.store.placement import Placement
from aitrain.store.quotas import Quotas
from aitrain.store.receipts import Receipts
from aitrain.store.registries import RegistryRows
from aitrain.store.sealed import SealedSecrets
from aitrain.store.sessions import Sessions
from aitrain.store.steps import Steps
from aitrain.store.vitals import VitalSigns


class Store(
    Listing,
    Orders,
    Steps,
    Placement,
    Copies,
    Hosts,
    Fleet,
    Months,
    Quotas,
    Budgets,
    Receipts,
    Logs,
    DataStoreRows,
    RegistryRows,
    SealedSecrets,
    Deliveries,
    Checks,
    Sessions,
    VitalSigns,
):
    """The job store of one site: all its verbs."""
