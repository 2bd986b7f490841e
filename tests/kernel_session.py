"""A client of a real kernel that runs cells, answers prompts and records all published messages."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIMEOUT_S = 30
SETTING_PREFIXES = ("MODELARTS_", "HUAWEICLOUD_", "JUPYTER", "HOSTNAME", "PYTHON")


def environment_without_settings() -> dict[str, str]:
    """Return the environment of this process without anything that could configure this package."""
    return {
        name: text for name, text in os.environ.items() if not name.startswith(SETTING_PREFIXES)
    }


class KernelSession:
    """A kernel with an environment of its own.

    Attributes:
        prompts: The questions, each with whether the typed answer is visible.
        messages: All messages that the kernel published.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.prompts: list[tuple[str, bool]] = []
        self.messages: list[dict[str, Any]] = []
        self._manager = KernelManager(kernel_name="python3")
        ipython = os.path.join(environ["HOME"], ".ipython")  # noqa: PTH118 - the path is a string
        self._manager.start_kernel(
            env={**environment_without_settings(), "IPYTHONDIR": ipython, **environ}
        )
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=TIMEOUT_S)

    def run(
        self, cell: str, *, answers: Sequence[str] | None = None, **options: bool
    ) -> tuple[str, str]:
        """Run a cell and return its status and its output.

        Args:
            cell: The code.
            answers: The answers to prompts, in order; None for a front end without prompts.
            **options: How to run it: `silent`, `store_history`.
        """
        outputs: list[str] = []
        remaining = list(answers or ())

        def collect(message: dict[str, Any]) -> None:
            self.messages.append(message)
            content = message["content"]
            outputs.append(content.get("text") or content.get("data", {}).get("text/plain") or "")
            outputs.append("\n".join(content.get("traceback", ())))

        def answer_prompt(message: dict[str, Any]) -> None:
            content = message["content"]
            self.prompts.append((content["prompt"], not content["password"]))
            self._client.input(remaining.pop(0))

        reply = self._client.execute_interactive(
            cell,
            allow_stdin=answers is not None,
            output_hook=collect,
            stdin_hook=answer_prompt,
            timeout=TIMEOUT_S,
            **options,
        )
        return reply["content"]["status"], "\n".join(filter(None, outputs))

    def published_text(self) -> str:
        """Return all published messages as one text."""
        return json.dumps(self.messages, default=str, ensure_ascii=False)

    def close(self) -> None:
        """Shut the kernel down in the regular way, so that it saves its history."""
        self._client.stop_channels()
        self._manager.shutdown_kernel()
        self._manager.cleanup_resources()
