"""What a form's entries are compared with: the instance as they were loaded from, and as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.kernel.form import draft

if TYPE_CHECKING:
    from modelarts_magics.domain.models import Instance


class FormState:
    """The ground on which entries stand, and what has become of it since. Not thread-safe by itself.

    Attributes:
        instance: The instance as last heard of.
        base_instance: The instance on whose ground a change may be sent.
        base: The fields as they were loaded, each part from when it last followed.
        conflicts: The parts that were entered here and changed elsewhere.
    """

    def __init__(self, instance: Instance, fields: draft.FormFields) -> None:
        self.instance = self.base_instance = instance
        self.base = self._theirs = fields
        self.conflicts: tuple[str, ...] = ()

    def set_latest(self, instance: Instance, theirs: draft.FormFields) -> None:
        """Note how the instance is now, and how the fields would show it."""
        self.instance, self._theirs = instance, theirs

    def rebase(self) -> None:
        """Compare from now on with what is now."""
        self.base, self.base_instance, self.conflicts = self._theirs, self.instance, ()

    def merge_latest(self, mine: draft.FormFields) -> draft.FormFields:
        """The entries, with all that was not entered as it is now."""
        merged = draft.merge(self.base, mine, self._theirs)
        self.base, self.conflicts = merged.base, merged.conflicts
        if not self.conflicts:
            self.base_instance = self.instance
        return merged.fields

    def take_theirs(self, mine: draft.FormFields) -> draft.FormFields:
        """The entries, with what is in conflict as it is now."""
        fields = draft.copy_parts(mine, self._theirs, self.conflicts)
        self.rebase()
        return fields

    def reload(self, mine: draft.FormFields, sent: draft.FormFields | None) -> draft.FormFields:
        """All as it is now, but what was entered since `sent`; None: but what was entered."""
        typed = set(draft.edited_parts(self.base, mine))
        if sent is not None:
            typed &= set(draft.edited_parts(sent, mine))
        self.rebase()
        return draft.copy_parts(self._theirs, mine, typed)
