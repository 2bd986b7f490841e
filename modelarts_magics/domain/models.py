"""An instance and its auto-stop, as frozen values that answer questions and do no I/O.

Field names and tables are those of the seed document ("update an instance" of `demanager`); what
the current `notebooks` API says is put into the same values by `modelarts_magics.api.notebooks`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelarts_magics.errors import ModelArtsError


STOP_TIME_TOLERANCE = timedelta(seconds=5)
"""Two statements of one stop time may differ by this much."""


class Status(str, Enum):
    """What the cloud says the instance is doing.

    A word that is not listed becomes a member named ``UNKNOWN`` that keeps the word as its value.
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
        return Status, (self._value_,)  # some versions of Python would copy it by its name

    @property
    def running(self) -> bool:
        """Whether the instance runs, so that its auto-stop counts."""
        return self in (Status.RUNNING, Status.SNAPSHOTTING)

    @property
    def stopping(self) -> bool:
        """Whether the instance is on its way down."""
        return self in (Status.STOPPING, Status.DELETING)

    @property
    def stopped(self) -> bool:
        """Whether the instance does not run and will not by itself."""
        return self.name.endswith("_FAILED") or self in (
            Status.STOPPED,
            Status.DELETED,
            Status.FROZEN,
            Status.ERROR,
        )


class Mode(str, Enum):
    """What makes auto-stop stop the instance."""

    TIMING = "TIMING"
    """A fixed time."""
    IDLE = "IDLE"
    """Low use; there is no fixed end. Only the `notebooks` API has it."""


class StopTimeUnknown(str, Enum):
    """Why the end of a run with auto-stop on is not known."""

    MISSING = "missing"
    """The cloud named no end."""
    PAST = "past"
    """The end it named has passed and the instance still runs."""
    INCONSISTENT = "disagree"
    """It named two ends (stop_timestamp and remain_time) more than 60 s apart."""


@dataclass(frozen=True)
class AutoStop:
    """The auto-stop of an instance (table 11).

    Attributes:
        enabled: Whether auto-stop is on (``enable``).
        mode: What stops the instance.
        duration: The run time that is set (``duration``); None where the cloud gives none.
        duration_start: What `duration` counts from, where the API says so.
        prompt: Whether the console shall remind (``prompt``); None where the API has no such thing.
        stops_at: When this run ends, aware; None if off, idle, not running or not known.
        stop_time_unknown: Why `stops_at` is not known although it should be.
        stop_timestamp: The end as the cloud wrote it; None if it did not.
        remain_time: The time left as the cloud wrote it when it was asked; None if it did not.
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
        """Whether the cloud said anything about auto-stop at all."""
        return self.enabled or self.stop_time_unknown is None

    def equivalent_to(self, other: AutoStop) -> bool:
        """Whether both say the same; an end that follows from the time left moves a little at each look."""
        one, two = self.stops_at, other.stops_at
        if one is None or two is None:
            return self == other
        return abs(one - two) <= STOP_TIME_TOLERANCE and replace(self, stops_at=two) == other


UNKNOWN_AUTO_STOP = AutoStop(enabled=False, stop_time_unknown=StopTimeUnknown.MISSING)
"""What holds where the cloud says nothing: "on" and "off" would both be a claim."""


@dataclass(frozen=True)
class DockerParams:
    """Docker deployment (table 9): the image and the open map of annotations."""

    namespace: str | None
    image_name: str | None
    image_tag: str | None
    annotations: Mapping[str, Any]


@dataclass(frozen=True)
class ProvisionSpec:
    """Deployment details (table 8); `params` is as it came where the type is not Docker."""

    engine: str | None
    params: DockerParams | Mapping[str, Any]


@dataclass(frozen=True)
class Provision:
    """Deployment (table 7)."""

    type: str | None
    spec: ProvisionSpec | None
    annotations: Mapping[str, Any]


@dataclass(frozen=True)
class Profile:
    """Configuration (table 6)."""

    id: str | None
    name: str | None
    description: str | None
    de_type: str | None
    provision: Provision | None
    labels: Mapping[str, Any]


@dataclass(frozen=True)
class Storage:
    """Where the instance keeps its files (table 10, ``storage``): ``obs`` or ``evs``."""

    type: str | None
    location: Mapping[str, Any]


@dataclass(frozen=True)
class NotebookSpec:
    """The definition of a `Notebook` instance (table 10); its auto-stop is `Instance.auto_stop`."""

    storage: Storage | None
    annotations: Mapping[str, Any]


@dataclass(frozen=True)
class Workspace:
    """The workspace of the instance (table 12)."""

    id: str | None


@dataclass(frozen=True)
class Instance:
    """A notebook instance as the cloud described it at one moment (table 5).

    Two instances are equal when the cloud says the same of both; the moment of asking does not count.

    Attributes:
        id: The instance id.
        name: Its name.
        description: What it is for; "" where the cloud has none.
        status: What it is doing.
        auto_stop: When and why it stops; table 11.
        api: The API generation that answered, ``demanager`` or ``notebooks``.
        observed_at: When the cloud said so, aware, by the cloud's clock.
        created_at: When it was created, aware (``creation_timestamp``).
        flavor: The machine specification.
        profile: Table 6.
        spec: Table 10 for a Notebook, else as it came.
        workspace: Table 12.
        demo: Whether the local emulator answered.
        raw: The whole answer without its secrets, unknown fields of later editions included.
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
    spec: NotebookSpec | Mapping[str, Any] | None = None
    workspace: Workspace | None = None
    demo: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.name or self.id}: {self.status.value}"

    @property
    def running(self) -> bool:
        """Whether the instance runs."""
        return self.status.running

    def equivalent_to(self, other: Instance) -> bool:
        """Whether the cloud says the same of both; see `AutoStop.same_as`."""
        return (
            self.auto_stop.equivalent_to(other.auto_stop)
            and replace(self, auto_stop=other.auto_stop) == other
        )


