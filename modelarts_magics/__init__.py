"""View, change and extend the auto-stop of a ModelArts notebook instance.

Importing this package imports nothing else; each public name is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module

# Type checkers recognise the name. Importing `typing` would double the import time.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from types import ModuleType

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
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - takes 20 ms

        try:
            return version("modelarts-magics")
        # Without package metadata a Jupyter server would not start.
        except PackageNotFoundError:
            return "0+unknown"
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_renderer() -> ModuleType:
    """Return the renderer of results; `modelarts_magics.domain` uses it without importing upwards."""
    from modelarts_magics.commands import render  # noqa: PLC0415 - not needed for the import

    return render


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics; called by ``%load_ext modelarts_magics``. Sends no request."""
    from modelarts_magics.kernel.restart import check_loaded_ipython  # noqa: PLC0415 - needed by kernels only

    # The magics import parts of IPython, which another version on disk may not have.
    check_loaded_ipython()
    from modelarts_magics.kernel.magics import register  # noqa: PLC0415 - needed by kernels only

    register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Remove everything that was registered; called by ``%unload_ext modelarts_magics``."""
    from modelarts_magics.kernel.magics import unregister  # noqa: PLC0415 - needed by kernels only

    unregister(shell)


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Return the server extension; called by Jupyter Server."""
    from modelarts_magics.server.extension import ModelArtsServer  # noqa: PLC0415 - needs Jupyter Server

    return [{"module": "modelarts_magics.server.extension", "app": ModelArtsServer}]
