"""Carries out the faults of a plan at their moments."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from workers.drill.breaking import BREAKING
from workers.drill.faults import Lane, Struck
from workers.drill.plan import PlannedFault
from workers.drill.site import DrillSite


class Injection:
    """Carries out faults, each lane in a thread. What is broken is mended when the drill is called off."""

    def __init__(self, site: DrillSite, faults: Sequence[PlannedFault], tell: Callable[[str], None]) -> None:
        """tell: takes a line for people about each fault."""
        self._site, self._tell = site, tell
        self._off, self._closing = threading.Event(), threading.Event()
        self._lanes = {lane: [fault for fault in faults if fault.lane is lane] for lane in Lane}
        self._over = {lane: threading.Event() for lane in Lane}
        self._threads: list[threading.Thread] = []
        self.problems: list[str] = []
        self.struck: list[Struck] = []

    @property
    def over(self) -> bool:
        """Whether every fault has been injected and mended."""
        return all(over.is_set() for over in self._over.values())

    def start(self, began: float) -> None:
        """Starts the lanes. began: monotonic seconds at which the plan's time begins."""
        for lane in Lane:
            thread = threading.Thread(target=self._run, args=(lane, began), name=f"lane-{lane}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def call_off(self) -> None:
        """Breaks nothing more, and returns when everything is mended."""
        self._off.set()
        if self._threads:
            for over in self._over.values():
                over.wait()

    def close(self) -> None:
        """Ends the lanes. To be called when the site has ended."""
        self.call_off()
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _run(self, lane: Lane, began: float) -> None:
        for fault in self._lanes[lane]:
            if self._off.wait(max(0.0, began + fault.at_s - time.monotonic())):
                break
            self._inject(fault)
        self._over[lane].set()
        # What a thread starts is bound to it and ends with it (see bound_to_parent), so it lives as long as the site.
        self._closing.wait()

    def _inject(self, fault: PlannedFault) -> None:
        name = f"{fault.kind} {fault.host}".rstrip()
        self._tell(f"{name} for {fault.lasts_s:.1f} s")
        began_ms = int(time.time() * 1000)
        try:
            BREAKING[fault.kind](self._site, fault, self._off.wait)
        except Exception as error:  # what cannot be mended spoils the drill, and must be told
            self.problems.append(f"{name}: {type(error).__name__}: {error}")
        self.struck.append(Struck(fault.kind, fault.host, began_ms, int(time.time() * 1000)))