class CountsFrom(str, Enum):
    """What a duration counts from, in a request."""

    RUN_START = "run-start"
    NOW = "now"


@dataclass(frozen=True)
class Capabilities:
    """What an API generation can do, so that nobody else asks for its name.

    Attributes:
        api: The generation's name.
        counts_from: What a duration in a request counts from.
        min_duration: The shortest duration it takes.
        max_duration: The longest duration it takes.
        can_disable: Whether turning auto-stop off is documented.
        supports_idle: Whether there is a mode that stops on low use.
        supports_reminder: Whether it keeps the wish to be reminded.
        persists_duration: Whether a duration is kept for later starts.
    """

    api: str
    counts_from: CountsFrom
    min_duration: timedelta
    max_duration: timedelta
    can_disable: bool
    supports_idle: bool
    supports_reminder: bool
    persists_duration: bool


@dataclass(frozen=True)
class AutoStopEdit:
    """The auto-stop to write, whole: no part of it is left to the cloud's defaults."""

    enabled: bool
    mode: Mode = Mode.TIMING
    duration: timedelta | None = None
    prompt: bool | None = None


@dataclass(frozen=True)
class Edit:
    """What to write; None leaves that part as it is."""

    description: str | None = None
    auto_stop: AutoStopEdit | None = None


class Effect(str, Enum):
    """What became of a change, by the cloud's own answer."""

    NOW = "now"
    """It holds."""
    NEXT_START = "next-start"
    """It is saved; this run still ends when it did."""
    UNCONFIRMED = "unconfirmed"
    """The cloud did not say that it holds."""


@dataclass(frozen=True)
class Change:
    """A write and what became of it.

    Attributes:
        before: The instance as read just before.
        after: The instance as read back; None if it could not be.
        effect: What became of the change.
        edit: What was sent.
        capabilities: What the API can do, so that the words fit.
        action: The command's word: ``describe``, ``auto-stop``, ``extend``, ``shorten``, ``update``.
        expected_stop_time: When this run would end if the change took effect at once; None: not known.
        read_back_error: Why the instance could not be read back, where `after` is None.
    """

    before: Instance
    after: Instance | None
    effect: Effect
    edit: Edit
    capabilities: Capabilities
    action: str = "update"
    expected_stop_time: datetime | None = None
    read_back_error: ModelArtsError | None = None

    def __str__(self) -> str:
        return f"{self.action}: {self.effect.value}"
