"""What each info code means, and what there is to do."""

from __future__ import annotations

from dataclasses import dataclass

from aitrain.domain.states import InfoCode


@dataclass(frozen=True)
class CodeRow:
    """What a code says, and what its reader can do."""

    meaning: str
    remedy: str


_IMAGE = "The message says why: correct its name, or give its project the registry with `aitrain registry add`."
_BY_ITSELF = "Nothing at first: it is tried again by itself, with growing pauses."

CODES: dict[InfoCode, CodeRow] = {
    InfoCode.JOB_QUEUED: CodeRow(
        "It waits for a host, for a retry, or for room in its project's quota.", "`aitrain job explain` says for what."
    ),
    InfoCode.JOB_INITIALIZING: CodeRow(
        "Its data is copied to its host.", "Nothing; `aitrain job wait` shows how far the copies are."
    ),
    InfoCode.JOB_PENDING: CodeRow(
        "Its image is pulled and its container made.", "Nothing; an image that its host has not yet takes its time."
    ),
    InfoCode.JOB_RUNNING: CodeRow(
        "Its container runs.", "`aitrain job logs --follow`, `aitrain job stats` and `aitrain job exec` look into it."
    ),
    InfoCode.JOB_INTERRUPTING: CodeRow(
        "It was told to stop, and is about to.", "Nothing; after its grace it is killed, and its results are pushed."
    ),
    InfoCode.JOB_FINALIZING: CodeRow(
        "Its container is gone, and its results are being pushed.", "Nothing; what cannot be pushed is tried for hours."
    ),
    InfoCode.JOB_DONE: CodeRow(
        "Its command exited with 0, and its results are pushed.", "`aitrain job get` says where they are."
    ),
    InfoCode.JOB_TIMEOUT: CodeRow(
        "Its timeout was reached.", "Give it more time with `aitrain job edit`, or have it go on with `--auto-restart`."
    ),
    InfoCode.JOB_INTERRUPTED: CodeRow(
        "Somebody stopped it, or its project's budget was spent.", "`aitrain job start` runs it again."
    ),
    InfoCode.JOB_INTERRUPTED_BY_PLATFORM: CodeRow(
        "Its host, its engine or its container was lost.", f"{_BY_ITSELF} Where it ended so, `aitrain job start`."
    ),
    InfoCode.JOB_EVICTED: CodeRow(
        "Its host was drained, and it may not run elsewhere by itself.", "`aitrain job start` runs it on another host."
    ),
    InfoCode.JOB_FAILED: CodeRow("It ended by its own fault.", "The message and `aitrain job logs` say which."),
    InfoCode.JOB_FAILED_WITH_MESSAGE: CodeRow(
        "Its command exited with another code than 0, or it used more memory than its units bring.",
        "`aitrain job logs` shows its last words; for more memory ask for more units.",
    ),
    InfoCode.JOB_ERROR: CodeRow(
        "The platform failed it.", f"{_BY_ITSELF} If it ends so: the message, and `aitrain doctor` on its host."
    ),
    InfoCode.JOB_SYNC_FAILED: CodeRow(
        "Its results could not be pushed. They are still on its host.",
        "Mend what the message names, then `aitrain job retry-push`.",
    ),
    InfoCode.JOB_IMAGE_PULL: CodeRow("Its image could not be pulled, or does not exist.", _IMAGE),
    InfoCode.JOB_INVALID_IMAGE_NAME: CodeRow("Its image's name cannot be one.", "Write it as `registry/name:tag`."),
    InfoCode.JOB_REGISTRY_UNAVAILABLE: CodeRow(
        "The registry of its image did not answer.", f"{_BY_ITSELF} Else see to the registry, or to the host's network."
    ),
    InfoCode.JOB_CREATE_CONTAINER_CONFIG_ERROR: CodeRow(
        "The engine refused what the job asks for.", "The message has the engine's words."
    ),
    InfoCode.JOB_CREATE_CONTAINER_ERROR: CodeRow(
        "Its command could not be started.", "Look whether the image has the program, on its PATH and executable."
    ),
    InfoCode.DATASYNC_AUTHENTICATE_FAILED: CodeRow(
        "The data store does not know the access key.", "Add the data store again with a key that holds."
    ),
    InfoCode.DATASYNC_DATA_STORE_NOT_FOUND: CodeRow(
        "The job's project has no data store of that alias, and the site has none.", "Add it, or correct the alias."
    ),
    InfoCode.DATASYNC_INVALID_CONTAINER: CodeRow(
        "The container's name cannot be one.", "Correct the volume: `container@alias/prefix:/path`."
    ),
    InfoCode.DATASYNC_PROGRESS_FAILED_FORBIDDEN: CodeRow(
        "The key may not do what the volume needs.", "Give the key the right to list, read and (for rw) write there."
    ),
    InfoCode.DATASYNC_PROGRESS_FAILED_INVALID_CREDENTIALS: CodeRow(
        "The secret does not fit the access key.", "Add the data store again with both halves of one key."
    ),
    InfoCode.DATASYNC_PROGRESS_FAILED_NOT_FOUND: CodeRow(
        "There is no such container.", "Make it, or correct the volume's container."
    ),
    InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR: CodeRow(
        "The object store or the network failed in the middle of a copy.", _BY_ITSELF
    ),
    InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR: CodeRow(
        "A copy failed in a way that has no code of its own.", "The message has the object store's words."
    ),
}
