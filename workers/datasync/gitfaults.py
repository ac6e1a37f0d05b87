"""What git's complaints mean for a job. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aitrain.domain.errors import JobFault, PlatformFault, UserFault
from aitrain.domain.states import EndCause, InfoCode

SHOWN_CHARACTERS = 400

_NOT_FOUND = InfoCode.DATASYNC_PROGRESS_FAILED_NOT_FOUND
_FORBIDDEN = InfoCode.DATASYNC_PROGRESS_FAILED_FORBIDDEN
_UNTRUSTED = InfoCode.DATASYNC_AUTHENTICATE_FAILED
_TRANSIENT = InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR
_UNKNOWN = InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR


@dataclass(frozen=True)
class _Meaning:
    pattern: str
    fault: type[JobFault]
    code: InfoCode
    remedy: str


# In order: the first that fits holds. A complaint often ends with a general one that follows from the first.
MEANINGS = (
    _Meaning(
        r"[Pp]roblem with the SSL CA cert|error (setting|reading|adding).*(ca cert|certificate|trust anchors)",
        PlatformFault, _UNKNOWN,
        "host.ca_file cannot be used; name a PEM file that host.container_user may read",
    ),
    _Meaning(
        r"certificate (problem|verification failed|subject name)|no alternative certificate", UserFault, _UNTRUSTED,
        "the server's certificate is not trusted; use a server with a valid one, or have the operator name its "
        "authority in host.ca_file",
    ),
    _Meaning(r"No space left|[Qq]uota exceeded", PlatformFault, _TRANSIENT, "make room on the host's disk"),
    _Meaning(
        r"File too large|[Oo]ut of memory|malloc failed|mmap failed", UserFault, _UNKNOWN,
        "the repository is larger than host.git_max_mib or host.git_memory_mib allow; put large data in a data store",
    ),
    _Meaning(
        r"Remote branch .* not found|Not a valid object name HEAD", UserFault, _NOT_FOUND,
        "the repository has no such branch or tag, or no commit at all; correct it",
    ),
    _Meaning(
        r"repository .* not found|could not read Username|Authentication failed|returned error: 401|"
        r"not valid: is this a git repository|unable to update url base from redirection",
        UserFault, _NOT_FOUND, "there is no public repository here; correct the address or make the repository public",
    ),
    _Meaning(r"returned error: 403", UserFault, _FORBIDDEN, "the server forbids it; make the repository public"),
    _Meaning(
        r"[Pp]rotocol .*(not supported|disabled)|Unsupported URL scheme|transport .* not allowed", UserFault, _UNKNOWN,
        "the server leads away from https; give the address that it leads to",
    ),
    _Meaning(
        r"dumb http transport", UserFault, _UNKNOWN,
        "the server offers files only and cannot leave the history out; use one that runs git",
    ),
    _Meaning(r"returned error: (408|429|5\d\d)\b", PlatformFault, _TRANSIENT, "the server has trouble"),
    _Meaning(r"returned error: 4\d\d\b", UserFault, _UNKNOWN, "the server refuses; correct the address"),
    _Meaning(
        r"fsck error|invalid path|File name too long|unable to create (file|symlink)|unable to unlink|signal 11",
        UserFault, _UNKNOWN, "the repository holds what cannot be laid down safely; correct it with git fsck --strict",
    ),
    _Meaning(
        r"[Pp]ermission denied|Invalid path|could not create|cannot (mkdir|chdir)", PlatformFault, _UNKNOWN,
        "let host.container_user cross host.data_dir and what lies above it (chmod o+x)",
    ),
    _Meaning(
        r"unable to access|Could not resolve|timed out|hung up|early EOF|RPC failed|too slow|disconnect|reset by peer",
        PlatformFault, _TRANSIENT, "the server does not answer",
    ),
)  # fmt: skip


def git_fault(subject: str, code: int, complaint: str) -> JobFault:
    """The fault that a failed run of git means. subject: the volume; code: its exit code; complaint: what it wrote."""
    said = words(complaint) or f"git ended with {code} and said nothing"
    # Names may read like complaints.
    nameless = re.sub(r"'[^']*'", "''", said)
    for meaning in MEANINGS:
        if re.search(meaning.pattern, nameless):
            return _fault(meaning.fault, meaning.code, f"{subject}: {meaning.remedy} ({said[-SHOWN_CHARACTERS:]})")
    return _fault(PlatformFault, _UNKNOWN, f"{subject}: git failed ({said[-SHOWN_CHARACTERS:]})")


def empty(subject: str) -> UserFault:
    """A repository without the branch or tag that is asked for, or without any commit."""
    message = f"{subject}: the repository has no such branch or tag, or no commit at all; correct it"
    return UserFault(EndCause.DATA_REFUSED, _NOT_FOUND, message)


def too_large(subject: str, what: str, setting: str) -> UserFault:
    """A repository past a limit. what: how much it is beyond; setting: the limit's name."""
    message = f"{subject}: the repository has {what} ({setting}); put large data in a data store"
    return UserFault(EndCause.DATA_REFUSED, _UNKNOWN, message)


def too_slow(subject: str, seconds: float) -> PlatformFault:
    """A fetch that took longer than it may, in seconds."""
    message = f"{subject}: git took longer than {seconds:g} s; raise host.git_timeout_seconds if the server is slow"
    return PlatformFault(EndCause.DATA_FAULT, _TRANSIENT, message)


def no_git(subject: str, program: str) -> PlatformFault:
    """A host that lacks a program."""
    message = f"{subject}: this host has no program {program!r}; install Debian's git and util-linux, or their like"
    return PlatformFault(EndCause.DATA_FAULT, _UNKNOWN, message)


def words(complaint: str) -> str:
    """A complaint as one line of text that can be shown, without what the server had it say."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", complaint)]
    own = [line for line in lines if line and not line.startswith("remote:")]
    return "".join(c if c.isprintable() else "?" for c in "; ".join(own))


def _fault(kind: type[JobFault], code: InfoCode, message: str) -> JobFault:
    return kind(EndCause.DATA_REFUSED if kind is UserFault else EndCause.DATA_FAULT, code, message)
