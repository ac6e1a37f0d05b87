"""What the files of a simulation have in common: errors that name the place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from aitrain.domain.errors import InvalidInput, Problem
from aitrain.domain.spec import invalid_input

Model = TypeVar("Model", bound=BaseModel)
# A year; what lasts longer is a slip of the pen, and infinity has no date.
LONGEST_SECONDS = 366 * 86_400
Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]


def read_text(what: str, path: Path) -> str:
    """The text of a file. what: for the error. Raises InvalidInput."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput.of(what, path, f"cannot be read ({error})", "name a text file in UTF-8") from None


def checked(model: type[Model], values: dict[str, Any], place: str) -> Model:
    """A part of a file, checked. place: where it stands, before the field in each error. Raises InvalidInput."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = invalid_input(error).problems
        raise InvalidInput(
            [Problem(f"{place}{problem.field}", problem.value, problem.message, problem.remedy) for problem in problems]
        ) from None
