"""Asks the NVIDIA driver through NVML. Nothing else speaks to it.

Each look opens NVML anew and closes it: then it sees GPUs that came or went, and it does not keep an operator from
resetting one. Without nvidia-persistenced a driver that nobody has open lets its GPUs go, and each look wakes them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import PurePath
from typing import Any

import pynvml

from workers.gpus.gpu import MIB, Gpu, GpuProcess, Look

# Without its persistence daemon the driver wakes every GPU for this.
ANSWER_SECONDS = 20.0
# An older GPU or driver does not have what was asked for; it has no faults of that kind.
NOT_TOLD = {
    pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, pynvml.NVML_ERROR_NO_PERMISSION,
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH, pynvml.NVML_ERROR_NO_DATA, pynvml.NVML_ERROR_NOT_FOUND,
    pynvml.NVML_ERROR_INVALID_ARGUMENT,
}  # fmt: skip
LOST = {
    pynvml.NVML_ERROR_GPU_IS_LOST: "it is lost: it has fallen off the bus",
    pynvml.NVML_ERROR_RESET_REQUIRED: "it must be reset",
}
RECOVERY = {
    pynvml.NVML_GPU_RECOVERY_ACTION_GPU_RESET: "the driver asks for a reset of it",
    pynvml.NVML_GPU_RECOVERY_ACTION_NODE_REBOOT: "the driver asks for a restart of the machine",
    pynvml.NVML_GPU_RECOVERY_ACTION_DRAIN_P2P: "the driver asks for it to be drained",
    pynvml.NVML_GPU_RECOVERY_ACTION_DRAIN_AND_RESET: "the driver asks for it to be drained and reset",
}

# Of computing and of drawing; drivers before R510 know the older ones.
PROCESSES = (
    (pynvml.nvmlDeviceGetComputeRunningProcesses_v3, pynvml.nvmlDeviceGetComputeRunningProcesses_v2),
    (pynvml.nvmlDeviceGetGraphicsRunningProcesses_v3, pynvml.nvmlDeviceGetGraphicsRunningProcesses_v2),
)

# One look at a time: NVML counts how often it was opened, and would not see anew what is open already.
_one_at_a_time = threading.Lock()


def look() -> Look:
    """Looks at every GPU and slice. Raises nothing of NVML's: what it says, or that it says nothing, is the answer."""
    answer: list[Look] = []

    def ask() -> None:
        try:
            looked = _look()
            answer.append(_look() if looked.trouble else looked)  # opened anew, most troubles are over
        finally:
            _one_at_a_time.release()

    # A driver whose GPU has gone wrong may never return from a call.
    if _one_at_a_time.acquire(timeout=ANSWER_SECONDS):
        thread = threading.Thread(target=ask, name="nvml", daemon=True)
        thread.start()
        thread.join(ANSWER_SECONDS)
    return answer[0] if answer else Look(trouble=f"the NVIDIA driver has not answered for {ANSWER_SECONDS:g} s")


def _look() -> Look:
    try:
        with _open():
            return Look(tuple(_all()))
    except pynvml.NVMLError as error:
        # Any other complaint is of a driver that is there and ails.
        if error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            return Look(absent=True)
        return Look(trouble=f"NVML: {error}")


@contextmanager
def _open() -> Iterator[None]:
    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def _all() -> Iterator[Gpu]:
    for number in range(pynvml.nvmlDeviceGetCount()):
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(number)
            uuid = pynvml.nvmlDeviceGetUUID(handle)
        except pynvml.NVMLError:
            continue  # which one it is cannot be said, so to whoever looks for it, it is not there
        whole = _describe(handle, str(number), uuid, _faults(handle))
        yield whole
        if whole.mig:
            yield from _slices(handle, whole)


def _slices(handle: Any, whole: Gpu) -> Iterator[Gpu]:
    for place in range(_ask(lambda: pynvml.nvmlDeviceGetMaxMigDeviceCount(handle), 0)):
        try:
            of_slice = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
            uuid = pynvml.nvmlDeviceGetUUID(of_slice)
        except pynvml.NVMLError:
            continue  # that place is empty
        yield _describe(of_slice, "", uuid, list(whole.faults))


