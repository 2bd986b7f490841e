"""What a helper kernel answers, for a page whose Jupyter server does not have our routes.

The page starts a kernel of its own and asks it by `handle`, in the words of the routes; the same desk answers.
It runs on an event loop of its own, in a daemon thread, since the kernel's own is busy with the question. Of
news the kernel tells the page by itself, as the server's event socket does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics import messages
from modelarts_magics.config.settings import DEFAULTS
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.errors import ModelArtsError, UsageError
from modelarts_magics.server import payloads
from modelarts_magics.server import request_models as requests
from modelarts_magics.server.run_store import Kept, place
from modelarts_magics.server.service import Desk, Stale
from modelarts_magics.server.session_provider import Place

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    Answer = Coroutine[Any, Any, dict[str, Any]]


def _tell_nobody(_event: dict[str, Any]) -> None:
    """The page looks by itself."""


OK, CONFLICT, NOT_FOUND, FAILED = 200, 409, 404, 500
_VERBS: Mapping[tuple[str, str], Callable[[Desk, bytes], Answer]] = {
    ("GET", "instance"): lambda desk, _: desk.instance(),
    ("GET", "instance?refresh=1"): lambda desk, _: desk.instance(refresh=True),
    ("PATCH", "instance"): lambda desk, body: desk.change(requests.change_request(body)),
    ("POST", "extend"): lambda desk, body: desk.extend(requests.shift(body)),
    ("GET", "capabilities"): lambda desk, _: desk.capabilities(),
    ("GET", "doctor"): lambda desk, _: desk.doctor(),
    ("GET", "saved"): lambda desk, _: desk.last_run(),
    ("POST", "saved"): lambda desk, body: desk.saved(requests.saved(body)),
    ("DELETE", "saved"): lambda desk, _: desk.acknowledge(),
    ("POST", "remind"): lambda desk, body: desk.remind(muted=requests.muted(body)),
}


class Helper:
    """A desk on a loop of its own.

    Args:
        environ: The environment that settings and credentials come from; None for the process's.
        tell: Sends an event to the page; called on the loop, in its thread.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        tell: Callable[[dict[str, Any]], None] = _tell_nobody,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._tell = tell
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="modelarts-helper", daemon=True
        )
        self._thread.start()
        self._desk = self._on_loop(self._open())

    def answer(self, method: str, path: str, body: object) -> dict[str, Any]:
        """Ask the desk, and return ``{"status", "body"}`` as the route would have answered."""
        verb = _VERBS.get((method, path))
        if verb is None:
            return _error(UsageError("usage.command", word=f"{method} {path}"), NOT_FOUND)
        try:
            told = self._on_loop(_asked(verb, self._desk, json.dumps(body).encode()))
        except Stale as stale:
            shown = {**payloads.error_payload(stale.error), **stale.facts}
            return {"status": CONFLICT, "body": shown}
        except ModelArtsError as error:
            return _error(error, payloads.status_of(error))
        return {"status": OK, "body": told}

    def close(self) -> None:
        """End the desk and its loop."""
        self._on_loop(self._desk.monitor.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _on_loop(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - what the work returns
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> Desk:
        written = self._environ.get("MODELARTS_STATE_DIR") or DEFAULTS["state_dir"]
        where = place(self._environ, written)
        desk = Desk(
            Place({}, self._environ, SYSTEM_CLOCK),
            emit=self._tell,
            listeners=lambda: ("the page",),  # whose kernel this is
            kept=Kept(where),
        )
        desk.monitor.start()
        return desk


def handle(question: str) -> str:
    """Answer one question of the page.

    Args:
        question: JSON with ``method``, ``path`` (below ``v1/``), ``body`` and ``language``.

    Returns:
        JSON with ``status`` and ``body``, in ASCII, so that a `repr` of it is JSON too.
    """
    asked = json.loads(question)
    messages.answer_in(asked.get("language"))
    return json.dumps(_helper().answer(asked["method"], asked["path"], asked.get("body")))


@lru_cache(maxsize=1)
def _helper() -> Helper:
    return Helper(tell=_teller())


def _teller() -> Callable[[dict[str, Any]], None]:
    """What reaches the page; nothing does where this is no kernel."""
    if "IPython" not in sys.modules:
        return _tell_nobody
    from modelarts_magics.helper_kernel.publisher import publish  # noqa: PLC0415 - IPython's, where it is loaded

    return publish


async def _asked(verb: Callable[[Desk, bytes], Answer], desk: Desk, body: bytes) -> dict[str, Any]:
    """Begin the verb on the loop: it may refuse its body before there is anything to wait for."""
    return await verb(desk, body)


def _error(error: ModelArtsError, status: int) -> dict[str, Any]:
    return {"status": status, "body": payloads.error_payload(error)}
