"""The commands that ask somebody something: what is asked, what an answer does, where it must not stay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Callable

import pytest
from emulator_harness import EmulatorHarness, environment_variables
from IPython.core.error import StdinNotImplementedError
from kernel_session import KernelSession, environment_without_settings

from modelarts_magics.commands.context import CommandContext
from modelarts_magics.commands.dispatch import run_command
from modelarts_magics.commands.parser import parse_line
from modelarts_magics.config.credential_chain import AccessKey, FoundCredential, Token
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor import run_checks
from modelarts_magics.domain.models import Effect
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import (
    ConfigurationError,
    ModelArtsError,
    RefusedError,
    UsageError,
)
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AK, SK, STS, TOKEN = "TYPEDACCESSKEY0001", "typed%s3cret", "typed-sts-s3cret", "typed-t0ken-s3cret"


class ScriptedPrompts:
    """Somebody who answers what is asked, in order, and what `login` was given to keep."""

    def __init__(self, *answers: str | Exception, remembers: bool = True) -> None:
        self.questions: list[str] = []
        self.kept: list[FoundCredential] = []
        self._answers = list(answers)
        self._remembers = remembers

    def answer(self, question: str) -> str:
        """Give the next answer."""
        self.questions.append(question)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run(self, line: str, **context: Any) -> Any:  # noqa: ANN401 - any command's value
        """Run a command that asks this person."""
        how: dict[str, Any] = {
            "get_session": _no_session,
            "get_settings": Settings.load,
            "prefix": "%modelarts",
            "ask": self.answer,
            "ask_secret": self.answer,
            "use_interactive_credential": self.kept.append if self._remembers else None,
        }
        return run_command(parse_line(line), CommandContext(**{**how, **context}))


def _no_session() -> Any:  # noqa: ANN401 - never returns
    raise AssertionError("the cloud is not needed")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home in which nothing is set."""
    with environment_variables({"HOME": str(tmp_path)}):
        yield tmp_path


# login


@pytest.mark.parametrize(
    ("answers", "credential"),
    [
        ((AK, SK, ""), AccessKey(AK, SK)),
        ((AK, SK, STS), AccessKey(AK, SK, STS)),
        ((f" {AK}\n", f"\t{SK} ", " "), AccessKey(AK, SK)),
        (("", TOKEN), Token(TOKEN)),
        ((" ", f" {TOKEN}\n"), Token(TOKEN)),
    ],
)
def test_a_credential_that_is_entered_is_kept_in_memory(
    home: Path, answers: tuple[str, ...], credential: object
) -> None:
    """And nowhere else: nothing of it is shown, no file is written."""
    asked = ScriptedPrompts(*answers)
    said = asked.run("login")
    assert asked.kept == [FoundCredential(credential, "login")]
    assert len(asked.questions) == len(answers)
    assert "s3cret" not in f"{said!r}{said}"
    assert list(home.iterdir()) == []


def test_a_key_can_be_saved_for_later_kernels(home: Path) -> None:
    """In the vendor's file, ours alone; this kernel uses it too, whatever else is set."""
    asked = ScriptedPrompts(AK, SK, STS)
    said = asked.run("login --save")
    path = home / ".huaweicloud" / "credentials"
    assert str(path) in said
    assert asked.kept == [FoundCredential(AccessKey(AK, SK, STS), "login")]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_terminal_saves_a_key(home: Path) -> None:
    """It remembers nothing else."""
    asked = ScriptedPrompts(AK, SK, "", remembers=False)
    asked.run("login --save")
    assert (home / ".huaweicloud" / "credentials").is_file()


@pytest.mark.parametrize(
    ("line", "answers", "code", "questions"),
    [
        ("login", ("", ""), "login.empty", 2),
        ("login", (AK, "", ""), "credentials.incomplete", 3),
        ("login", (AK, "two words s3cret", ""), "credentials.characters", 3),
        ("login", ("", "two words s3cret"), "credentials.characters", 2),
        ("login --save", ("",), "login.token_not_saved", 1),
        ("login", (EOFError(),), "login.no_input", 1),
        ("login", (StdinNotImplementedError("no input"),), "login.no_input", 1),
        ("login --save", (AK, EOFError()), "login.no_input", 2),
        (f"login {AK} {SK}", (), "usage.secret", 0),
        (f"login --save {SK}", (), "usage.secret", 0),
    ],
)
def test_what_is_no_credential_is_refused(
    home: Path, line: str, answers: tuple[str, ...], code: str, questions: int
) -> None:
    """Nothing is kept or written, and nothing that was typed is repeated."""
    asked = ScriptedPrompts(*answers)
    with pytest.raises(ModelArtsError) as caught:
        asked.run(line)
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 2
    assert "s3cret" not in f"{caught.value}{caught.value.values}"
    assert (len(asked.questions), asked.kept, list(home.iterdir())) == (questions, [], [])


