"""Reports of prompts by the extension; `test_kernel_matrix.py` of the activity has real kernels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modelarts_magics.keepalive.activity.kernels import WAITS_FOR_INPUT
from modelarts_magics.kernel.input_wait import FIELD, report_input_wait


class FakeKernel:
    """A kernel whose prompt is interrupted."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.session = SimpleNamespace(send=self._send)
        self.iopub_socket = None

    def _topic(self, name: str) -> bytes:
        return name.encode()

    def _send(self, _socket: object, kind: str, content: dict[str, Any], **_: object) -> None:
        self.sent.append((kind, content))

    def _input_request(
        self, _prompt: str, _ident: object, _parent: object, *, password: bool = False
    ) -> str:
        self.sent.append(password)
        raise KeyboardInterrupt


def test_interrupted_prompt_is_reported_as_ended() -> None:
    """The cell counts as running again, and the options of the prompt are passed on."""
    kernel = FakeKernel()
    undo = report_input_wait(kernel)
    with pytest.raises(KeyboardInterrupt):
        kernel._input_request("", None, None, password=True)
    began, ended = ({"execution_state": "busy", FIELD: waits} for waits in (True, False))
    assert kernel.sent == [("status", began), True, ("status", ended)]
    undo()
    undo()
    with pytest.raises(KeyboardInterrupt):
        kernel._input_request("", None, None)
    assert kernel.sent[3:] == [False]


def test_shell_without_such_a_kernel_is_left_as_it_is() -> None:
    """IPython in a terminal has no kernel, and other kernels may ask in another way."""
    report_input_wait(None)()
    report_input_wait(SimpleNamespace())()


def test_daemon_reads_the_field_that_the_extension_sends() -> None:
    """The name is written in both, because neither imports the other."""
    assert FIELD == WAITS_FOR_INPUT
