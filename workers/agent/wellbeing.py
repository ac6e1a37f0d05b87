"""Watches the agent: whether its heartbeats are answered, and all its loops come round."""

from __future__ import annotations

from collections.abc import Sequence

from aitrain.domain.health import Role
from aitrain.store import Store
from workers import clock
from workers.agent.loop import Loop
from workers.agent.pulse import Pulse
from workers.machine import Machine
from workers.watch import Look, Watch


class AgentWatch(Watch):
    """One look at all loops."""

    def __init__(self, machine: Machine, pulse: Pulse, loops: Sequence[Loop]) -> None:
        store: Store = machine.store
        super().__init__(store, machine.settings.timing, Role.AGENT, machine.settings.host.name)
        self._pulse, self._loops = pulse, loops
        self._hung: set[str] = set()

    def look(self) -> Look:
        """Whether it is well."""
        now = clock.elapsed()
        late = {
            type(loop).__name__: now - loop.came_round
            for loop in self._loops
            if loop.patience_s is not None and now - loop.came_round > loop.patience_s
        }
        # A machine that slept, or a process that was frozen, finds all of them late; a moment later they are not.
        hung, self._hung = self._hung & late.keys(), set(late)
        if late:
            why = ", ".join(f"{name} for {seconds:.0f} s" for name, seconds in sorted(late.items()))
            why = f"loops of the agent have not come round: {why}"
            return Look(end=f"{why}; containers run on") if hung else Look(trouble=why)
        silent_s = self._pulse.silence_s()
        if silent_s > self.timing.canary_stale_seconds:
            return Look(trouble=f"its heartbeat has not been answered for {silent_s:.0f} s")
        return Look(proved=True)
