"""The spec: what a user asks for when submitting a job."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from enum import StrEnum
from random import SystemRandom
from typing import Annotated, Any, Literal, Required, Self, TypedDict, Unpack

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from aitrain.domain.errors import InvalidInput, Problem
from aitrain.domain.flavor import SLUG_REMEDY, Slug
from aitrain.domain.imagename import IMAGE_ID
from aitrain.domain.names import readable_name
from aitrain.domain.volume import Volume, check_apart

# The grammar of image references, from the distribution project: [registry/]path[:tag][@digest].
IMAGE = re.compile(
    r"(?:(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:))(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?")
RESERVED_ENV_PREFIX = "AITRAIN_"
# The kernel's limit on one argument (MAX_ARG_STRLEN), and a bound on all: a spec is a message, not a data set.
MAX_ARGUMENT_BYTES = 128 * 1024
MAX_SPEC_BYTES = 512 * 1024
# Of the secret variables of a job together.
MAX_SECRET_BYTES = 256 * 1024
MAX_LABELS = 64
# Thirty years, for sites that set no limit: dates beyond it are none to the programs that meet them.
MAX_TIMEOUT_S = 10**9
# A job that fails a hundred times fails the next time too.
MAX_RETRIES = 100
# From what may wait for ever to what goes before all else.
HIGHEST_PRIORITY = 100
# Signals that a program may handle and that mean "take note" rather than an accident of its own.
WARNING_SIGNALS = ("SIGUSR1", "SIGUSR2", "SIGINT", "SIGHUP", "SIGWINCH", "SIGCONT")
DEFAULT_WARNING_SIGNAL = "SIGUSR1"
# Fields whose values may be secret: an error names them but does not repeat what stood there.
SECRET_FIELDS = frozenset(
    {
        "env",
        "secret_env",
        "data_stores",
        "redis_url",
        "broker_url",
        "encryption_keys",
        "secrets",
        "access_key_id",
        "secret_access_key",
        "shared_registry",
        "password",
        "ca",
    }
)


def _wrong(message: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("spec", "{message}", {"message": message, "remedy": remedy})


def check_labels(labels: dict[str, str]) -> dict[str, str]:
    """The labels as they are. Raises a validation error that names the first wrong one."""
    if len(labels) > MAX_LABELS:
        raise _wrong(f"has {len(labels)} labels", f"give at most {MAX_LABELS}")
    for key, text in labels.items():
        if not LABEL.fullmatch(key) or not (text == "" or LABEL.fullmatch(text)):
            raise _wrong(
                f"has {key!r}={text!r}",
                "use up to 63 letters, digits, '_', '.', '/' and '-', a letter or digit first and last",
            )
    return labels


def _check_env(variables: dict[str, str]) -> None:
    """Raises a validation error that names the first wrong one, and repeats no value."""
    for name, text in variables.items():
        if not ENV_NAME.fullmatch(name):
            raise _wrong(f"has a variable named {name!r}", "use letters, digits and underscores")
        if name.startswith(RESERVED_ENV_PREFIX):
            raise _wrong(f"sets {name}", f"names that begin with {RESERVED_ENV_PREFIX} are set by aitrain")
        if "\0" in text:
            raise _wrong(f"sets {name} to a text with a NUL character", "remove it: no program can receive it")


class Resources(BaseModel):
    """The units a job asks for: GPUs or CPUs, not both (GPUs win); 1 GPU of the default flavor if neither is given.

    gpu, cpu: whole units; flavor: the kind of unit, the site's default for its kind if absent. Memory and
    processors come with the units and cannot be asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu: int | None = Field(default=None, ge=1, strict=True)
    cpu: int | None = Field(default=None, ge=1, strict=True)
    flavor: Slug | None = None


class OnHostLoss(StrEnum):
    """What becomes of a job that ran on a host that is lost."""

    REQUEUE = "requeue"
    FAIL = "fail"


class MoreFields(TypedDict, total=False):
    """Fields of JobSpec, as one may give them: those that submit_job has no argument of its own for."""

    secret_env: Mapping[str, str | SecretStr | None] | Sequence[str]
    timeout: int | None
    auto_restart: bool
    max_retries: int
    retry_exit_codes: Sequence[int]
    platform_retries: int | None
    on_host_loss: OnHostLoss | Literal["requeue", "fail"]
    warning_seconds: int | None
    warning_signal: str | bool | None
    priority: int | None
    labels: Mapping[str, str]
    name: str
    project: str
    user: str


