"""The instance and its auto-stop as frozen values without I/O.

Field names and tables are those of the seed document ("update an instance" of `demanager`);
`modelarts_magics.api.notebooks` converts responses of the current API to the same values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from modelarts_magics.domain.rich_output import RichResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelarts_magics.errors import ModelArtsError


STOP_TIME_TOLERANCE = timedelta(seconds=5)
"""The difference up to which two stop times count as the same.

A stop time computed from the time left moves by a few seconds from one response to the next.
"""


def same_stop_time(one: datetime | None, other: datetime | None) -> bool:
    """Return whether both are known and differ by at most `STOP_TIME_TOLERANCE`."""
    return one is not None and other is not None and abs(one - other) <= STOP_TIME_TOLERANCE


class Word(str, Enum):
    """An enumeration of words; formatted as its value by every version of Python."""

    def __str__(self) -> str:
        return str(self.value)


class Status(Word):
    """The status of an instance.

    A status that is not listed becomes a member named ``UNKNOWN`` whose value is the original word.
    """

    INIT = "INIT"
    CREATE_QUEUING = "CREATE_QUEUING"
    CREATING = "CREATING"
    CREATE_FAILED = "CREATE_FAILED"
    START_QUEUING = "START_QUEUING"
    READY_TO_START = "READY_TO_START"
    STARTING = "STARTING"
    RESTARTING = "RESTARTING"
    START_FAILED = "START_FAILED"
    RUNNING = "RUNNING"
    SNAPSHOTTING = "SNAPSHOTTING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    RESIZING = "RESIZING"
    RESIZE_FAILED = "RESIZE_FAILED"
    UNAVAILABLE = "UNAVAILABLE"
    FROZEN = "FROZEN"
    ERROR = "ERROR"
    DELETING = "DELETING"
    DELETE_FAILED = "DELETE_FAILED"
    DELETED = "DELETED"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def _missing_(cls, value: object) -> Status:
        member = str.__new__(cls, str(value))
        member._name_ = "UNKNOWN"
        member._value_ = str(value)
        return member

    def __reduce_ex__(self, _protocol: object) -> tuple[type[Status], tuple[str]]:
        # Some versions of Python would copy the member by its name.
        return Status, (self._value_,)

    @property
    def running(self) -> bool:
        """Whether the instance runs, so that its auto-stop is active."""
        return self in (Status.RUNNING, Status.SNAPSHOTTING)

    @property
    def stopping(self) -> bool:
        """Whether the instance is stopping or being deleted."""
        return self in (Status.STOPPING, Status.DELETING)

    @property
    def stopped(self) -> bool:
        """Whether the instance does not run and will not start by itself."""
        return self.name.endswith("_FAILED") or self in (
            Status.STOPPED,
            Status.DELETED,
            Status.FROZEN,
            Status.ERROR,
        )


class Mode(Word):
    """The trigger of auto-stop."""

    TIMING = "TIMING"
    """A fixed stop time."""
    IDLE = "IDLE"
    """Low resource use; there is no fixed stop time. Only the `notebooks` API supports it."""


class StopTimeUnknown(Word):
    """Why the stop time of a run with auto-stop on is unknown."""

    MISSING = "missing"
    """The API returned no stop time."""
    PAST = "passed"
    """The stop time has passed and the instance still runs."""
    INCONSISTENT = "inconsistent"
    """stop_timestamp and remain_time differ by more than 60 s."""
    IMPLAUSIBLE = "implausible"
    """The API returned a value that cannot be right, for example in another unit."""


@dataclass(frozen=True)
class AutoStop:
    """The auto-stop of an instance (table 11).

    Attributes:
        enabled: Whether auto-stop is on (``enable``).
        mode: The trigger.
        duration: The run time that is set (``duration``); None if the API returns none.
        duration_start: The time from which `duration` counts, if the API returns it.
        prompt: Whether the console shows a reminder (``prompt``); None if the API has no such field.
        stops_at: The stop time of this run, aware; None if off, idle, not running or unknown.
        stop_time_unknown: Why `stops_at` is None although auto-stop is active.
        stop_timestamp: The stop time as the API returned it; None if it did not.
        remain_time: The time left as the API returned it; None if it did not.
    """

    enabled: bool
    mode: Mode = Mode.TIMING
    duration: timedelta | None = None
    duration_start: datetime | None = None
    prompt: bool | None = None
    stops_at: datetime | None = None
    stop_time_unknown: StopTimeUnknown | None = None
    stop_timestamp: datetime | None = None
    remain_time: timedelta | None = field(default=None, compare=False)

    @property
    def is_known(self) -> bool:
        """Whether the API returned anything about auto-stop."""
        return self.enabled or self.stop_time_unknown is None

    @property
    def passed_stop_time(self) -> datetime | None:
        """The stop time that has passed while the instance still runs; None if there is none."""
        if self.stop_time_unknown is not StopTimeUnknown.PAST:
            return None
        if self.duration_start is not None and self.duration is not None:
            return self.duration_start + self.duration
        return self.stop_timestamp

    @property
    def reported_stop_time(self) -> datetime | None:
        """The stop time of this run, also if it has passed; None if there is none."""
        return self.stops_at or self.passed_stop_time

    def equivalent_to(self, other: AutoStop) -> bool:
        """Return whether both are equal, except for a stop time within `STOP_TIME_TOLERANCE`."""
        one, two = self.stops_at, other.stops_at
        if one is None or two is None:
            return self == other
        return same_stop_time(one, two) and _auto_stop_rest(self) == _auto_stop_rest(other)


UNKNOWN_AUTO_STOP = AutoStop(enabled=False, stop_time_unknown=StopTimeUnknown.MISSING)
"""The value if the API returns nothing about auto-stop: neither "on" nor "off" is certain."""


@dataclass(frozen=True)
class DockerParams:
    """Docker deployment (table 9)."""

    namespace: str | None
    image_name: str | None
    image_tag: str | None
    annotations: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True)
class ProvisionSpec:
    """Deployment details (table 8); `params` is the original object if the type is not Docker."""

    engine: str | None
    params: DockerParams | Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True)
class Provision:
    """Deployment (table 7)."""

    type: str | None
    spec: ProvisionSpec | None
    annotations: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True)
class Profile:
    """Configuration (table 6)."""

    id: str | None
    name: str | None
    description: str | None
    de_type: str | None
    provision: Provision | None
    labels: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True)
class Storage:
    """Storage of the instance (table 10, ``storage``): ``obs`` or ``evs``."""

    type: str | None
    location: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True)
class NotebookSpec:
    """Definition of a `Notebook` instance (table 10); for its auto-stop see `Instance.auto_stop`."""

    storage: Storage | None
    annotations: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True)
class Workspace:
    """The workspace of the instance (table 12)."""

    id: str | None


@dataclass(frozen=True)
class Instance(RichResult):
    """A notebook instance as the API described it at one moment (table 5).

    Two instances are equal if the API returned the same for both, whenever it was asked. Objects of any
    content, such as labels and annotations, are not compared, because a state file does not hold them.

    Attributes:
        id: The instance ID.
        name: The name.
        description: The description; "" if there is none.
        status: The status.
        auto_stop: The auto-stop (table 11).
        api: The API that answered, ``demanager`` or ``notebooks``.
        observed_at: When the API answered, aware, by the clock of the API.
        created_at: When the instance was created, aware (``creation_timestamp``).
        flavor: The machine specification.
        profile: The configuration (table 6).
        spec: The definition (table 10) of a Notebook, else the original object.
        workspace: The workspace (table 12).
        demo: Whether the local emulator answered.
        raw: The whole response without secrets, including fields unknown to this package.
        implausible: The values of fields that are unknown because they cannot be right, by the name of the field.
    """

    id: str
    name: str
    description: str
    status: Status
    auto_stop: AutoStop
    api: str
    observed_at: datetime = field(compare=False)
    created_at: datetime | None = None
    flavor: str | None = None
    profile: Profile | None = None
    spec: NotebookSpec | Mapping[str, Any] | None = field(default=None, compare=False)
    workspace: Workspace | None = None
    demo: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    implausible: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.name or self.id}: {self.status.value}"

    @property
    def running(self) -> bool:
        """Whether the instance runs."""
        return self.status.running

    def equivalent_to(self, other: Instance) -> bool:
        """Return whether both are equal, except for a stop time within `STOP_TIME_TOLERANCE`."""
        same_auto_stop = self.auto_stop.equivalent_to(other.auto_stop)
        return same_auto_stop and _instance_rest(self) == _instance_rest(other)


def _compared_fields(kind: type[AutoStop | Instance], *, without: str) -> attrgetter[Any]:
    """Return a function that returns the compared fields of an object, without one of them."""
    names = (each.name for each in fields(kind) if each.compare and each.name != without)
    return attrgetter(*names)


_auto_stop_rest = _compared_fields(AutoStop, without="stops_at")
_instance_rest = _compared_fields(Instance, without="auto_stop")


class CountsFrom(Word):
    """The time from which a duration in a request counts."""

    RUN_START = "run-start"
    NOW = "now"


class Capabilities(NamedTuple):
    """The features of an API, so that no other code compares its name.

    Attributes:
        api: The name of the API.
        counts_from: The time from which a duration in a request counts.
        min_duration: The shortest duration that it accepts.
        max_duration: The longest duration that it accepts.
        can_disable: Whether turning auto-stop off is documented.
        supports_idle: Whether it has a mode that stops on low use.
        supports_reminder: Whether it stores whether the console shows a reminder.
        persists_duration: Whether a duration is stored for later runs.
    """

    api: str
    counts_from: CountsFrom
    min_duration: timedelta
    max_duration: timedelta
    can_disable: bool
    supports_idle: bool
    supports_reminder: bool
    persists_duration: bool

    @property
    def keeps_running(self) -> str:
        """The setting that may keep a run that cannot be extended: ``off`` or ``idle``."""
        return "off" if self.can_disable else "idle"


class AutoStopEdit(NamedTuple):
    """The auto-stop to write. It is complete, so that no field falls back to a default of the API."""

    enabled: bool
    mode: Mode = Mode.TIMING
    duration: timedelta | None = None
    prompt: bool | None = None


class Edit(NamedTuple):
    """A write; a part that is None stays as it is."""

    description: str | None = None
    auto_stop: AutoStopEdit | None = None


class Effect(Word):
    """The effect of a change, determined from the response of the API."""

    NOW = "now"
    """The change has taken effect."""
    NEXT_START = "next-start"
    """The change is saved; the stop time of this run is unchanged."""
    UNCONFIRMED = "unconfirmed"
    """The API did not confirm the change."""


class PendingRestore(NamedTuple):
    """A run time that can be restored for later starts, or will be.

    Attributes:
        duration: The usual run time.
        run_started_at: The start of the run that was changed; None if it is unknown.
        set_duration: The run time that the change has set; another one was chosen by the user.
        planned: Whether it will be restored; False while that is only offered.
    """

    duration: timedelta
    run_started_at: datetime | None
    set_duration: timedelta | None = None
    planned: bool = True


@dataclass(frozen=True)
class Change(RichResult):
    """A write and its effect.

    Attributes:
        before: The instance as read before the write.
        after: The instance as read back; None if that failed.
        effect: The effect of the change.
        edit: The edit that was sent.
        capabilities: The capabilities of the API, for wording the result.
        action: The command: ``describe``, ``auto-stop``, ``extend``, ``shorten``, ``stop`` or ``update``.
        expected_stop_time: The stop time of this run if the edit takes effect at once; None if unknown.
        read_back_error: Why the instance could not be read back, if `after` is None.
        this_run_only: Whether the request was about the stop time of this run, not about a run time.
        restore: The run time that can be restored for later starts, or will be; None if there is none.
    """

    before: Instance
    after: Instance | None
    effect: Effect
    edit: Edit
    capabilities: Capabilities
    action: str = "update"
    expected_stop_time: datetime | None = None
    read_back_error: ModelArtsError | None = None
    this_run_only: bool = False
    restore: PendingRestore | None = None

    @property
    def description_elsewhere(self) -> str | None:
        """The description as read back, if another process changed it during this change; else None."""
        if self.after is None:
            return None
        found, mine = self.after.description, self.edit.description
        # The old description shows that a new one was not applied, or was overwritten with the old one.
        return None if found in (self.before.description, mine) else found

    @property
    def leaves_no_trace(self) -> bool:
        """Whether this run has not followed a change that was meant for it alone, so that it is taken back."""
        planned = self.restore is not None and self.restore.planned
        return planned and self.this_run_only and self.effect is Effect.NEXT_START

    @property
    def missed_extension(self) -> bool:
        """Whether this run was to stop later and, as far as is known, does not."""
        edit, current = self.edit.auto_stop, self.before.auto_stop.reported_stop_time
        if edit is None or not edit.enabled or self.effect is Effect.NOW or not self.before.running:
            return False
        expected = self.expected_stop_time
        return self.action == "extend" or bool(current and expected and expected > current)

    def __str__(self) -> str:
        return f"{self.action}: {self.effect.value}"
