"""Parsing of lines, cells and arguments: free text is verbatim, all else follows the grammar."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from modelarts_magics.commands.grammar import COMMANDS, DESCRIBE, HELP, STATUS
from modelarts_magics.commands.parser import (
    CommandRequest,
    interrupt_message_code,
    parse_arguments,
    parse_line,
)
from modelarts_magics.errors import UsageError

NAMES = list(COMMANDS)
FREE = [name for name, command in COMMANDS.items() if command.free_text]
SPACES = [" ", "   ", "\t", " \t ", "\n", "\u3000", "\xa0", "\u2003", "\x0b"]


@pytest.mark.parametrize("line", ["", " ", "\t", "\u3000", ";", "  ;", "status", " status ; "])
def test_empty_line_means_status(line: str) -> None:
    """A bare `%modelarts` shows the instance."""
    assert parse_line(line) == CommandRequest(STATUS)


@pytest.mark.parametrize("name", NAMES)
def test_name_selects_the_command(name: str) -> None:
    """This holds for magic and terminal."""
    assert parse_line(name).command.name == name
    assert parse_arguments([name]).command.name == name


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "it's",
        'say "hi"',
        r"C:\data",
        "C:\\",
        "a  b   c",
        "a\tb",
        "one -- two",
        "not an --clear option",
        "tail --json",
        "what?",
        "what??",
        "{x} $x {{y}} ${HOME} $(date) `date`",
        "!ls",
        "%time",
        "a; b;",
        "100% -h",
        "训练 ResNet，负责人：李",  # noqa: RUF001 - Chinese
        "🤖👩‍👩‍👧 e\u0301",
        "'half",
        'half"',
        '"',
        "'",
        "'mixed\"",
        "a'b'",
    ],
)
def test_free_text_is_verbatim(text: str) -> None:
    """Characters with a meaning in shells and IPython are preserved."""
    assert parse_line(f"describe {text}") == CommandRequest(DESCRIBE, text=text)
    assert parse_line(f"describe -- {text}") == CommandRequest(DESCRIBE, text=text)
    assert parse_line(f"  describe   {text}  ") == CommandRequest(DESCRIBE, text=text)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ('"quoted"', "quoted"),
        ("'quoted'", "quoted"),
        ('" spaces kept "', " spaces kept "),
        ('""twice""', '"twice"'),
        ("'it's'", "it's"),
        ("\"'both'\"", "'both'"),
        ("'-h'", "-h"),
        ('"--clear"', "--clear"),
        ('""', ""),
        ("''", ""),
        ('"what?"', "what?"),
        ("'semi;'", "semi;"),
        ("-- '--json'", "--json"),
        ("-- --json", "--json"),
        ("-- -h", "-h"),
        ("-- --", "--"),
        ("--replace -- -x", "-x"),
        ("--replace 'a b'", "a b"),
        ("--replace a --clear", "a --clear"),
    ],
)
def test_one_pair_of_quotes_is_removed(typed: str, text: str) -> None:
    """Two dashes end the options."""
    assert parse_line(f"describe {typed}").text == text


@pytest.mark.parametrize("space", SPACES)
def test_any_white_space_separates_words(space: str) -> None:
    """This includes tabs, line breaks and the ideographic space of Chinese keyboards."""
    assert parse_line(f"describe{space}--replace{space}a b") == CommandRequest(
        DESCRIBE, {"--replace": ""}, text="a b"
    )
    assert parse_line(f"auto-stop{space}in{space}2h{space}--remind").arguments == ("in", "2h")
    assert parse_line(f"{space}status{space}--json{space}").has_option("--json")


@pytest.mark.parametrize(
    ("line", "options", "text"),
    [
        ("describe", {}, None),
        ("describe;", {}, None),
        ("describe --clear", {"--clear": ""}, None),
        ("describe --clear;", {"--clear": ""}, None),
        ("describe --from note", {"--from": "note"}, None),
        ("describe --from note;", {"--from": "note"}, None),
        ("describe --replace --from note", {"--replace": "", "--from": "note"}, None),
        ("describe --json text", {"--json": ""}, "text"),
        ("describe --from note text", {"--from": "note"}, "text"),
    ],
)
def test_options_precede_the_text(line: str, options: dict[str, str], text: str) -> None:
    """A trailing `;` belongs neither to an option nor to its value."""
    assert parse_line(line) == CommandRequest(DESCRIBE, options, text=text)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("auto-stop 2h;", ("2h",)),
        ("auto-stop at tomorrow 09:00 ;", ("at", "tomorrow", "09:00")),
        ("auto-stop --remind in 2h", ("in", "2h")),
        ("extend 2h30m", ("2h30m",)),
        ("extend", ()),
        ("help auto-stop;", ("auto-stop",)),
    ],
)
def test_trailing_semicolon_is_removed_from_arguments(
    line: str, arguments: tuple[str, ...]
) -> None:
    """All other characters remain."""
    assert parse_line(line).arguments == arguments


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", NAMES)
def test_help_option_works_after_every_command(name: str, flag: str) -> None:
    """It also works after other options."""
    expected = CommandRequest(HELP, arguments=(name,))
    json = " --json" if COMMANDS[name].find_option("--json") else ""
    assert parse_line(f"{name}{json} {flag}") == expected
    assert parse_arguments([name, *json.split(), flag]) == expected


@pytest.mark.parametrize("flag", ["-h", "--help", "-h;"])
def test_help_option_without_a_command(flag: str) -> None:
    """It shows the list of commands."""
    assert parse_line(flag) == CommandRequest(HELP)


@pytest.mark.parametrize(
    ("line", "code", "near"),
    [
        ("autostop", "usage.command_near", "auto-stop"),
        ("stauts", "usage.command_near", "status"),
        ("Describe x", "usage.command_near", "describe"),
        ("xyzzy", "usage.command", None),
        ("extend --jsn", "usage.option_near", "--json"),
        ("auto-stop 2h --no-remnd", "usage.option_near", "--no-remind"),
        ("describe --replce a/b", "usage.option_near", "--replace"),
        ("status --q", "usage.option", None),
        ("describe -x text", "usage.option", None),
        ("describe --from", "usage.missing", None),
        ("describe --from ;", "usage.missing", None),
        ("describe --from=note", "usage.option_near", "--from"),
    ],
)
def test_mistyped_word_gets_a_suggestion(line: str, code: str, near: str | None) -> None:
    """The error is one line and one hint."""
    with pytest.raises(UsageError) as caught:
        parse_line(line)
    error = caught.value
    assert error.code == code
    assert error.values.get("near") == near
    assert error.message
    assert error.hint
    assert near is None or f"Did you mean “{near}”?" in error.hint


def test_cell_body_is_a_verbatim_description() -> None:
    """Only the last line break is removed."""
    body = '  "one"\n\n--clear\n\ttwo  \n'
    assert parse_line("describe", cell=body).text == body[:-1]
    assert parse_line("describe --replace", cell="a/b\n") == CommandRequest(
        DESCRIBE, {"--replace": ""}, text="a/b"
    )


@pytest.mark.parametrize(
    ("line", "cell", "code"),
    [
        ("", "body\n", "usage.cell"),
        ("status", "body\n", "usage.cell"),
        ("auto-stop 2h", "body\n", "usage.cell"),
        ("help", "body\n", "usage.cell"),
        ("describe one", "two\n", "usage.text_and_cell"),
        ("describe", "", "usage.empty_cell"),
        ("describe", " \n\n", "usage.empty_cell"),
    ],
)
def test_unexpected_or_empty_cell_is_refused(line: str, cell: str, code: str) -> None:
    """An empty cell must not clear the description by accident."""
    with pytest.raises(UsageError) as caught:
        parse_line(line, cell=cell)
    assert caught.value.code == code
    assert caught.value.hint


def test_help_option_ignores_the_cell_body() -> None:
    """The body is not sent."""
    assert parse_line("describe -h", cell="body\n").command is HELP


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], CommandRequest(STATUS)),
        (["describe"], CommandRequest(DESCRIBE)),
        (["describe", "two", "words"], CommandRequest(DESCRIBE, text="two words")),
        (["describe", "'kept'"], CommandRequest(DESCRIBE, text="'kept'")),
        (["describe", ' "kept" '], CommandRequest(DESCRIBE, text=' "kept" ')),
        (["describe", "semi;"], CommandRequest(DESCRIBE, text="semi;")),
        (["describe", ""], CommandRequest(DESCRIBE, text="")),
        (["describe", "--", "-x"], CommandRequest(DESCRIBE, text="-x")),
        (
            ["describe", "--replace", "--", "--"],
            CommandRequest(DESCRIBE, {"--replace": ""}, text="--"),
        ),
        (["describe", "a", "--clear"], CommandRequest(DESCRIBE, text="a --clear")),
        (["describe", "--clear"], CommandRequest(DESCRIBE, {"--clear": ""})),
    ],
)
def test_terminal_arguments_keep_their_quotes(
    arguments: list[str], expected: CommandRequest
) -> None:
    """The shell has removed one level of quotes already."""
    assert parse_arguments(arguments) == expected


@pytest.mark.parametrize(
    "arguments", [["describe", "--from"], ["describe", "-x"], ["--json"], ["staus"]]
)
def test_invalid_terminal_arguments_are_refused(arguments: list[str]) -> None:
    """The errors are those of a magic."""
    with pytest.raises(UsageError):
        parse_arguments(arguments)


LINES = st.one_of(
    st.text(max_size=60),
    st.builds(
        " ".join,
        st.lists(
            st.one_of(
                st.sampled_from([*NAMES, "--json", "--from", "--", "-h", ";", "'", '"', "-"]),
                st.text(max_size=5),
            ),
            max_size=7,
        ),
    ),
)


@given(LINES, st.none() | st.text(max_size=20))
def test_any_line_is_parsed_or_raises_usage_error(line: str, cell: str | None) -> None:
    """No other exception is raised."""
    try:
        valid = parse_line(line, cell=cell).command in COMMANDS.values()
    except UsageError as error:
        valid = str(error) == f"{error.message}\n{error.hint}" and str(error).count("\n") == 1
    assert valid


@given(st.lists(st.sampled_from([*NAMES, "--json", "--from", "--", "-h"]) | st.text(max_size=6)))
def test_any_arguments_are_parsed_or_raise_usage_error(arguments: list[str]) -> None:
    """No other exception is raised."""
    try:
        valid = parse_arguments(arguments).command in COMMANDS.values()
    except UsageError as error:
        valid = bool(error.hint)
    assert valid


@given(st.sampled_from(FREE), st.text(min_size=1, max_size=80))
@example("describe", "a  b\t c")
@example("describe", "\\")
def test_plain_text_round_trips(name: str, text: str) -> None:
    """White space around the text is removed."""
    assume(text == text.strip() and not text.startswith("-"))
    assume(not (text[0] in "'\"" and text[-1] == text[0]))
    assert parse_line(f"{name} {text}").text == text


@given(st.sampled_from("'\""), st.text(max_size=80))
def test_quoted_text_round_trips(quote: str, text: str) -> None:
    """Only the enclosing quotes are removed."""
    assert parse_line(f"describe {quote}{text}{quote}").text == text


@given(st.text(max_size=80))
def test_terminal_text_round_trips_after_two_dashes(text: str) -> None:
    """Any text is preserved."""
    assert parse_arguments(["describe", "--", text]).text == text


@pytest.mark.parametrize(
    ("line", "writes"),
    [
        ("", False),
        ("status", False),
        ("doctor", False),
        ("describe", False),
        ("describe --json", False),
        ("describe new", True),
        ("describe --clear", True),
        ("describe --from note", True),
        ("auto-stop", False),
        ("auto-stop --json", False),
        ("auto-stop 2h", True),
        ("auto-stop --no-remind", True),
        ("extend", True),
        ("shorten 10m", True),
        ("stop", True),
    ],
)
def test_may_write_is_true_for_changes_only(line: str, writes: bool) -> None:
    """The message for an interrupt mentions a change only if one may have been sent."""
    request = parse_line(line)
    assert request.may_write() is writes
    assert interrupt_message_code(request).endswith("during_write") is writes


def test_interrupt_before_parsing_mentions_no_change() -> None:
    """Nothing was sent then."""
    assert interrupt_message_code(None) == "cli.interrupted"
