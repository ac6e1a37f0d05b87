"""All settings of a process, and how they are read."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from aitrain.domain.admission import Site
from aitrain.domain.errors import InvalidInput
from aitrain.domain.flavor import BUILT_IN, Flavor, Slug, catalogue_problem
from aitrain.domain.spec import invalid_input
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
from aitrain.settings.timing import Timing


class Settings(BaseSettings):
    """All settings of a process of aitrain.

    redis_url: the job store; broker_url: Celery's broker, the same server if not given; redis_ca_file,
    data_store_ca_file: PEM of the authorities to trust instead of the system's, of Redis with rediss:// and of data
    stores; namespace: prefix of every key in both, and the label that tells this site's containers from others';
    currency: of all prices, on bills; minor_unit: what a bill's total is rounded to, half up; flavors: the catalogue,
    which every process of a site needs; data_stores: of the whole site, by alias.
    """

    model_config = SettingsConfigDict(
        env_prefix="AITRAIN_", env_nested_delimiter="__", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", repr=False)
    broker_url: str | None = Field(default=None, repr=False)
    redis_ca_file: Path | None = None
    data_store_ca_file: Path | None = None
    namespace: Slug = "aitrain"
    currency: str = "EUR"
    minor_unit: Decimal = Field(default=Decimal("0.01"), gt=0, allow_inf_nan=False)
    flavors: dict[Slug, Flavor] = Field(default_factory=lambda: dict(BUILT_IN))
    data_stores: dict[str, DataStore] = Field(default_factory=dict)
    secrets: SecretSettings = SecretSettings()
    shared_registry: SharedRegistry = SharedRegistry()
    host: HostSettings = HostSettings()
    timing: Timing = Timing()
    limits: Limits = Limits()
    receipts: Receipts = Receipts()
    logs: LogSettings = LogSettings()
    logging: LoggingSettings = LoggingSettings()
    billing: BillingSettings = BillingSettings()
    flower: FlowerSettings = FlowerSettings()

    @field_validator("flavors")
    @classmethod
    def _flavors(cls, flavors: dict[str, Flavor]) -> dict[str, Flavor]:
        if problem := catalogue_problem(flavors):
            raise ValueError(problem)
        return flavors

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file."""
        path = os.environ.get("AITRAIN_CONFIG")
        file = (TomlConfigSettingsSource(settings_cls, Path(path)),) if path else ()
        return (named["init_settings"], named["env_settings"], *file)

    @property
    def ca_of_data_stores(self) -> Path | None:
        """The authorities to trust, of data stores; None: the system's."""
        return self.data_store_ca_file or self.host.ca_file

    @property
    def site(self) -> Site:
        """What admission needs to know."""
        return Site(
            flavors=self.flavors,
            data_stores=tuple(self.data_stores),
            shared_registry=self.shared_registry.paths,
            default_timeout_s=self.limits.default_timeout_s,
            max_timeout_s=self.limits.max_timeout_seconds,
            platform_retries=self.limits.platform_retries,
            warning_s=self.limits.timeout_warning_seconds,
            default_priority=self.limits.default_priority,
            max_priority=self.limits.max_priority,
        )


# What earlier versions had; a site that still gives it believes its secrets to be kept in a way that is no more.
GONE_VARIABLE = "AITRAIN_ENCRYPTION_KEYS"


def _gone() -> InvalidInput:
    return InvalidInput.of(
        "encryption_keys", "", "is no setting any more: only control workers have keys, in a file",
        "remove it; make a file with `aitrain secret new-key FILE`, name it as key_file in [secrets] of control "
        "workers, and add the projects' data stores again",
    )  # fmt: skip


def load_settings(**overrides: Any) -> Settings:
    """Reads the settings.

    Raises InvalidInput, which names each wrong setting, and never repeats a secret.
    """
    path = os.environ.get("AITRAIN_CONFIG")
    if path and not Path(path).is_file():
        raise InvalidInput.of("AITRAIN_CONFIG", path, "is not a file", "name a TOML file, or unset it")
    try:
        if GONE_VARIABLE in os.environ:
            raise _gone()
        return Settings(**overrides)
    except ValidationError as error:
        if any(item["loc"] == ("encryption_keys",) for item in error.errors(include_input=False)):
            raise _gone() from None
        raise invalid_input(error) from None
    except ValueError as error:  # tomllib and pydantic-settings tell a file or a variable that cannot be parsed so
        raise InvalidInput.of("settings", path or "", f"cannot be read ({error})", "correct it") from None
