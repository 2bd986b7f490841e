"""The outputs of a notebook cell as a front end shows them, from the entries of a record.

Source: the output area of JupyterLab, and
https://nbformat.readthedocs.io/en/latest/format_description.html#code-cell-outputs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Output = dict[str, Any]
    Converter = Callable[[Mapping[str, Any]], Output]

_CONTROL = re.compile("([\r\n\b])")
_OUTPUT_TYPES = ("display_data", "execute_result", "error")


class TextScreen:
    """The text of a stream, in which a carriage return or a backspace moves back within the line.

    Progress bars overwrite their line in this way.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line = ""
        self._column = 0

    def write(self, text: str) -> None:
        """Write a text at the current position."""
        if "\r" not in text and "\b" not in text:
            self._write_plain(text)
            return
        for piece in _CONTROL.split(text):
            if piece == "\r":
                self._column = 0
            elif piece == "\n":
                self._end_line()
            elif piece == "\b":
                self._delete_previous()
            else:
                self._overwrite(piece)

    def text(self) -> str:
        """Return the text as it stands now."""
        return "".join(self._lines) + self._line

    def _write_plain(self, text: str) -> None:
        first, newline, rest = text.partition("\n")
        self._overwrite(first)
        if not newline:
            return
        self._end_line()
        complete, newline, self._line = rest.rpartition("\n")
        self._lines.append(complete + newline)
        self._column = len(self._line)

    def _overwrite(self, piece: str) -> None:
        end = self._column + len(piece)
        self._line = self._line[: self._column] + piece + self._line[end:]
        self._column = end

    def _end_line(self) -> None:
        self._lines.append(self._line + "\n")
        self._line, self._column = "", 0

    def _delete_previous(self) -> None:
        if self._column:
            self._line = self._line[: self._column - 1] + self._line[self._column :]
            self._column -= 1


class OutputArea:
    """The outputs of one cell.

    Args:
        convert: Turns a message with ``header`` and ``content`` into an output; nbformat's function, or our own.
    """

    def __init__(self, convert: Converter | None = None) -> None:
        self._convert = convert or output_from_message
        self._outputs: list[Output | _Stream] = []
        self._displays: dict[str, list[Output]] = {}
        self._clears_next = False

    def add(self, message_type: str, content: Mapping[str, Any]) -> None:
        """Apply a message; types that show nothing are ignored."""
        if message_type == "clear_output":
            self._clears_next = bool(content.get("wait"))
            if not self._clears_next:
                self._clear()
        elif message_type == "update_display_data":
            self._update(content)
        elif message_type == "stream":
            self.write(str(content["name"]), str(content["text"]))
        elif message_type in _OUTPUT_TYPES:
            self._add_output(message_type, content)

    def write(self, stream: str, text: str) -> None:
        """Append a text to a stream."""
        self._clear_if_due()
        last = self._outputs[-1] if self._outputs else None
        if not isinstance(last, _Stream) or last.name != stream:
            last = _Stream(stream)
            self._outputs.append(last)
        last.screen.write(text)

    def outputs(self) -> list[Output]:
        """Return the outputs in the format of a notebook."""
        return [self._finish(each) if isinstance(each, _Stream) else each for each in self._outputs]

    def _finish(self, stream: _Stream) -> Output:
        content = {"name": stream.name, "text": stream.screen.text()}
        return self._convert({"header": {"msg_type": "stream"}, "content": content})

    def _add_output(self, message_type: str, content: Mapping[str, Any]) -> None:
        self._clear_if_due()
        output = self._convert({"header": {"msg_type": message_type}, "content": content})
        self._outputs.append(output)
        display_id = _display_id(content)
        if display_id:
            self._displays.setdefault(display_id, []).append(output)

    def _update(self, content: Mapping[str, Any]) -> None:
        for output in self._displays.get(_display_id(content), ()):
            output["data"] = content.get("data", {})
            output["metadata"] = content.get("metadata", {})

    def _clear_if_due(self) -> None:
        if self._clears_next:
            self._clear()

    def _clear(self) -> None:
        self._outputs.clear()
        self._displays.clear()
        self._clears_next = False


class _Stream:
    def __init__(self, name: str) -> None:
        self.name = name
        self.screen = TextScreen()


def output_from_message(message: Mapping[str, Any]) -> Output:
    """Return the output of a message, as nbformat's function of that name does."""
    kind, content = message["header"]["msg_type"], message["content"]
    if kind == "stream":
        return {"output_type": kind, "name": content["name"], "text": content["text"]}
    if kind == "error":
        names = ("ename", "evalue", "traceback")
        return {"output_type": kind, **{name: content.get(name, "") for name in names}}
    output = {
        "output_type": kind,
        "data": content.get("data", {}),
        "metadata": content.get("metadata", {}),
    }
    if kind == "execute_result":
        output["execution_count"] = content.get("execution_count")
    return output


def shown_length(outputs: Iterable[Mapping[str, Any]]) -> int:
    """Return the number of characters of text in outputs, by which two versions of them are compared."""
    return sum(_text_length(output) for output in outputs)


def _text_length(output: Mapping[str, Any]) -> int:
    if output["output_type"] == "stream":
        return len(output["text"])
    if output["output_type"] == "error":
        return sum(len(line) for line in output["traceback"])
    plain = output["data"].get("text/plain", "")
    return len(plain if isinstance(plain, str) else "".join(plain))


def _display_id(content: Mapping[str, Any]) -> str:
    return str((content.get("transient") or {}).get("display_id") or "")