class SpecFields(MoreFields, total=False):
    """All fields of JobSpec, as one may give them."""

    image: Required[str]
    command: Sequence[str] | str
    env: Mapping[str, str]
    resources: Resources | Mapping[str, int | str | None]
    volumes: Sequence[Volume | str]


class JobSpec(BaseModel):
    """What a user asks for. Immutable; the timeout, auto-restart and labels of a job may be edited later.

    image: Docker image reference; command: arguments, or one string that is split as a shell would (empty: the
    image's own); env: variables of the job; secret_env: more of them, whose values are sealed before they are sent; the
    spec that is kept has their names only; resources: units (see Resources); volumes: objects or strings (see Volume);
    timeout: seconds of RUNNING, 0 or None for the site's default; auto_restart: queue the job again
    when it times out; max_retries: how often it is run again when its command fails (0: never); retry_exit_codes:
    only after these exit codes (empty: after any but 0); platform_retries: how often it is run again after faults
    of the platform, such as a lost host (None: the site's number; 0 for a job that must not begin twice);
    on_host_loss: "requeue" it when its host is lost while it runs, within platform_retries, or "fail" (ERROR,
    JOB_EVICTED); warning_seconds: so long before its timeout a file appears in the job (None: the site's number; 0:
    never); warning_signal: sent to the command then, as SIGUSR1 (True stands for that; None: no signal); priority: 0
    to 100, whose turn comes first (None: the site's number); labels: free key-value pairs; name: for people,
    generated when absent; project: the tenant; user: who submits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    image: str
    command: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    # However it is written down, of its secrets it has the names only.
    secret_env: Annotated[dict[str, SecretStr | None], PlainSerializer(list)] = Field(default_factory=dict, repr=False)
    resources: Resources = Resources()
    volumes: tuple[Volume, ...] = ()
    timeout: int | None = Field(default=None, ge=0, le=MAX_TIMEOUT_S, strict=True)
    auto_restart: bool = False
    max_retries: int = Field(default=0, ge=0, le=MAX_RETRIES, strict=True)
    retry_exit_codes: tuple[Annotated[int, Field(ge=1, le=255, strict=True)], ...] = ()
    platform_retries: int | None = Field(default=None, ge=0, le=MAX_RETRIES, strict=True)
    on_host_loss: OnHostLoss = OnHostLoss.REQUEUE
    warning_seconds: int | None = Field(default=None, ge=0, le=MAX_TIMEOUT_S, strict=True)
    warning_signal: str | None = None
    priority: int | None = Field(default=None, ge=0, le=HIGHEST_PRIORITY, strict=True)
    labels: dict[str, str] = Field(default_factory=dict)
    name: Slug = Field(default_factory=lambda: readable_name(SystemRandom()))
    project: Slug = "default"
    user: str = Field(default="", max_length=128)

    @field_validator("image")
    @classmethod
    def _image(cls, value: str) -> str:
        if not value.strip():
            raise _wrong("is empty", "name a Docker image, such as registry.example/team/trainer:1.0")
        if not IMAGE.fullmatch(value):
            raise _wrong("is not an image reference", "write [registry/]name[:tag][@sha256:digest], in lower case")
        if IMAGE_ID.fullmatch(value):
            raise _wrong("is an image's id on some engine", "name it as its registry does: [registry/]name[:tag]")
        return value

    @field_validator("command", mode="before")
    @classmethod
    def _command_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return shlex.split(value)
        except ValueError as error:
            raise _wrong(f"cannot be split ({error})", "close each quote, or give a list of arguments") from error

    @field_validator("command")
    @classmethod
    def _command(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for argument in value:
            if "\0" in argument:
                raise _wrong("has an argument with a NUL character", "remove it: no program can receive it")
            if len(argument.encode(errors="surrogatepass")) > MAX_ARGUMENT_BYTES:
                raise _wrong(f"has an argument of more than {MAX_ARGUMENT_BYTES} bytes", "put large input in a volume")
        if value and not value[0]:
            raise _wrong("begins with an empty argument", "begin it with the program to run")
        return value

    @field_validator("warning_signal", mode="before")
    @classmethod
    def _warning_signal(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return DEFAULT_WARNING_SIGNAL if value else None
        if not isinstance(value, str):
            return value
        name = value.upper()
        name = name if name.startswith("SIG") else f"SIG{name}"
        if name not in WARNING_SIGNALS:
            raise _wrong("is not a signal that warns", f"use one of: {', '.join(WARNING_SIGNALS)}")
        return name

    @field_validator("env")
    @classmethod
    def _env(cls, value: dict[str, str]) -> dict[str, str]:
        _check_env(value)
        return value

    @field_validator("secret_env", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        names = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
        return dict.fromkeys(value) if names else value

    @field_validator("secret_env")
    @classmethod
    def _secret_env(cls, value: dict[str, SecretStr | None]) -> dict[str, SecretStr | None]:
        texts = {name: held.get_secret_value() if held else "" for name, held in value.items()}
        _check_env(texts)
        size = 0
        for name, text in texts.items():
            try:
                size += len(name) + len(text.encode())
            except UnicodeEncodeError:  # it holds the text
                raise _wrong(f"sets {name} to what is no text", "give it in UTF-8, or as base64") from None
        if size > MAX_SECRET_BYTES:
            raise _wrong(f"is larger than {MAX_SECRET_BYTES} bytes", "put large input in a volume")
        return value

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if both := sorted(self.env.keys() & self.secret_env.keys()):
            raise _wrong(f"has {', '.join(both)} in env and in secret_env", "leave it in one of them")
        return self

    @field_validator("labels")
    @classmethod
    def _labels(cls, value: dict[str, str]) -> dict[str, str]:
        return check_labels(value)

    @field_validator("volumes", mode="after")
    @classmethod
    def _volumes(cls, value: tuple[Volume, ...]) -> tuple[Volume, ...]:
        check_apart(value)
        return value

    @model_validator(mode="after")
    def _retries(self) -> Self:
        if self.retry_exit_codes and not self.max_retries:
            raise _wrong("names retry_exit_codes, but max_retries is 0", "set max_retries to 1 or more")
        return self

    @model_validator(mode="after")
    def _size(self) -> Self:
        if len(self.model_dump_json()) > MAX_SPEC_BYTES:
            raise _wrong(f"is larger than {MAX_SPEC_BYTES} bytes", "put large input in a volume")
        return self

    def without_secrets(self) -> JobSpec:
        """The spec as it is kept: of its secret variables the names only."""
        return self.model_copy(update={"secret_env": dict.fromkeys(self.secret_env)}) if self.secret_env else self

    @classmethod
    def read(cls, text: str) -> tuple[JobSpec, tuple[str, ...]]:
        """A spec that is kept as JSON, and the names of what this version does not know in it.

        What an older version kept lacks fields, which have their defaults; what a newer one kept may have more. Raises
        pydantic's ValidationError for what is no spec.
        """
        try:
            return cls.model_validate_json(text), ()
        except ValidationError as error:
            unknown = [".".join(map(str, item["loc"])) for item in error.errors() if item["type"] == "extra_forbidden"]
            if not unknown:
                raise
            return cls.model_validate_json(text, extra="ignore"), tuple(unknown)

    @classmethod
    def of(cls, **fields: Unpack[SpecFields]) -> JobSpec:
        """A spec from its fields.

        Raises InvalidInput, which names each wrong field, its value and what would be right.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            raise invalid_input(error) from None


