"""What the errors of an object store and of the disk mean for a job."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
)
from botocore.exceptions import (
    ConnectionError as StoreConnectionError,
)

from aitrain.domain.errors import JobFault, PlatformFault, UserFault
from aitrain.domain.states import EndCause, InfoCode

WRONG_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurity", "ExpiredToken", "InvalidToken", "401"}
FORBIDDEN = {"AccessDenied", "AllAccessDisabled", "403"}
NO_CONTAINER = {"NoSuchBucket"}
NO_OBJECT = {"NoSuchKey", "404"}
# The object is not the one that was listed.
REPLACED = {"PreconditionFailed", "412"}
# Refusals that are no fault of the request: it took too long, or came too often.
PASSING = {
    "RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "OperationAborted",
    "ConditionalRequestConflict", "RequestTimeTooSkewed", "NoSuchUpload",
}  # fmt: skip
PASSING_STATUS = {408, 429}
FIRST_SERVER_ERROR = 500
# As the system says it; SQLite has words of its own.
FULL = os.strerror(errno.ENOSPC)


def passes_by_itself(error: BaseException) -> bool:
    """Whether an outage explains a fault: then the same copy may succeed later."""
    return isinstance(error, PlatformFault) and error.code is InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR


def _refused(code: InfoCode, message: str) -> UserFault:
    return UserFault(EndCause.DATA_REFUSED, code, message)


@contextmanager
def data_errors(subject: str) -> Iterator[None]:
    """Tells errors of the object store and of the disk as faults of the job. subject: what was copied, for people."""
    try:
        yield
    except ClientError as error:
        raise _client_fault(subject, error) from error
    except (NoCredentialsError, ParamValidationError) as error:
        raise _refused(
            InfoCode.DATASYNC_AUTHENTICATE_FAILED, f"{subject}: {error}; check the data store's keys and names"
        ) from error
    except (StoreConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise PlatformFault(
            EndCause.DATA_FAULT,
            InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
            f"{subject}: the data store does not answer ({error})",
        ) from error
    except BotoCoreError as error:
        raise PlatformFault(
            EndCause.DATA_FAULT, InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR, f"{subject}: {error}"
        ) from error
    except sqlite3.Error as error:
        raise PlatformFault(
            EndCause.DATA_FAULT,
            InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
            f"{subject}: {FULL if 'full' in str(error) else error}; its index cannot be kept on the host's disk, make "
            "room there",
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        code = (
            InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR
            if full
            else InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR
        )
        room = "; make room on the host's disk" if full else ""
        raise PlatformFault(EndCause.DATA_FAULT, code, f"{subject}: {error}{room}") from error


def _client_fault(subject: str, error: ClientError) -> JobFault:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in REPLACED:
        return PlatformFault(
            EndCause.DATA_FAULT,
            InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
            f"{subject}: an object was replaced while it was copied",
        )
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in WRONG_KEY:
        return _refused(
            InfoCode.DATASYNC_PROGRESS_FAILED_INVALID_CREDENTIALS,
            f"{subject}: the data store refused the keys ({code}); correct the keys of the data store",
        )
    if code in FORBIDDEN:
        return _refused(
            InfoCode.DATASYNC_PROGRESS_FAILED_FORBIDDEN,
            f"{subject}: the keys may not do this ({code}); grant them reading, and writing for rw volumes",
        )
    if code in NO_CONTAINER:
        return _refused(
            InfoCode.DATASYNC_INVALID_CONTAINER, f"{subject}: there is no such container; create it or correct its name"
        )
    if code in NO_OBJECT:
        # It was listed a moment before: the next attempt lists anew.
        return PlatformFault(
            EndCause.DATA_FAULT,
            InfoCode.DATASYNC_PROGRESS_FAILED_NOT_FOUND,
            f"{subject}: an object was deleted while it was copied",
        )
    known = (
        InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR
        if status >= FIRST_SERVER_ERROR or status in PASSING_STATUS or code in PASSING
        else InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR
    )
    return PlatformFault(EndCause.DATA_FAULT, known, f"{subject}: {error}")
