"""Settings: read once, from the environment (AITRAIN_...) and from a TOML file named by AITRAIN_CONFIG.

The environment wins over the file. Nested fields are joined by two underscores: AITRAIN_HOST__NAME=gpu-01. Every wait,
retry and limit is here, in the module of its section, with its unit in its name.
"""

from aitrain.settings.billing import BillingSettings
from aitrain.settings.data_stores import DataStore
from aitrain.settings.flower import FlowerSettings
from aitrain.settings.host import HostSettings
from aitrain.settings.limits import Limits
from aitrain.settings.logging import LoggingSettings
from aitrain.settings.logs import LogSettings
from aitrain.settings.receipts import Receipts
from aitrain.settings.secrets import SecretSettings
from aitrain.settings.shared_registry import SharedRegistry
from aitrain.settings.site import Settings, load_settings
from aitrain.settings.timing import Timing

__all__ = [
    "BillingSettings",
    "DataStore",
    "FlowerSettings",
    "HostSettings",
    "Limits",
    "LogSettings",
    "LoggingSettings",
    "Receipts",
    "SecretSettings",
    "Settings",
    "SharedRegistry",
    "Timing",
    "load_settings",
]
