"""Tab behind ``%modelarts``, from the grammar; asks no cloud."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from IPython.core.completer import SimpleCompletion, context_matcher

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

_BEHIND = re.compile(r"(?:^|[\s=(])%%?modelarts\s+(?P<typed>.*)$")


@context_matcher(identifier="modelarts_magics.command")
def match_command(context: CompletionContext) -> SimpleMatcherResult:
    """IPython's hook: what may follow at the cursor, and nothing of anybody else's."""
    line = context.text_until_cursor.rpartition("\n")[2]
    found = _BEHIND.search(line)
    if found is None:
        return {"completions": []}
    *before, word = re.split(r"\s+", found["typed"])
    if before and _free(before):
        return {"completions": []}
    completions = [SimpleCompletion(text=each, type="param") for each in _words(before, word)]
    return {"completions": completions, "suppress": True, "matched_fragment": word}


def _free(before: list[str]) -> bool:
    """Whether what is typed now is no longer ours to complete: a description or a variable's name."""
    from modelarts_magics.commands.grammar import COMMANDS  # noqa: PLC0415 - on first use

    command = COMMANDS.get(before[0])
    if command is None or not command.free_text:
        return False
    options = [command.option(each) for each in before[1:]]
    return any(option is None or option.value for option in options)


def _words(before: list[str], word: str) -> list[str]:
    from modelarts_magics.commands.grammar import COMMANDS  # noqa: PLC0415 - on first use

    if not before:
        candidates = list(COMMANDS)
    elif before[0] == "help":
        candidates = [name for name in COMMANDS if name != "help"] if len(before) == 1 else []
    elif before[0] in COMMANDS:
        command = COMMANDS[before[0]]
        words = command.words if len(before) == 1 else ()
        options = [each.name for each in command.options if each.name not in before]
        candidates = [*words, *options]
    else:
        candidates = []
    return [each for each in candidates if each.startswith(word)]
