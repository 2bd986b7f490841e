"""Emulator inside this process, for tests: real HTTP and a clock that a test can advance."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from modelarts_magics.emulator import control
from modelarts_magics.emulator.account import EmulatedAccount
from modelarts_magics.emulator.clock import AdjustableClock, ScaledClock
from modelarts_magics.emulator.faults import make_fault, parse_fault
from modelarts_magics.emulator.options import Options
from modelarts_magics.emulator.server import HOST, serving

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from typing_extensions import Self

START_TIMEOUT_S = 10


class LocalEmulator:
    """Emulator that serves in a daemon thread between `start` and `stop`, or in a `with` block.

    Args:
        port: The port; 0 for any free port, which remains the same after a restart.
        clock: The clock of the server; real time, scaled by `time_scale`, if None.
        faults: Faults that are active from the start, each as `NAME[:ARG]`.
        options: The fields of `Options`.

    Attributes:
        account: The emulated account; it is kept when the server stops.
        project_id: The fake project id.
        demanager_id: The id of the instance of the historical API.
        notebook_id: The id of the instance of the current API.
        instance_id: The id of the instance of the chosen API.
        auth_token: A valid token.
        ak: A valid access key.
        sk: Its secret key.
        temporary_ak: A valid temporary access key.
        temporary_sk: Its secret key.
        security_token: The security token of the temporary keys.

    Example:
        with LocalEmulator(minutes_left=10) as emulator:
            os.environ.update(emulator.environment())
    """

    def __init__(
        self,
        *,
        port: int = 0,
        clock: AdjustableClock | None = None,
        faults: Iterable[str] = (),
        **options: Any,  # noqa: ANN401 - the fields of Options
    ) -> None:
        chosen = Options(**options)
        self.account = EmulatedAccount(chosen, clock=clock or ScaledClock(scale=chosen.time_scale))
        for text in faults:
            self.account.faults.add(parse_fault(text))
        credentials = self.account.credentials
        self.project_id = credentials.project_id
        self.auth_token = credentials.auth_token
        self.ak, self.sk = credentials.ak, credentials.sk
        self.temporary_ak, self.temporary_sk = credentials.temporary_ak, credentials.temporary_sk
        self.security_token = credentials.security_token
        self.demanager_id, self.notebook_id = self.account.demanager_id, self.account.notebook_id
        self.instance_id = self.demanager_id if chosen.api == "demanager" else self.notebook_id
        self._port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_requested: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """The URL of the server; it remains the same after a stop."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Start to serve, on the same port as before."""
        if self._thread is not None:
            return
        ready = threading.Event()
        errors: list[Exception] = []
        self._thread = threading.Thread(target=self._run, args=(ready, errors), daemon=True)
        self._thread.start()
        ready.wait(START_TIMEOUT_S)
        if errors:
            self._thread = None
            raise errors[0]

    def stop(self) -> None:
        """Stop to serve, and wait until the port is closed."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stop_requested is not None:
            self._loop.call_soon_threadsafe(self._stop_requested.set)
        thread.join()

    def _run(self, ready: threading.Event, errors: list[Exception]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)
        finally:
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop_requested = asyncio.get_running_loop(), asyncio.Event()
        async with serving(self.account, port=self._port) as port:
            self._port = port
            ready.set()
            await self._stop_requested.wait()

    def environment(self, *, api: str | None = None, auth: str = "token") -> dict[str, str]:
        """Return the environment variables that connect a client to this emulator.

        Args:
            api: The API; the chosen one if None.
            auth: "token", "keys", or "temporary" for keys with a security token.
        """
        api = api or self.account.options.api
        variables = {
            "MODELARTS_ENDPOINT": self.endpoint,
            "MODELARTS_PROJECT_ID": self.project_id,
            "MODELARTS_INSTANCE_ID": self.demanager_id if api == "demanager" else self.notebook_id,
            "MODELARTS_API": api,
        }
        scale = self.account.options.time_scale
        if scale != 1:
            variables["MODELARTS_TIME_SCALE"] = f"{scale:g}"
        return {**variables, **self._credential_variables(auth)}

    def _credential_variables(self, auth: str) -> dict[str, str]:
        if auth == "token":
            return {"MODELARTS_AUTH_TOKEN": self.auth_token}
        if auth == "keys":
            return {"HUAWEICLOUD_SDK_AK": self.ak, "HUAWEICLOUD_SDK_SK": self.sk}
        return {
            "HUAWEICLOUD_SDK_AK": self.temporary_ak,
            "HUAWEICLOUD_SDK_SK": self.temporary_sk,
            "HUAWEICLOUD_SDK_SECURITY_TOKEN": self.security_token,
        }

    def advance(self, by: timedelta) -> None:
        """Advance the clock of the server."""
        with self.account.lock:
            self.account.clock.advance(by)

    def add_fault(  # noqa: PLR0913 - independent filters, by keyword
        self,
        name: str,
        *,
        arg: object = None,
        times: int | None = None,
        methods: Iterable[str] = (),
        path: str = "",
        skip: int = 0,
    ) -> None:
        """Activate a fault; see `faults.make_fault` for the arguments."""
        new_fault = make_fault(name, arg=arg, times=times, methods=methods, path=path, skip=skip)
        with self.account.lock:
            self.account.faults.add(new_fault)

    def clear_faults(self) -> None:
        """Deactivate all faults."""
        with self.account.lock:
            self.account.faults.clear()

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests to the APIs, oldest first, without those to the control routes."""
        with self.account.lock:
            return [dict(entry) for entry in self.account.log]

    def clear_requests(self) -> None:
        """Clear the request log."""
        with self.account.lock:
            self.account.log.clear()

    def state(self) -> dict[str, Any]:
        """Return the state, as `GET /emulator/state` does."""
        return control.emulator_state(self.account)

    def set_instance(self, instance_id: str | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - checked by name
        """Set fields of an instance; see `control.set_instance`."""
        return control.set_instance(self.account, instance_id=instance_id, **fields)

    def add_instance(self, api: str | None = None, **fields: Any) -> str:  # noqa: ANN401 - keywords of `add_instance`
        """Add a RUNNING instance and return its id; see `EmulatedAccount.add_instance`."""
        with self.account.lock:
            return self.account.add_instance(api or self.account.options.api, **fields)