# What would be right, for the checks that pydantic itself makes.
REMEDIES = {
    "greater_than_equal": "give a whole number of at least {ge}",
    "less_than_equal": "give at most {le}",
    "missing": "give it",
    "extra_forbidden": "leave it out, or look for a typing error",
    "string_pattern_mismatch": SLUG_REMEDY,
    "int_type": "give a whole number",
    "string_type": "give a string",
    "tuple_type": "give a list",
    "dict_type": "give a mapping of names to texts",
    "bool_type": "give true or false",
    "bool_parsing": "give true or false",
    "enum": "use one of {expected}",
}


def invalid_input(error: ValidationError) -> InvalidInput:
    """The same problems as aitrain's own error. Values of fields that may be secret are left out."""
    problems = []
    for item in error.errors(include_url=False):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
        context = item.get("ctx", {})
        # A misspelt field may be a secret's.
        secret = item["type"] == "extra_forbidden" or (bool(item["loc"]) and item["loc"][0] in SECRET_FIELDS)
        own = "remedy" in context
        raw = item["input"]
        plain = isinstance(raw, str | int | float) or (isinstance(raw, list | tuple) and item["type"] == "spec")
        remedy = context["remedy"] if own else REMEDIES.get(item["type"], "see the reference of the field")
        message = item["msg"] if own else item["msg"][0].lower() + item["msg"][1:]
        problems.append(
            Problem(
                field=path or "spec",
                value=str(raw) if plain and not secret else "",
                message=message,
                remedy=remedy if own else remedy.format(**{k: v for k, v in context.items() if k != "error"}),
            )
        )
    return InvalidInput(problems)
