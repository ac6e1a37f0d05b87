"""What a data store says when it is asked who is there: for diagnosis. Reads only."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from aitrain.domain.errors import JobFault
from aitrain.domain.states import InfoCode
from aitrain.settings import DataStore
from workers.datasync.faults import data_errors
from workers.datasync.s3 import connect

ANSWER_SECONDS = 5.0
UNKNOWN = InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR
# What a listing says, of all containers or of one. A web server may answer anything with a page that is well-formed.
LISTED = {"Buckets", "Owner", "Name", "KeyCount", "IsTruncated", "MaxKeys", "Contents"}
# The header Date has whole seconds.
DATE_STEP_SECONDS = 1.0


@dataclass(frozen=True)
class DataStoreFacts:
    """What came of listing the containers of a data store, or one container.

    containers: how many it showed, None if it refused; code: its own word for the refusal, the HTTP status if it said
    none, "" if it did not answer; complaint: the refusal as a job would tell it, and fault the code that the job would
    end with, None if it did not refuse; ahead_s: its clock minus this machine's in seconds, true to error_s; None if it
    told no time.
    """

    containers: int | None
    code: str = ""
    complaint: str = ""
    ahead_s: float | None = None
    error_s: float = 0.0
    fault: InfoCode | None = None


def inspect(alias: str, store: DataStore, container: str = "") -> DataStoreFacts:
    """Asks a data store for its containers, once. What fails is told in the answer.

    container: ask for its objects instead, a right that keys have more often.
    """
    subject = f"data store {alias!r}"
    try:
        client = connect(store, connect_seconds=ANSWER_SECONDS, read_seconds=ANSWER_SECONDS, attempts=1)
    except ValueError as error:  # as botocore calls an endpoint that is no URL
        return DataStoreFacts(None, "", f"{subject}: {error}", fault=UNKNOWN)
    began = time.time()
    answer: dict[str, Any] = {}
    try:
        with data_errors(subject):
            try:
                answer = client.list_objects_v2(Bucket=container, MaxKeys=1) if container else client.list_buckets()
            except ClientError as error:
                answer = error.response
                raise
    except JobFault as fault:
        code = str(answer.get("Error", {}).get("Code", ""))
        return DataStoreFacts(None, code, str(fault), *_clock(answer, began), fault.code)
    if not LISTED & answer.keys():
        complaint = f"{subject}: answers, and not as an S3 service does"
        return DataStoreFacts(None, "", complaint, *_clock(answer, began), UNKNOWN)
    shown = 1 if container else len(answer.get("Buckets", ()))
    return DataStoreFacts(shown, "", "", *_clock(answer, began))


def _clock(answer: dict[str, Any], began: float) -> tuple[float | None, float]:
    ended = time.time()
    error_s = (ended - began + DATE_STEP_SECONDS) / 2
    with suppress(KeyError, ValueError, TypeError):
        date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return date.timestamp() + DATE_STEP_SECONDS / 2 - (began + ended) / 2, error_s
    return None, error_s
