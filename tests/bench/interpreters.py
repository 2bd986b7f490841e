"""Fresh interpreters: the import alone, and a program that prints a status."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Callable

from canned_api import PROJECT_ID, UNCHANGING_ID
from measure import Figure, child_cpu_time, medians, time_interleaved
from refresh_calls import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

IMPORT_ROUNDS = 60
MAX_IMPORT_S = 0.003
STATUS_ROUNDS = 9
LIBRARY_CODE = (
    "import modelarts_magics as m; i = m.connect().refresh(); print(i.status.value, i.auto_stop)"
)
VENDOR_CODE = """
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
    """Measure the import of this package, and a program that prints a status."""
    return [*_measure_imports(environ), *_measure_status(endpoint, environ)]


def session_variables(endpoint: str) -> dict[str, str]:
    """Return the variables that connect this package to the server, with keys as the vendor's client has."""
    return {
        "MODELARTS_ENDPOINT": endpoint,
        "MODELARTS_PROJECT_ID": PROJECT_ID,
        "MODELARTS_INSTANCE_ID": UNCHANGING_ID,
        "MODELARTS_API": "demanager",
        **KEYS,
    }


def _measure_imports(environ: Mapping[str, str]) -> list[Figure]:
    calls = {
        "bare": _python_call(environ, "-c", "pass"),
        "ours": _python_call(environ, "-c", "import modelarts_magics"),
    }
    times = time_interleaved(calls, rounds=IMPORT_ROUNDS, clock=child_cpu_time)
    pairs = zip(times["ours"], times["bare"])
    added = medians({"added": [ours - bare for ours, bare in pairs]})["added"]
    bare = medians(times)["bare"]
    return [
        Figure(
            "import modelarts_magics, CPU time added",
            added,
            bare,
            "bare interpreter",
            maximum=MAX_IMPORT_S,
        )
    ]


def _measure_status(endpoint: str, environ: Mapping[str, str]) -> list[Figure]:
    session_environ = {**environ, **session_variables(endpoint)}
    calls = {
        "terminal": _python_call(session_environ, "-m", "modelarts_magics", "status"),
        "library": _python_call(session_environ, "-c", LIBRARY_CODE),
        "vendor": _python_call(
            session_environ, "-c", VENDOR_CODE, endpoint, *KEYS.values(), PROJECT_ID, UNCHANGING_ID
        ),
    }
    times = medians(time_interleaved(calls, rounds=STATUS_ROUNDS, clock=child_cpu_time))
    return [
        Figure(
            f"printed status, {name}, CPU time",
            times[name],
            times["vendor"],
            "vendor's SDK",
            None,
            0.5,
        )
        for name in ("terminal", "library")
    ]


def _python_call(environ: Mapping[str, str], *arguments: str) -> Callable[[], object]:
    def run() -> object:
        return subprocess.run(  # noqa: S603 - fixed arguments
            [sys.executable, *arguments], env=environ, check=True, stdout=subprocess.PIPE
        )

    return run
