"""Errors of an object store, told as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aitrain.domain.errors import BucketNotFound, BucketRefused, BucketUnavailable

KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "InvalidToken", "ExpiredToken", "401", "403"}
ABSENT = {"NoSuchBucket", "NoSuchKey", "404"}
FIRST_SERVER_ERROR = 500


@contextmanager
def told(subject: str) -> Iterator[None]:
    """Raises BucketRefused, BucketNotFound or BucketUnavailable. subject: what was asked, for people."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in KEYS:
            raise BucketRefused(f"{subject}: the data store does not allow it with these keys ({code})") from error
        if code in ABSENT:
            raise BucketNotFound(f"{subject}: there is none ({code})") from error
        if status >= FIRST_SERVER_ERROR:
            raise BucketUnavailable(f"{subject}: {error}") from error
        raise BucketRefused(f"{subject}: {error}") from error
    except Boto3Error as error:
        raise BucketRefused(f"{subject}: {error}") from error
    except BotoCoreError as error:
        raise BucketUnavailable(f"{subject}: the data store does not answer ({error})") from error
