"""From what was typed to a request: free text stays as typed, everything else is held to the grammar."""

from __future__ import annotations

import pytest
from factories import property_settings
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
def test_nothing_is_status(line: str) -> None:
    """A bare `%modelarts` shows the instance."""
    assert parse_line(line) == CommandRequest(STATUS)


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_its_command(name: str) -> None:
    """In a kernel and in a terminal."""
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
def test_a_text_arrives_as_typed(text: str) -> None:
    """Also where shells and IPython would read something into it."""
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
def test_exactly_one_pair_of_quotes_is_taken_off_and_two_dashes_end_the_options(
    typed: str, text: str
) -> None:
    """And nothing else is."""
    assert parse_line(f"describe {typed}").text == text


@pytest.mark.parametrize("space", SPACES)
def test_any_white_space_parts_words(space: str) -> None:
    """A tab, a line break, and the wide space that a Chinese keyboard gives."""
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
def test_options_stand_before_the_text(line: str, options: dict[str, str], text: str) -> None:
    """Each with its value; a `;` that asks for silence belongs to neither."""
    assert parse_line(line) == CommandRequest(DESCRIBE, options, text=text)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("auto-stop 2h;", ("2h",)),
        ("auto-stop at tomorrow 09:00 ;", ("at", "tomorrow", "09:00")),
        ("auto-stop --remind in 2h", ("in", "2h")),
        ("extend 2h30m", ("2h30m",)),
        ("extend", ()),
        ("help auto-stop;", ("auto-stop",)),
    ],
)
def test_words_lose_the_semicolon_only(line: str, words: tuple[str, ...]) -> None:
    """The last one."""
    assert parse_line(line).arguments == words


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", NAMES)
def test_help_is_ours_to_give(name: str, flag: str) -> None:
    """Behind every command, and behind other options too."""
    wanted = CommandRequest(HELP, arguments=(name,))
    json = " --json" if COMMANDS[name].find_option("--json") else ""
    assert parse_line(f"{name}{json} {flag}") == wanted
    assert parse_arguments([name, *json.split(), flag]) == wanted


@pytest.mark.parametrize("flag", ["-h", "--help", "-h;"])
def test_help_without_a_command(flag: str) -> None:
    """All of it."""
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
def test_a_slip_is_named_with_what_was_meant(line: str, code: str, near: str | None) -> None:
    """One line and one hint."""
    with pytest.raises(UsageError) as caught:
        parse_line(line)
    error = caught.value
    assert error.code == code
    assert error.values.get("near") == near
    assert error.message
    assert error.hint
    assert near is None or f"Did you mean “{near}”?" in error.hint


def test_a_cell_is_a_description_as_it_stands() -> None:
    """Indentation, quotes and empty lines included; only the last line break is the cell's own."""
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
def test_a_cell_where_none_belongs(line: str, cell: str, code: str) -> None:
    """Is refused; an empty one never empties the description by accident."""
    with pytest.raises(UsageError) as caught:
        parse_line(line, cell=cell)
    assert caught.value.code == code
    assert caught.value.hint


def test_help_in_a_cell_is_help() -> None:
    """Whatever stands below."""
    assert parse_line("describe -h", cell="body\n").command is HELP


@pytest.mark.parametrize(
    ("arguments", "wanted"),
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
def test_a_terminals_arguments(arguments: list[str], wanted: CommandRequest) -> None:
    """The shell has taken its quotes already, so no more are taken."""
    assert parse_arguments(arguments) == wanted


@pytest.mark.parametrize(
    "arguments", [["describe", "--from"], ["describe", "-x"], ["--json"], ["staus"]]
)
def test_a_terminals_slips(arguments: list[str]) -> None:
    """Are refused as in a kernel."""
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


@property_settings
@given(LINES, st.none() | st.text(max_size=20))
def test_a_line_is_understood_or_its_usage_is_wrong(line: str, cell: str | None) -> None:
    """Nothing else is ever raised, whatever is typed."""
    try:
        known = parse_line(line, cell=cell).command in COMMANDS.values()
    except UsageError as error:
        known = str(error) == f"{error.message}\n{error.hint}" and str(error).count("\n") == 1
    assert known


@property_settings
@given(st.lists(st.sampled_from([*NAMES, "--json", "--from", "--", "-h"]) | st.text(max_size=6)))
def test_arguments_are_understood_or_their_usage_is_wrong(arguments: list[str]) -> None:
    """As in a kernel."""
    try:
        known = parse_arguments(arguments).command in COMMANDS.values()
    except UsageError as error:
        known = bool(error.hint)
    assert known


@property_settings
@given(st.sampled_from(FREE), st.text(min_size=1, max_size=80))
@example("describe", "a  b\t c")
@example("describe", "\\")
def test_a_text_without_leading_dash_or_quotes_round_trips(name: str, text: str) -> None:
    """Exactly, but for white space around it."""
    assume(text == text.strip() and not text.startswith("-"))
    assume(not (text[0] in "'\"" and text[-1] == text[0]))
    assert parse_line(f"{name} {text}").text == text


@property_settings
@given(st.sampled_from("'\""), st.text(max_size=80))
def test_a_quoted_text_round_trips_whatever_it_is(quote: str, text: str) -> None:
    """The enclosing pair goes, the rest stays."""
    assert parse_line(f"describe {quote}{text}{quote}").text == text


@property_settings
@given(st.text(max_size=80))
def test_a_terminals_text_round_trips_behind_two_dashes(text: str) -> None:
    """Whatever it is."""
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
def test_only_what_writes_is_said_to(line: str, writes: bool) -> None:
    """An interrupted look sent no change."""
    request = parse_line(line)
    assert request.may_write() is writes
    assert interrupt_message_code(request).endswith("during_write") is writes


def test_what_was_not_read_yet_sent_nothing() -> None:
    """An interrupt may come before the words are known."""
    assert interrupt_message_code(None) == "cli.interrupted"
