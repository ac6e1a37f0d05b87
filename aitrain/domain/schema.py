"""The version of what the job store keeps: its stamp, and what a process makes of it.

The number goes up when a version could not read, or would spoil, what another one keeps: a key of another type, a field
of another meaning. A new key or a new field that may be absent is no reason. The stamp is the number as text; while a
control worker brings an older store up to date it is "1>2", and nobody else writes.

    1  what aitrain kept before there were stamps: none is there
    2  the stamp; keys of data stores are kept apart, and sealed by another encryption; how many jobs of a project are
       in a state is counted
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = 2
# Of a store that has no stamp and is not empty.
UNSTAMPED = 1


@dataclass(frozen=True)
class Stamp:
    """What a store says of itself. schema: of what it holds; target: to which it is being brought, None: it is not."""

    schema: int
    target: int | None = None

    @classmethod
    def of(cls, text: str) -> Stamp:
        """A stamp from its text. Raises ValueError for what is none; "" is the one of a store without."""
        if not text:
            return cls(UNSTAMPED)
        schema, arrow, target = text.partition(">")
        return cls(int(schema), int(target) if arrow else None)

    def __str__(self) -> str:
        if self.target is not None:
            return f"{self.schema}>{self.target}"
        return "" if self.schema == UNSTAMPED else str(self.schema)

    @property
    def newest(self) -> int:
        """The newest version that has written there."""
        return max(self.schema, self.target or 0)

    @property
    def is_newer(self) -> bool:
        """Whether a newer version has written there."""
        return self.newest > SCHEMA

    def problem(self, version: str) -> tuple[str, str] | None:
        """What keeps a process of aitrain `version` from using the store, and what to do; None if nothing does."""
        if self.is_newer:
            return (
                f"the job store has schema {self.newest}, and this aitrain ({version}) has schema {SCHEMA}",
                "the store was upgraded: upgrade this process, too, or restore the backup that was made before that",
            )
        if self.target is not None:
            return (
                f"the job store is being brought from schema {self.schema} to {self.target} by a control worker",
                "wait until it is done; start `aitrain control` if it was interrupted",
            )
        if self.schema < SCHEMA:
            return (
                f"the job store has schema {self.schema}, and this aitrain ({version}) has schema {SCHEMA}",
                "start `aitrain control` of this version, which brings the store up to date",
            )
        return None
