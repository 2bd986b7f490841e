"""Tab completion after ``%modelarts``, from the grammar and without a request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable, cast

from IPython.core import completer
from IPython.core.getipython import get_ipython

if TYPE_CHECKING:
    from types import SimpleNamespace

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

_COMMAND_LINE = r"(?:(?:^|[\s=(])%%?|^\s*(?P<automagic>))modelarts\s+(?P<typed>[^=].*|)$"
"""A pattern as text: `re` compiles and caches it at the first completion, which keeps %load_ext fast."""
_HAS_CONTEXT_MATCHERS = hasattr(completer, "context_matcher")
"""Whether a matcher gets the whole line, as since IPython 8.6."""


def register_completion(shell: InteractiveShell) -> Callable[[], None]:
    """Complete after ``%modelarts`` in `shell`, and return the function that undoes this.

    The hook of an old IPython cannot be removed; it does nothing without the magic.
    """
    if not _HAS_CONTEXT_MATCHERS:
        shell.set_hook("complete_command", _complete_command, re_key=f".*{_COMMAND_LINE}")
        return lambda: None
    matchers = shell.Completer.custom_matchers
    # After a reload of this module its name means another function.
    registered = match_command
    matchers.append(registered)
    return lambda: matchers.remove(registered) if registered in matchers else None


def _as_context_matcher(
    match: Callable[[CompletionContext], SimpleMatcherResult],
) -> Callable[[CompletionContext], SimpleMatcherResult]:
    if not _HAS_CONTEXT_MATCHERS:
        return match
    decorate = completer.context_matcher(identifier="modelarts_magics.command")
    return cast("Callable[[CompletionContext], SimpleMatcherResult]", decorate(match))


@_as_context_matcher
def match_command(context: CompletionContext) -> SimpleMatcherResult:
    """Return the completions at the cursor; IPython's hook.

    On a line of ``%modelarts`` they replace all other completions. Elsewhere, and inside a description, there are
    none.
    """
    found = _completions(context.text_until_cursor)
    if found is None:
        return {"completions": []}
    word, candidates = found
    # Front ends show the type beside the word.
    completions = [
        completer.SimpleCompletion(text=each, type=description or "param")
        for each, description in candidates.items()
    ]
    return {
        "completions": completions,
        "suppress": True,
        "matched_fragment": word,
        "ordered": True,
    }


def _complete_command(shell: InteractiveShell, event: SimpleNamespace) -> list[str]:
    """Return the completions at the cursor; the hook of IPython before 8.6."""
    if "modelarts" not in shell.magics_manager.magics["line"]:
        return []
    found = _completions(event.text_until_cursor)
    return list(found[1]) if found else []


def _completions(text_until_cursor: str) -> tuple[str, dict[str, str]] | None:
    """Return the word at the cursor and its possible replacements; None where nothing is completed."""
    line = text_until_cursor.rpartition("\n")[2]
    found = re.search(_COMMAND_LINE, line)
    if found is None or (found["automagic"] is not None and not _is_automagic()):
        return None
    from modelarts_magics.commands.completion import find_candidates  # noqa: PLC0415 - keeps %load_ext fast

    *before, word = re.split(r"\s+", found["typed"])
    candidates = find_candidates(before, word)
    return None if candidates is None else (word, candidates)


def _is_automagic() -> bool:
    """Return whether the magic runs without its percent sign."""
    shell = get_ipython()
    return shell is not None and shell.automagic and "modelarts" not in shell.user_ns
