"""What the engine's errors mean for a job: its own fault, the platform's, or no answer at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import APIError, DockerException
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from aitrain.domain.errors import JobFault, PlatformFault, Unavailable, UserFault
from aitrain.domain.states import EndCause, InfoCode

# What runc says when the job's command, or what it wants to mount on, is at fault. Its other complaints are the host's.
OF_THE_JOB = re.compile(r'exec: "|not a directory: unknown|Are you trying to mount a directory onto a file')


class EngineUnavailable(Unavailable):
    """The Docker Engine does not answer. Its containers may run on; nothing can be said about them."""


class ImageAbsent(PlatformFault):
    """The engine does not have the image of a container."""


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Tells errors of the engine as aitrain's. doing: completes "the engine failed to ..."."""
    try:
        yield
    except APIError as error:
        raise PlatformFault(
            EndCause.ENGINE_FAULT, InfoCode.JOB_ERROR, f"the engine failed to {doing}: {explanation(error)}"
        ) from error
    except (DockerException, RequestException, HTTPError, OSError) as error:
        raise EngineUnavailable(f"the Docker Engine does not answer ({error})") from error


def start_fault(command: tuple[str, ...], error: APIError) -> JobFault:
    """What a failed start means."""
    reason = explanation(error)
    if OF_THE_JOB.search(reason):
        program = repr(command[0]) if command else "the image's own command"
        return UserFault(
            EndCause.START_REFUSED,
            InfoCode.JOB_CREATE_CONTAINER_ERROR,
            f"{program} could not be started: {reason}. Check that the image holds it and that it may be executed",
        )
    return PlatformFault(
        EndCause.ENGINE_FAULT, InfoCode.JOB_CREATE_CONTAINER_ERROR, f"the engine could not start it: {reason}"
    )


def explanation(error: APIError) -> str:
    """The engine's own words."""
    return str(error.explanation or error).strip()