def _describe(handle: Any, number: str, uuid: str, faults: list[str]) -> Gpu:
    """faults: known by now; what cannot be read of it is one more."""
    model, total, used, mig, busy = "", 0, 0, False, None
    processes: tuple[GpuProcess, ...] = ()
    try:
        model = pynvml.nvmlDeviceGetName(handle)
        total, used = _memory(handle)
        processes = _processes(handle)
        # A slice is not asked: it has the mode of the whole.
        mig = bool(number) and _ask(lambda: pynvml.nvmlDeviceGetMigMode(handle)[0], 0) == pynvml.NVML_DEVICE_MIG_ENABLE
        busy = _busy(handle)
    except pynvml.NVMLError as error:
        complaint = LOST.get(error.value, f"NVML: {error}")
        if complaint not in faults:
            faults.append(complaint)
    return Gpu(number, uuid, model, total, used, processes, tuple(faults), mig, busy)


def _busy(handle: Any) -> int | None:
    """How busy it is, in percent. A driver that does not say so, for whatever reason, says nothing of its health."""
    try:
        return int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except pynvml.NVMLError:
        return None


def _memory(handle: Any) -> tuple[int, int]:
    """In all and in use, in MiB. The newer call does not count what the driver keeps for itself."""
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2)
    except pynvml.NVMLError as error:
        if error.value not in NOT_TOLD:
            raise
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return memory.total // MIB, memory.used // MIB


def _processes(handle: Any) -> tuple[GpuProcess, ...]:
    used: dict[int, int] = {}
    for newer, older in PROCESSES:
        told = _ask(partial(newer, handle), None)
        for process in _ask(partial(older, handle), ()) if told is None else told:
            used[process.pid] = max(used.get(process.pid, 0), (process.usedGpuMemory or 0) // MIB)
    return tuple(GpuProcess(pid, _name(pid), mib) for pid, mib in sorted(used.items()))


def _name(pid: int) -> str:
    try:
        name = PurePath(pynvml.nvmlSystemGetProcessName(pid)).name
        # Whoever runs it chose the name, and operators read it on their terminals.
        return "".join(letter if letter.isprintable() else "?" for letter in name)
    except (pynvml.NVMLError, UnicodeDecodeError):
        return ""


def _faults(handle: Any) -> list[str]:
    """What is wrong with a GPU, as states that stand until it is mended, so nothing is missed between two looks."""
    faults = []
    try:
        errors = _ask(
            lambda: pynvml.nvmlDeviceGetTotalEccErrors(
                handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC
            ),
            0,
        )
        if errors:
            faults.append(f"{errors} uncorrectable memory errors (ECC) since it was last reset")
        _, _, pending, failed = _ask(lambda: pynvml.nvmlDeviceGetRemappedRows(handle), (0, 0, 0, 0))
        retiring = _ask(lambda: pynvml.nvmlDeviceGetRetiredPagesPendingStatus(handle), 0)
        if failed:
            faults.append("a bad row of its memory could not be remapped: it is to be replaced")
        if pending or retiring:
            faults.append("bad memory is taken out of use only when it is reset")
        if wanted := _recovery(handle):
            faults.append(RECOVERY.get(wanted, f"the driver asks for recovery {wanted}"))
    except pynvml.NVMLError as error:
        faults.append(LOST.get(error.value, f"NVML: {error}"))
    return faults


def _recovery(handle: Any) -> int:
    """What the driver asks for after an error (Xid), 0 if nothing; drivers before R560 do not say."""
    field = _ask(lambda: pynvml.nvmlDeviceGetFieldValues(handle, [pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION]), None)
    if not field or field[0].nvmlReturn != pynvml.NVML_SUCCESS:
        return 0
    return int(field[0].value.uiVal)


def _ask(question: Callable[[], Any], otherwise: Any) -> Any:
    """The driver's answer, or `otherwise` if it does not tell that of this GPU."""
    try:
        return question()
    except pynvml.NVMLError as error:
        if error.value in NOT_TOLD:
            return otherwise
        raise
