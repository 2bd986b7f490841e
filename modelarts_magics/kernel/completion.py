"""Tab completion after ``%modelarts``, from the grammar and without a request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from IPython.core.completer import SimpleCompletion, context_matcher

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

_COMMAND_LINE = r"(?:^|[\s=(])%%?modelarts\s+(?P<typed>.*)$"
"""A pattern as text: `re` compiles and caches it at the first completion, which keeps %load_ext fast."""


@context_matcher(identifier="modelarts_magics.command")
def match_command(context: CompletionContext) -> SimpleMatcherResult:
    """Return the completions at the cursor; IPython's hook.

    On a line of ``%modelarts`` they replace all other completions. Elsewhere, and inside a description, there are
    none.
    """
    line = context.text_until_cursor.rpartition("\n")[2]
    found = re.search(_COMMAND_LINE, line)
    if found is None:
        return {"completions": []}
    *before, word = re.split(r"\s+", found["typed"])
    if before and _is_free_text(before):
        return {"completions": []}
    completions = [SimpleCompletion(text=each, type="param") for each in _candidates(before, word)]
    return {"completions": completions, "suppress": True, "matched_fragment": word}


def _is_free_text(preceding: list[str]) -> bool:
    """Return whether the cursor is in a description or a variable's name."""
    from modelarts_magics.commands.grammar import COMMANDS  # noqa: PLC0415 - keeps %load_ext fast

    command = COMMANDS.get(preceding[0])
    if command is None or not command.free_text:
        return False
    options = [command.find_option(each) for each in preceding[1:]]
    return any(option is None or option.metavar for option in options)


def _candidates(preceding: list[str], word: str) -> list[str]:
    from modelarts_magics.commands.grammar import COMMANDS  # noqa: PLC0415 - keeps %load_ext fast

    if not preceding:
        candidates = list(COMMANDS)
    elif preceding[0] == "help":
        candidates = [name for name in COMMANDS if name != "help"] if len(preceding) == 1 else []
    elif preceding[0] in COMMANDS:
        command = COMMANDS[preceding[0]]
        words = command.completions if len(preceding) == 1 else ()
        options = [each.name for each in command.options if each.name not in preceding]
        candidates = [*words, *options]
    else:
        candidates = []
    return [each for each in candidates if each.startswith(word)]
