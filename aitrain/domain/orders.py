"""Orders that change a job which exists."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from aitrain.domain.errors import InvalidInput
from aitrain.domain.spec import LABEL, MAX_TIMEOUT_S, check_labels, invalid_input


class JobEdit(BaseModel):
    """What may be changed of a job after it was submitted. Fields that are not given stay as they are.

    timeout: seconds of RUNNING in all, 0 for the site's default; the deadline of a running job moves. auto_restart: as
    in JobSpec. labels: to set. drop_labels: keys to remove.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    timeout: int | None = Field(default=None, ge=0, le=MAX_TIMEOUT_S, strict=True)
    auto_restart: bool | None = Field(default=None, strict=True)
    labels: dict[str, str] = Field(default_factory=dict)
    drop_labels: tuple[str, ...] = ()

    @field_validator("labels")
    @classmethod
    def _labels(cls, value: dict[str, str]) -> dict[str, str]:
        return check_labels(value)

    @classmethod
    def of(cls, **fields: Any) -> JobEdit:
        """An edit from its fields.

        Raises InvalidInput, which names each wrong field, its value and what would be right; also if none is given.
        """
        try:
            edit = cls(**fields)
        except ValidationError as error:
            raise invalid_input(error) from None
        if not edit.model_fields_set:
            raise InvalidInput.of("edit", "", "changes nothing", "give a timeout, auto_restart or labels")
        for key in edit.drop_labels:
            if not LABEL.fullmatch(key) or key in edit.labels:
                raise InvalidInput.of("drop_labels", key, "is no label's key, or is set too", "name keys to remove")
        return edit
