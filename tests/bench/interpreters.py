"""Fresh interpreters: the import alone, and the whole way to a printed status."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Callable

from calls import KEYS
from measure import Figure, medians, side_by_side
from server import PROJECT, STEADY

if TYPE_CHECKING:
    from collections.abc import Mapping

IMPORT_ROUNDS = 40
STATUS_ROUNDS = 9
LIBRARY = (
    "import modelarts_magics as m; i = m.connect().refresh(); print(i.status.value, i.auto_stop)"
)
VENDOR = """
import sys
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmodelarts.v1 import ModelArtsClient, ShowNotebookRequest
endpoint, access, secret, project, notebook = sys.argv[1:]
builder = ModelArtsClient.new_builder().with_credentials(BasicCredentials(access, secret, project))
client = builder.with_endpoints([endpoint + "/demanager"]).build()
shown = client.show_notebook(ShowNotebookRequest(id=notebook))
print(shown.status, shown.lease)
"""


def figures(endpoint: str, environ: Mapping[str, str]) -> list[Figure]:
    """Return what a fresh interpreter takes to import this package, and to print a status."""
    return [*_imports(environ), *_statuses(endpoint, environ)]


def variables(endpoint: str) -> dict[str, str]:
    """Return what leads this package to the server, with keys, as the vendor's client uses them."""
    return {
        "MODELARTS_ENDPOINT": endpoint,
        "MODELARTS_PROJECT_ID": PROJECT,
        "MODELARTS_INSTANCE_ID": STEADY,
        "MODELARTS_API": "demanager",
        **KEYS,
    }


def _imports(environ: Mapping[str, str]) -> list[Figure]:
    calls = {
        "bare": _python(environ, "-c", "pass"),
        "ours": _python(environ, "-c", "import modelarts_magics"),
    }
    times = side_by_side(calls, rounds=IMPORT_ROUNDS)
    pairs = zip(times["ours"], times["bare"])
    added = medians({"added": [ours - bare for ours, bare in pairs]})["added"]
    bare = medians(times)["bare"]
    return [Figure("import modelarts_magics, added", added, bare, "bare interpreter", most=0.010)]


def _statuses(endpoint: str, environ: Mapping[str, str]) -> list[Figure]:
    led = {**environ, **variables(endpoint)}
    calls = {
        "terminal": _python(led, "-m", "modelarts_magics", "status"),
        "library": _python(led, "-c", LIBRARY),
        "vendor": _python(led, "-c", VENDOR, endpoint, *KEYS.values(), PROJECT, STEADY),
    }
    taken = medians(side_by_side(calls, rounds=STATUS_ROUNDS))
    return [
        Figure(f"printed status, {name}", taken[name], taken["vendor"], "vendor's SDK", None, 0.5)
        for name in ("terminal", "library")
    ]


def _python(environ: Mapping[str, str], *arguments: str) -> Callable[[], object]:
    def run() -> object:
        return subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, *arguments], env=environ, check=True, stdout=subprocess.PIPE
        )

    return run
