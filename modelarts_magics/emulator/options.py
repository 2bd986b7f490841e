"""Options of an emulator, shared by the command line and `LocalEmulator`."""

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
    """Options of an emulator.

    Attributes:
        api: The API whose instance is printed and put in the environment; both are served.
        edition: "2019": the description is required, and a changed duration moves the stop time of
            the current run. "2021": it is optional, and a changed duration applies from the next start.
        time_scale: How many times faster than real time the server's clock runs.
        minutes_left: The time left of both instances at the start, in minutes.
        auto_stop: False starts both instances without auto-stop.
        name: The name of both instances.
        description: The description of both instances.
        transition_s: How long STARTING, RESTARTING and STOPPING last, in seconds of the clock.
        token_hours: When the token expires, in hours of the clock; None for never.
        instance_id: The id of the demanager instance; generated if None.
        notebook_id: The id of the notebooks instance; generated if None.
        id_form: "de" gives the demanager instance an id of the form `DE-<uuid1>`.
        put_answer: Whether the response to a demanager PUT has `spec`; "edition": only in 2019.
        enable_while_running: In edition 2021, when auto-stop enabled during a run takes effect.
        description_put_while_running: Whether `notebooks` accepts a description while RUNNING.
        patch_off: Whether a lease accepts the undocumented duration -1, which disables auto-stop.
        lease_type: How `type` of a lease appears in responses.
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
                raise ValueError(f"{field} must be one of {', '.join(allowed)}")
        if self.time_scale <= 0:
            raise ValueError("time_scale must be above 0")
        if not 0 < self.minutes_left <= 24 * 60:
            raise ValueError("minutes_left must be above 0 and at most 1440")