@pytest.mark.usefixtures("home")
def test_a_terminal_that_would_forget_it_asks_for_nothing() -> None:
    """The person learns so before typing a secret."""
    asked = ScriptedPrompts(remembers=False)
    with pytest.raises(RefusedError, match="is lost") as caught:
        asked.run("login")
    assert "login --save" in caught.value.hint
    assert asked.questions == []


def test_what_was_entered_wins_and_is_shown_masked(tmp_path: Path) -> None:
    """The token of the environment is wrong; the key that was typed is right."""
    with LocalEmulator(api="notebooks") as emulator:
        entered = FoundCredential(AccessKey(emulator.ak, emulator.sk), "login")
        environ = {
            **emulator.environment(),
            "MODELARTS_AUTH_TOKEN": "wrong",
            "HOME": str(tmp_path),
            "MODELARTS_STATE_DIR": str(tmp_path / "state"),
        }
        settings = Settings.load(environ=environ)
        session = open_session(settings, environ=environ, interactive=entered)
        assert session.refresh().id == emulator.notebook_id
        session.close()
        report = run_checks(settings, environ=environ, interactive=entered)
        assert {one["auth"] for one in emulator.requests} == {"signature"}
        lines = "\n".join(report.lines())
        assert "access key FAKE… from login" in lines
        assert emulator.sk not in lines


# login, in a real kernel


@pytest.fixture(scope="module")
def emulator() -> Iterator[LocalEmulator]:
    """A cloud for the kernels of this module."""
    with LocalEmulator(api="notebooks") as emulator:
        yield emulator


@pytest.fixture(scope="module")
def kernel_session(
    emulator: LocalEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KernelSession]:
    """Somebody whose kernel knows the instance and has no credentials."""
    home = tmp_path_factory.mktemp("home")
    environ = {**emulator.environment(), "HOME": str(home)}
    del environ["MODELARTS_AUTH_TOKEN"]
    someone = KernelSession(environ)
    someone.run("%load_ext modelarts_magics")
    yield someone
    someone.close()


def test_a_front_end_without_input_is_told_what_else_there_is(
    kernel_session: KernelSession,
) -> None:
    """As one line and a hint, not as a traceback through this package."""
    status, shown = kernel_session.run("%modelarts login")
    assert status == "error"
    assert len(shown.splitlines()) == 2
    assert "login --save" in shown


def test_a_secret_that_is_typed_leaves_no_trace_in_a_kernel(
    emulator: LocalEmulator, kernel_session: KernelSession
) -> None:
    """Not in what is published, nor in In, Out, the history or its file; and it works."""
    assert kernel_session.run("%modelarts")[0] == "error"
    status, shown = kernel_session.run("%modelarts login", answers=[emulator.ak, emulator.sk, ""])
    assert status == "ok", shown
    assert kernel_session.prompts[-3:] == [
        ("Access key ID (AK); leave empty to enter a token: ", False),
        ("Secret access key (SK): ", False),
        ("Security token (leave empty for a permanent key): ", False),
    ]
    assert "demo-notebook" in kernel_session.run("%modelarts")[1]
    assert "from login" in kernel_session.run("%modelarts doctor")[1]
    kernel_session.run("In, Out, _, __, ___, _i, _ii, dict(globals())")
    kernel_session.run("%history -n")
    kernel_session.run("list(get_ipython().history_manager.get_range(output=True))")
    status, shown = kernel_session.run(
        "h = get_ipython().history_manager\nh.writeout_cache()\n"
        "import pathlib\nlen(pathlib.Path(h.hist_file).read_bytes()), "
        f"b'{emulator.sk[:9]}' + b'{emulator.sk[9:]}' in pathlib.Path(h.hist_file).read_bytes()"
    )
    assert status == "ok", shown
    assert shown.endswith("False)")
    assert emulator.sk not in kernel_session.published_text()
    assert emulator.ak not in kernel_session.published_text()


SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_cell("%load_ext modelarts_magics", store_history=True)
done = shell.run_cell("%modelarts login", store_history=True)
space = shell.user_ns
history = [repr(row) for row in shell.history_manager.get_range(output=True)]
kept = shell.magics_manager.registry["ModelArts"]._interactive_credential
print(json.dumps({"ok": done.success, "kept": repr(kept.credential),
                  "traces": [repr(space["In"]), repr(space["Out"]), history, repr(space)]}))
"""


def test_a_secret_that_is_typed_leaves_no_trace_in_a_shell(tmp_path: Path) -> None:
    """The same in plain IPython, which asks at the terminal."""
    done = subprocess.run(  # noqa: S603 - fixed words
        [sys.executable, "-c", SHELL],
        input=f"{AK}\n{SK}\n\n",
        env={**environment_without_settings(), "HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path)},
        start_new_session=True,  # without a terminal, what is piped is read
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["ok"], found["kept"]) == (True, "AccessKey(TYPE…)")
    assert SK not in done.stdout
    assert AK not in done.stdout


# configure


@pytest.mark.usefixtures("home")
def test_what_is_configured_is_kept_and_shown() -> None:
    """One after the other; an empty value takes one away."""
    asked = ScriptedPrompts()
    assert "No settings saved" in asked.run("configure")
    asked.run("configure region=cn-north-4 timezone=Asia/Shanghai")
    said = asked.run("configure instance_id=i-1 timezone=").splitlines()
    assert said[0].startswith("Saved to ")
    assert said[1:] == ["  region = cn-north-4", "  instance_id = i-1"]
    assert asked.run("configure").splitlines()[1:] == said[1:]
    assert Settings.load().get("region") == "cn-north-4"


@pytest.mark.parametrize("work", [True, False])
def test_it_is_written_where_it_survives_a_stop(home: Path, *, work: bool) -> None:
    """In ~/work where there is one; a later process finds it."""
    if work:
        (home / "work").mkdir()
    said = ScriptedPrompts().run("configure api=notebooks")
    path = (home / "work" if work else home) / ".modelarts-magics.ini"
    assert f"Saved to {path}:" in said
    assert Settings.load().source("api") == str(path)


def test_another_file_can_be_named(tmp_path: Path) -> None:
    """By a variable, which every later process needs too."""
    path = tmp_path / "deep" / "ours.ini"
    with environment_variables({"HOME": str(tmp_path), "MODELARTS_CONFIG": str(path)}):
        assert str(path) in ScriptedPrompts().run("configure language=zh_CN")
        assert Settings.load().get("language") == "zh_CN"
    assert path.is_file()


@pytest.mark.parametrize(
    "word",
    ["sk=typed%s3cret", "ak=s3cret", "token=s3cret", "auth_token=s3cret", "password=s3cret"],
)
def test_a_secret_is_not_kept_and_not_repeated(home: Path, word: str) -> None:
    """The hint says where it belongs."""
    with pytest.raises(UsageError) as caught:
        ScriptedPrompts().run(f"configure region=cn-north-4 {word}")
    assert "login" in caught.value.hint
    assert "s3cret" not in f"{caught.value}{caught.value.values}"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("endpoint=http://example.com", ConfigurationError),
        ("endpoint=nonsense", ConfigurationError),
        ("endpoint=https://u:p@example.com", ConfigurationError),
        ("region=not_a_region", ConfigurationError),
        ("project_id=a/b", ConfigurationError),
        ("instance_id=../x", ConfigurationError),
        ("api=v3", ConfigurationError),
        ("timezone=Mars/Olympus", ConfigurationError),
        ("language=tlh", UsageError),
        ("read_timeout=5", UsageError),
        ("region", UsageError),
        ("=x", UsageError),
    ],
)
def test_a_value_that_could_not_be_used_is_not_written(
    home: Path, word: str, error: type[ModelArtsError]
) -> None:
    """Nor are the good ones beside it."""
    with pytest.raises(error) as caught:
        ScriptedPrompts().run(f"configure instance_id=i-1 {word}")
    assert len(str(caught.value).splitlines()) == 2
    assert list(home.iterdir()) == []


def test_a_kernel_follows_a_new_setting_at_once(harness: EmulatorHarness) -> None:
    """What the environment sets still wins."""
    with environment_variables({"HOME": harness.environ["HOME"]}):
        ScriptedPrompts().run("configure instance_id=elsewhere timezone=UTC")
        assert Settings.load().get("instance_id") == "elsewhere"
    both = Settings.load(environ=harness.environ)
    assert both.get("instance_id") == harness.emulator.instance_id
    assert both.source("timezone") == "MODELARTS_TIMEZONE"


# stop


@pytest.fixture
def stop(
    make_harness: Callable[..., EmulatorHarness],
) -> Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]]:
    """Return what runs `stop` against an emulator, with somebody who answers."""

    def attempt(
        answer: str | Exception,
        line: str = "stop",
        **how: Any,  # noqa: ANN401 - variables, or a status
    ) -> tuple[Any, ScriptedPrompts, EmulatorHarness]:
        stage = make_harness(api="notebooks")
        if "status" in how:
            stage.emulator.set_instance(status=how["status"])
        asked = ScriptedPrompts(answer)
        try:
            value = asked.run(
                line, get_session=lambda: stage._session, namespace=how.get("variables", {})
            )
        except ModelArtsError as error:
            value = error
        return value, asked, stage

    return attempt


def posts(stage: EmulatorHarness) -> int:
    """How many writes the emulator received."""
    return len([one for one in stage.emulator.requests if one["method"] != "GET"])


@pytest.mark.parametrize("answer", ["y", "yes", "YES", " Yes \n", "是"])
def test_yes_stops_the_instance(
    stop: Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]], answer: str
) -> None:
    """After one question that names it and says what ends."""
    change, asked, stage = stop(answer)
    assert change.effect is Effect.NOW
    assert stage.instance_state()["status"] == "STOPPING"
    (question,) = asked.questions
    assert question.startswith("Stop demo-notebook now? If not: Stops at 2026-11-23")
    assert "kernel" in question
    assert question.endswith("[yes/no] ")


@pytest.mark.parametrize(
    "answer",
    ["no", "", "n", "yes please", "ye", "stop", EOFError(), StdinNotImplementedError("no input")],
    ids=str,
)
def test_anything_else_sends_nothing(
    stop: Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]], answer: str | Exception
) -> None:
    """Nor does a front end in which nobody can answer; the hint says how to go without."""
    error, asked, stage = stop(answer)
    assert isinstance(error, RefusedError)
    assert (error.code, error.message) == ("stop.declined", "Instance not stopped.")
    assert "stop --yes" in error.hint
    assert (len(asked.questions), posts(stage), stage.instance_state()["status"]) == (
        1,
        0,
        "RUNNING",
    )


def test_who_says_yes_in_the_line_is_not_asked(
    stop: Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]],
) -> None:
    """For a script."""
    change, asked, stage = stop("no", "stop --yes")
    assert (change.effect, asked.questions, posts(stage)) == (Effect.NOW, [], 1)


@pytest.mark.parametrize("line", ["stop", "stop --yes"])
@pytest.mark.parametrize("status", ["STOPPED", "STOPPING"])
def test_what_is_stopped_already_is_not_asked_about(
    stop: Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]], line: str, status: str
) -> None:
    """There is nothing to decide."""
    error, asked, stage = stop("yes", line, status=status)
    assert isinstance(error, RefusedError)
    assert error.message == f"The instance is already {status}."
    assert (asked.questions, posts(stage)) == ([], 0)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, ""),
        ({"_x": 1, "In": [], "Out": {}, "get_ipython": 1, "exit": 1, "os": os}, ""),
        ({"model": 1, "os": os, "frame": None}, "Variables in this kernel: model, frame. "),
        (
            {f"v{number}": number for number in range(7)},
            "Variables in this kernel: v0, v1, v2, v3, v4 and 2 more. ",
        ),
    ],
)
def test_the_question_names_what_ends_with_the_kernel(
    stop: Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]],
    variables: dict[str, object],
    words: str,
) -> None:
    """As far as a kernel knows it: the person's own variables."""
    _, asked, _ = stop("no", variables=variables)
    (question,) = asked.questions
    assert ("Variables" in question) is bool(words)
    assert words in question


def test_a_stop_that_is_not_allowed_names_the_right(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """After the question: nobody knows it before."""
    stage = make_harness(api="notebooks")
    stage.emulator.add_fault("403", methods=("POST",))
    asked = ScriptedPrompts("yes")
    with pytest.raises(ModelArtsError, match="modelarts:notebook:stop"):
        asked.run("stop", get_session=lambda: stage._session)
    assert stage.instance_state()["status"] == "RUNNING"
