"""What can be chosen when an emulator starts; the command line and `LocalEmulator` share it."""

from __future__ import annotations

from dataclasses import dataclass

CHOICES: dict[str, tuple[str, ...]] = {
    "api": ("demanager", "notebooks"),
    "edition": ("2019", "2021"),
    "id_form": ("uuid", "de"),
    "put_answer": ("edition", "full", "without-spec"),
    "enable_while_running": ("now", "next-start"),
    "description_put_while_running": ("accept", "refuse"),
    "patch_off": ("accept", "refuse"),
    "lease_type": ("upper", "lower", "absent"),
}


@dataclass(frozen=True)
class Options:
    """The choices of one emulator.

    Attributes:
        api: Which instance is the one printed and put in the environment; both are served.
        edition: "2019": the description is mandatory, a changed duration moves the stop of the
            current run. "2021": it is optional, a changed duration waits for the next start.
        time_scale: How many times faster than real time the server's clock runs.
        minutes_left: What both instances have left at the start, in minutes.
        auto_stop: False starts both instances without auto-stop.
        name: The name of both instances.
        description: The description of both instances.
        transition_s: How long STARTING, RESTARTING and STOPPING last, in seconds of the clock.
        token_hours: After how many hours of the clock the token expires; None for never.
        instance_id: The id of the demanager instance; made up if None.
        notebook_id: The id of the notebooks instance; made up if None.
        id_form: "de" gives the demanager instance an id of the form `DE-<uuid1>`.
        put_answer: Whether a demanager PUT answers with `spec`; "edition": only 2019 does.
        enable_while_running: In edition 2021, when auto-stop switched on during a run begins.
        description_put_while_running: Whether `notebooks` takes a description then.
        patch_off: Whether a lease takes the undocumented duration of -1 for "off".
        lease_type: How `type` of a lease appears in answers.
    """

    api: str = "demanager"
    edition: str = "2019"
    time_scale: float = 1.0
    minutes_left: float = 40.0
    auto_stop: bool = True
    name: str = "demo-notebook"
    description: str = "Demo instance of the local emulator"
    transition_s: float = 5.0
    token_hours: float | None = None
    instance_id: str | None = None
    notebook_id: str | None = None
    id_form: str = "uuid"
    put_answer: str = "edition"
    enable_while_running: str = "now"
    description_put_while_running: str = "accept"
    patch_off: str = "refuse"
    lease_type: str = "upper"

    def __post_init__(self) -> None:
        for field, allowed in CHOICES.items():
            if getattr(self, field) not in allowed:
                raise ValueError(f"{field} is one of {', '.join(allowed)}")
        if self.time_scale <= 0:
            raise ValueError("time_scale is above 0")
        if not 0 < self.minutes_left <= 24 * 60:
            raise ValueError("minutes_left is above 0 and at most 1440")
