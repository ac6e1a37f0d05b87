"""Why a container ended: its own doing, or the platform's."""

from __future__ import annotations

import pytest

from aitrain.domain.states import EndCause
from workers.agent.verdict import end_cause, message
from workers.runtime import Container, Ending

C = EndCause


def ended(code: int, *, oom: bool = False) -> Container:
    return Container("c", "n", "j", "1.a", False, 1000, 2000, code, out_of_memory=oom)


def cause(code: int, ending: Ending, *, oom: bool = False, live: bool = True, **more: bool) -> EndCause:
    given = {"rebooted": False, "fenced": False, **more}
    return end_cause(ended(code, oom=oom), ending, live_restore=live, **given)


@pytest.mark.parametrize("live", [True, False])
def test_what_the_engine_saw_end_by_itself_is_the_jobs_own(live: bool) -> None:
    assert cause(0, Ending.OWN, live=live) is C.COMPLETED
    assert cause(3, Ending.OWN, live=live) is C.EXIT_CODE
    assert cause(137, Ending.OWN, oom=True, live=live) is C.OUT_OF_MEMORY
    assert cause(0, Ending.OWN, oom=True, live=live) is C.COMPLETED, "only a child of it ran out of memory"
    assert cause(255, Ending.OWN, live=live) is C.EXIT_CODE


@pytest.mark.parametrize("code", [0, 3, 137, 143])
def test_what_a_signal_ended_is_not(code: int) -> None:
    assert cause(code, Ending.IMPOSED) is C.ENGINE_RESTARTED


@pytest.mark.parametrize("code", [0, 3, 137, 143])
def test_what_ended_unseen_is_believed_with_live_restore_only(code: int) -> None:
    assert cause(code, Ending.UNSEEN, live=False) is C.ENGINE_RESTARTED
    assert cause(code, Ending.UNSEEN) is (C.COMPLETED if code == 0 else C.EXIT_CODE)
    assert cause(code, Ending.UNSEEN, rebooted=True) is C.ENGINE_RESTARTED


def test_an_end_that_nobody_knows() -> None:
    assert cause(255, Ending.UNSEEN) is C.ENGINE_RESTARTED


def test_what_the_host_stopped_to_be_safe() -> None:
    for ending in Ending:
        assert cause(0, ending, fenced=True) is C.HOST_CUT_OFF


def test_every_end_but_success_is_explained() -> None:
    assert message(C.COMPLETED, 0) == ""
    assert "exited with 127: its program is not in the image" in message(C.EXIT_CODE, 127)
    assert all(message(cause, 1) for cause in (C.EXIT_CODE, C.OUT_OF_MEMORY, C.ENGINE_RESTARTED, C.HOST_CUT_OFF))
