"""Every error that aitrain raises, in one tree.

    AitrainError
    ├── InvalidInput (ValueError)    what was asked cannot be: names each field, its value and what would be right
    ├── QuotaExceeded                the project may not hold that many units, or have that many jobs, at once
    ├── BudgetExceeded               the project may not spend that much this month
    ├── JobNotFound (LookupError)    no job has this id
    ├── AmbiguousJob (LookupError)   a name or the beginning of an id means more than one job
    ├── HostNotFound (LookupError)   no host has this name
    ├── DataStoreNotFound (LookupError)  the project has no data store of this alias
    ├── RegistryNotFound (LookupError)  the project has no registry of this server
    ├── BucketNotFound (LookupError)  the data store has no such container or object
    ├── BucketRefused                the data store does not do this with these keys
    ├── ReceiptNotFound (LookupError)  there is no receipt of the job, or of its attempt
    ├── ReceiptInvalid               a receipt is not what its site signed, or cannot be read
    ├── LineUnreadable               what stands in the ledger is no line of it
    ├── SecretUnreadable             what is kept encrypted cannot be decrypted with the keys at hand
    ├── JobNotRunning                what was asked of a job can be done only while it runs
    ├── SessionRefused               a host cannot do what it was asked for a running job
    ├── WaitTimeout (TimeoutError)   the job did not end within the time that the caller would wait
    ├── Unavailable                  a part of the platform does not answer; nothing can be said about the job
    │   ├── StoreUnavailable         the Redis of the job store
    │   │   └── SchemaMismatch       what it holds is of another version of aitrain than this process
    │   ├── BrokerUnavailable        the broker that carries the steps' messages
    │   ├── BucketUnavailable        a data store that is looked into
    │   ├── CheckUnavailable         the control workers that check what is to be added
    │   ├── LogUnavailable           the part of a log that lies in the object store
    │   └── SessionLost              the agent of a job's host, or the connection with it
    ├── JobFault                     a step cannot go on; carries the end cause, the info code and what to do
    │   ├── UserFault                the job's own: ends FAILED
    │   └── PlatformFault            ours: ends ERROR
    └── StepCancelled                the job moved on while the step worked: its work is given up, nothing is wrong

Errors of redis, celery, docker and boto3 are wrapped where they are met and never cross a package's edge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aitrain.domain.schema import Stamp
    from aitrain.domain.states import EndCause, InfoCode


# Of a wrong value, in a message: enough to know it again.
SHOWN_CHARACTERS = 200
# Of an address, up to the last "@" of its host.
USER_PART = re.compile(r"(://)[^\s/]*@")


class AitrainError(Exception):
    """The base of all errors of aitrain. Each can be pickled, as it must to leave a process of a pool."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with the text that it made of its arguments.
        return _made_again, (type(self), self.args), self.__dict__


def _made_again(kind: type[AitrainError], args: tuple[object, ...]) -> AitrainError:
    error = kind.__new__(kind)
    error.args = args
    return error


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    field: where, as a path ("volumes[0].mount_path"); value: what stood there, as text, empty when it may be secret;
    message: what is wrong with it; remedy: what would be right. A user and a password in an address are left out of the
    value.
    """

    field: str
    value: str
    message: str
    remedy: str

    def __post_init__(self) -> None:
        """It is shown, logged and sent to whoever asked."""
        object.__setattr__(self, "value", USER_PART.sub(r"\1***@", self.value))

    def __str__(self) -> str:
        shown = self.value if len(self.value) <= SHOWN_CHARACTERS else f"{self.value[:SHOWN_CHARACTERS]}..."
        value = f" {shown!r}" if shown else ""
        return f"{self.field}:{value} {self.message}; {self.remedy}"


class InvalidInput(AitrainError, ValueError):
    """What was asked cannot be. `problems` lists each field, its value and what would be right."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @classmethod
    def of(cls, field: str, value: object, message: str, remedy: str) -> InvalidInput:
        """An error with a single problem."""
        return cls([Problem(field, str(value), message, remedy)])


class QuotaExceeded(AitrainError):
    """The project's jobs would hold more units of a kind, or be more, than its quota allows. Nothing was queued.

    kind: "gpu", "cpu" or "jobs".
    """

    def __init__(self, *, project: str, kind: str, limit: int, used: int, asked: int) -> None:
        self.project, self.kind, self.limit, self.used, self.asked = project, kind, limit, used, asked
        left = max(0, limit - used)
        if kind == "jobs":
            what, less = f"have {limit} jobs at once: {used} count and 1 was submitted", ""
        else:
            what = f"use {limit} {kind} units at once: {used} are in use and {asked} were asked for"
            less = f"ask for at most {left}, "
        super().__init__(f"project {project!r} may {what}; {less}wait until jobs end, or have the quota raised")


class BudgetExceeded(AitrainError):
    """The job could cost more than what is left of its project's budget for the month. Nothing was changed.

    Amounts in the site's currency. set_aside: for live jobs; asked: the most that this one may cost.
    """

    def __init__(
        self, *, project: str, month: str, limit: Decimal, spent: Decimal, set_aside: Decimal, asked: Decimal
    ) -> None:
        self.project, self.month, self.limit = project, month, limit
        self.spent, self.set_aside, self.asked = spent, set_aside, asked
        aside = f", {set_aside:.2f} are set aside for its live jobs" if set_aside else ""
        super().__init__(
            f"project {project!r} has a budget of {limit:.2f} for {month}: {spent:.2f} are spent{aside}, and this job "
            f"may cost {asked:.2f}; give a shorter timeout or fewer units, or have the budget raised"
        )


