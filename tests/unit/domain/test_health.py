"""What proofs of health mean."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from aitrain.domain.health import PROOFS, Role, Vital, Vitals, judge

NOW_MS = 1_000_000_000


def _judge(
    role: Role, ago_s: float | None, trouble: str = "", sweeps: Mapping[str, int] | None = None
) -> tuple[bool, str]:
    vital = Vital(role, "gpu-01", None if ago_s is None else NOW_MS - round(1000 * ago_s), trouble)
    judged = judge(vital, Vitals(NOW_MS, (vital,), sweeps or {}), stale_s=120, sweep_s=15)
    return judged.well, judged.why


@pytest.mark.parametrize("role", list(Role))
def test_a_proof_counts_until_it_is_stale(role: Role) -> None:
    assert _judge(role, 119)[0]
    assert _judge(role, 121) == (False, f"it has not {PROOFS[role]} for 121 s")
    assert _judge(role, None) == (False, f"there is no sign of it yet: it has not {PROOFS[role]}")


def test_a_process_that_says_what_is_wrong_is_believed() -> None:
    assert _judge(Role.AGENT, 10, "its loop Logs hangs") == (False, "its loop Logs hangs")
    assert _judge(Role.AGENT, None, "its loop Logs hangs") == (False, "its loop Logs hangs")


@pytest.mark.parametrize(
    ("sweeps", "said"),
    [
        ({}, "no sweep has ever succeeded: look at the control workers"),
        ({"place_waiting": NOW_MS - 500_000}, "no sweep has succeeded for 500 s: look at the control workers"),
        # A note of a sweep is not one.
        ({"drop_dead_messages.dropped": NOW_MS}, "no sweep has ever succeeded"),
    ],
)
def test_beat_is_told_apart_from_the_control_workers(sweeps: Mapping[str, int], said: str) -> None:
    well, why = _judge(Role.BEAT, 10, sweeps=sweeps)
    assert well
    assert said in why


def test_a_beat_whose_sweeps_succeed_is_just_well() -> None:
    assert _judge(Role.BEAT, 10, sweeps={"place_waiting": NOW_MS - 20_000}) == (
        True, "it has sent a message to the broker 10 s ago",
    )  # fmt: skip


def test_a_process_that_nobody_heard_of_is_not_there() -> None:
    found = Vitals(NOW_MS, (Vital(Role.WORKER, "gpu-01", NOW_MS),), {}).find(Role.WORKER, "gpu-02")
    assert found == Vital(Role.WORKER, "gpu-02", None)
