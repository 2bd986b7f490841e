"""See, change and outlive the auto-stop of a ModelArts notebook instance.

Importing this package imports nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = (
    False  # the name that type checkers know; `typing` would be most of the import's time
)

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from modelarts_magics.domain.models import AutoStop, Change, Effect, Instance, Mode, Status
    from modelarts_magics.domain.planning import AutoStopRequest
    from modelarts_magics.errors import ModelArtsError
    from modelarts_magics.kernel.countdown_widget import Countdown
    from modelarts_magics.kernel.form.form import InstanceForm
    from modelarts_magics.session.connect import connect
    from modelarts_magics.session.session import Session

__all__ = [
    "AutoStop",
    "AutoStopRequest",
    "Change",
    "Countdown",
    "Effect",
    "Instance",
    "InstanceForm",
    "Mode",
    "ModelArtsError",
    "Session",
    "Status",
    "connect",
    "load_ipython_extension",
    "unload_ipython_extension",
]

_EXPORTS = {
    "connect": "session.connect",
    "ModelArtsError": "errors",
    "AutoStop": "domain.models",
    "Change": "domain.models",
    "Effect": "domain.models",
    "Instance": "domain.models",
    "Mode": "domain.models",
    "Status": "domain.models",
    "AutoStopRequest": "domain.planning",
    "Session": "session.session",
    "Countdown": "kernel.countdown_widget",
    "InstanceForm": "kernel.form.form",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 20 ms that few wait for

        try:
            return version("modelarts-magics")
        except (
            PackageNotFoundError
        ):  # a path to the source: a Jupyter server asks, and would not start
            return "0+unknown"
    home = _EXPORTS.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Jupyter's hook for ``%load_ext modelarts_magics``: register the magics, touch no network."""
    from modelarts_magics.kernel.magics import register  # noqa: PLC0415 - only a kernel needs it

    register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Jupyter's hook for ``%unload_ext modelarts_magics``: leave nothing behind."""
    from modelarts_magics.kernel.magics import unregister  # noqa: PLC0415 - only a kernel needs it

    unregister(shell)


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Jupyter's hook: where the server half is; called by a Jupyter server only."""
    from modelarts_magics.server.extension import ModelArtsServer  # noqa: PLC0415 - needs Jupyter

    return [{"module": "modelarts_magics.server.extension", "app": ModelArtsServer}]