class JobNotFound(AitrainError, LookupError):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(f"there is no job {job_id!r}; `aitrain job list` shows those that there are")


class AmbiguousJob(AitrainError, LookupError):
    """A name, or the beginning of an id, means more than one job. candidates: ids of some of them."""

    def __init__(self, ref: str, candidates: Sequence[str], *, more: bool = False) -> None:
        self.ref, self.candidates = ref, tuple(candidates)
        ids = ", ".join(candidates) + (", and others" if more else "")
        super().__init__(f"{ref!r} means more than one job: {ids}; give more of the id")


class HostNotFound(AitrainError, LookupError):
    """No host of this name has joined, or it was removed."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"there is no host {host!r}; `aitrain host list` shows those that there are")


class DataStoreNotFound(AitrainError, LookupError):
    """The project has no data store of this alias. The site may have one, in its settings."""

    def __init__(self, project: str, alias: str) -> None:
        self.project, self.alias = project, alias
        super().__init__(
            f"project {project!r} has no data store {alias!r}; `aitrain datastore list {project}` shows those it has"
        )


class RegistryNotFound(AitrainError, LookupError):
    """The project has no registry of this server. The site may have a shared one, in its settings."""

    def __init__(self, project: str, server: str) -> None:
        self.project, self.server = project, server
        super().__init__(
            f"project {project!r} has no registry {server!r}; `aitrain registry list {project}` shows those it has"
        )


class BucketNotFound(AitrainError, LookupError):
    """The data store has no such container or object."""


class BucketRefused(AitrainError):
    """The data store does not do what was asked, or not with these keys."""


class ReceiptNotFound(AitrainError, LookupError):
    """There is no receipt of the job, or of this attempt of it."""

    def __init__(self, job_id: str, attempt: int | None) -> None:
        self.job_id, self.attempt = job_id, attempt
        of = f"attempt {attempt} of job {job_id}" if attempt else f"job {job_id}"
        super().__init__(
            f"there is no receipt of {of}; one is signed within a minute after an attempt has ended, where control "
            "workers have receipts.key_file in their settings, and kept for receipts.retention_seconds"
        )


class ReceiptInvalid(AitrainError):
    """A receipt is not what its site signed, or cannot be read. The text says what is wrong."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the receipt is not valid: {why}")


class SecretUnreadable(AitrainError):
    """What is kept sealed cannot be opened here: this process has no key, or not the one that sealed it."""


class LineUnreadable(AitrainError):
    """A line of the ledger is none: nothing of aitrain writes such a thing."""

    def __init__(self, project: str, field: str, text: str) -> None:
        super().__init__(f"the ledger of {project} has a line that cannot be read: {field}: {text}")
        self.field, self.text = field, text


class JobNotRunning(AitrainError):
    """What was asked of a job can be done only while it runs. It does not yet, or has ended, maybe meanwhile."""

    def __init__(self, job_id: str, what: str) -> None:
        self.job_id = job_id
        super().__init__(f"job {job_id} {what}; this can be done only while it is RUNNING")


class SessionRefused(AitrainError):
    """A host cannot do what it was asked for a running job. The text says why."""


class WaitTimeout(AitrainError, TimeoutError):
    """The job did not end within the time that the caller would wait. The job itself goes on."""


class Unavailable(AitrainError):
    """A part of the platform does not answer."""


class StoreUnavailable(Unavailable):
    """The job store's Redis does not answer, or answers with an error."""


class SchemaMismatch(StoreUnavailable):
    """What the job store holds is of another version than this process, which has read and written nothing.

    stamp: what the store says of itself, None if that is nothing of aitrain's.
    """

    def __init__(self, why: str, stamp: Stamp | None = None) -> None:
        self.stamp = stamp
        super().__init__(why)

    @property
    def for_good(self) -> bool:
        """Whether waiting does not help: what is older, a control worker brings up to date."""
        return self.stamp is None or self.stamp.is_newer


class BrokerUnavailable(Unavailable):
    """The broker that carries the steps' messages does not answer."""


class BucketUnavailable(Unavailable):
    """The data store whose containers are looked into does not answer."""


class CheckUnavailable(Unavailable):
    """No control worker could check what was to be added. Nothing was added."""


class LogUnavailable(Unavailable):
    """Lines of a log lie in the object store, and could not be read from there."""


class SessionLost(Unavailable):
    """The agent of a job's host does not answer, or no longer. What it was running for the session may run on."""


class JobFault(AitrainError):
    """A step cannot go on with its job."""

    def __init__(self, cause: EndCause, code: InfoCode, message: str) -> None:
        self.cause, self.code = cause, code
        super().__init__(message)


class UserFault(JobFault):
    """The job's own fault (its image, command, keys or data): trying again as it is would fail again."""


class PlatformFault(JobFault):
    """The platform's fault (engine, disk, network): the job did nothing wrong."""


class StepCancelled(AitrainError):
    """The job moved on (stop order, newer attempt, lost lease) while a step worked: the step gives up its work."""
