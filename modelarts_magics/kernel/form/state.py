"""What a form's entries are compared with: the instance as they were loaded from, and as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.kernel.form import draft

if TYPE_CHECKING:
    from modelarts_magics.domain.models import Instance


class Ground:
    """The ground on which entries stand, and what has become of it since. Not thread-safe by itself.

    Attributes:
        instance: The instance as last heard of.
        seen: The instance on whose ground a change may be sent.
        base: The fields as they were loaded, each part from when it last followed.
        conflicts: The parts that were entered here and changed elsewhere.
    """

    def __init__(self, instance: Instance, fields: draft.Fields) -> None:
        self.instance = self.seen = instance
        self.base = self._theirs = fields
        self.conflicts: tuple[str, ...] = ()

    def hear(self, instance: Instance, theirs: draft.Fields) -> None:
        """Note how the instance is now, and how the fields would show it."""
        self.instance, self._theirs = instance, theirs

    def accept(self) -> None:
        """Compare from now on with what is now."""
        self.base, self.seen, self.conflicts = self._theirs, self.instance, ()

    def followed(self, mine: draft.Fields) -> draft.Fields:
        """The entries, with all that was not entered as it is now."""
        merged = draft.merge(self.base, mine, self._theirs)
        self.base, self.conflicts = merged.base, merged.conflicts
        if not self.conflicts:
            self.seen = self.instance
        return merged.fields

    def taken(self, mine: draft.Fields) -> draft.Fields:
        """The entries, with what is in conflict as it is now."""
        fields = draft.take(mine, self._theirs, self.conflicts)
        self.accept()
        return fields

    def settled(self, mine: draft.Fields, done: draft.Fields | None) -> draft.Fields:
        """All as it is now, but what was entered since `done`; None: but what was entered."""
        typed = set(draft.touched(self.base, mine))
        if done is not None:
            typed &= set(draft.touched(done, mine))
        self.accept()
        return draft.take(self._theirs, mine, typed)
