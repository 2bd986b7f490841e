"""The commands login, configure and stop: their prompts, their effects, and where secrets must not appear."""

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
from modelarts_magics.config.credentials import AccessKey, FoundCredential, Token
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor.report import run_checks
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
    """Prompts with scripted answers, and the credentials stored by `login`."""

    def __init__(self, *answers: str | Exception, can_remember: bool = True) -> None:
        self.questions: list[str] = []
        self.credentials: list[FoundCredential] = []
        self._answers = list(answers)
        self._can_remember = can_remember

    def answer(self, question: str) -> str:
        """Record the question and return the next answer, or raise it if it is an exception."""
        self.questions.append(question)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run(self, line: str, **context: Any) -> Any:  # noqa: ANN401 - any command's value
        """Run a command whose prompts get the answers."""
        arguments: dict[str, Any] = {
            "get_session": _no_session,
            "get_settings": Settings.load,
            "prefix": "%modelarts",
            "ask": self.answer,
            "ask_secret": self.answer,
            "use_interactive_credential": self.credentials.append if self._can_remember else None,
        }
        return run_command(parse_line(line), CommandContext(**{**arguments, **context}))


def _no_session() -> Any:  # noqa: ANN401 - never returns
    raise AssertionError("this command sends no request")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Return a home directory without any settings."""
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
def test_login_keeps_the_credential_in_memory(
    home: Path, answers: tuple[str, ...], credential: object
) -> None:
    """It is not displayed and no file is written."""
    prompts = ScriptedPrompts(*answers)
    output = prompts.run("login")
    assert prompts.credentials == [FoundCredential(credential, "login")]
    assert len(prompts.questions) == len(answers)
    assert "s3cret" not in f"{output!r}{output}"
    assert list(home.iterdir()) == []


def test_login_clear_forgets_the_credential(home: Path) -> None:
    """Without a question; a file is not touched."""
    prompts = ScriptedPrompts()
    assert "forgotten" in prompts.run("login --clear")
    assert prompts.credentials == [None]
    assert list(home.iterdir()) == []
    with pytest.raises(UsageError):
        prompts.run("login --clear --save")


def test_login_save_writes_the_credentials_file(home: Path) -> None:
    """The file is private, and this kernel uses the key too."""
    prompts = ScriptedPrompts(AK, SK, STS)
    output = prompts.run("login --save")
    path = home / ".huaweicloud" / "credentials"
    assert str(path) in output
    assert prompts.credentials == [FoundCredential(AccessKey(AK, SK, STS), "login")]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_terminal_login_saves_the_key(home: Path) -> None:
    """A terminal cannot keep it in memory."""
    prompts = ScriptedPrompts(AK, SK, "", can_remember=False)
    prompts.run("login --save")
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
def test_invalid_credential_is_refused(
    home: Path, line: str, answers: tuple[str, ...], code: str, questions: int
) -> None:
    """Nothing is stored, and the error does not repeat what was typed."""
    prompts = ScriptedPrompts(*answers)
    with pytest.raises(ModelArtsError) as caught:
        prompts.run(line)
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 2
    assert "s3cret" not in f"{caught.value}{caught.value.values}"
    assert (len(prompts.questions), prompts.credentials, list(home.iterdir())) == (
        questions,
        [],
        [],
    )


@pytest.mark.usefixtures("home")
def test_terminal_login_without_save_asks_nothing() -> None:
    """The refusal comes before the user types a secret."""
    prompts = ScriptedPrompts(can_remember=False)
    with pytest.raises(RefusedError, match="is lost") as caught:
        prompts.run("login")
    assert "login --save" in caught.value.hint
    assert prompts.questions == []


def test_entered_credential_takes_precedence_and_is_masked(tmp_path: Path) -> None:
    """The environment contains an invalid token."""
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
    """Return an emulator for the kernels of this module."""
    with LocalEmulator(api="notebooks") as emulator:
        yield emulator


@pytest.fixture(scope="module")
def kernel_session(
    emulator: LocalEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KernelSession]:
    """Return a kernel whose instance is known and that has no credentials."""
    home = tmp_path_factory.mktemp("home")
    environ = {**emulator.environment(), "HOME": str(home)}
    del environ["MODELARTS_AUTH_TOKEN"]
    session = KernelSession(environ)
    session.run("%load_ext modelarts_magics")
    yield session
    session.close()


@pytest.mark.process
def test_login_without_input_names_the_alternative(
    kernel_session: KernelSession,
) -> None:
    """The error is one line and one hint without a traceback."""
    status, shown = kernel_session.run("%modelarts login")
    assert status == "error"
    assert len(shown.splitlines()) == 2
    assert "login --save" in shown


@pytest.mark.process
def test_typed_secret_leaves_no_trace_in_a_kernel(
    emulator: LocalEmulator, kernel_session: KernelSession
) -> None:
    """It is neither published nor in In, Out, the history or the history file."""
    assert kernel_session.run("%modelarts")[0] == "error"
    status, shown = kernel_session.run("%modelarts login", answers=[emulator.ak, emulator.sk, ""])
    assert status == "ok", shown
    assert kernel_session.prompts[-3:] == [
        ("Access key ID (AK); leave empty to enter a token: ", False),
        ("Secret access key (SK): ", False),
        ("Security token (leave empty for a permanent key): ", False),
    ]
    assert "demo-notebook" in kernel_session.run("%modelarts")[1]
    assert "from login" in kernel_session.run("%modelarts doctor --all")[1]
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
stored = shell.magics_manager.registry["ModelArts"]._interactive_credential
print(json.dumps({"ok": done.success, "stored": repr(stored.credential),
                  "traces": [repr(space["In"]), repr(space["Out"]), history, repr(space)]}))
"""


@pytest.mark.process
def test_typed_secret_leaves_no_trace_in_a_shell(tmp_path: Path) -> None:
    """This is IPython in a terminal."""
    done = subprocess.run(  # noqa: S603 - fixed words
        [sys.executable, "-c", SHELL],
        input=f"{AK}\n{SK}\n\n",
        env={**environment_without_settings(), "HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path)},
        # Without a terminal, prompts read the pipe.
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["ok"], found["stored"]) == (True, "AccessKey(TYPE…)")
    assert SK not in done.stdout
    assert AK not in done.stdout


# configure


@pytest.mark.usefixtures("home")
def test_configure_stores_and_shows_settings() -> None:
    """An empty value removes a setting."""
    prompts = ScriptedPrompts()
    assert "No settings saved" in prompts.run("configure")
    prompts.run("configure region=cn-north-4 timezone=Asia/Shanghai")
    output = prompts.run("configure instance_id=i-1 timezone=").splitlines()
    assert output[0].startswith("Saved to ")
    assert output[1:] == ["  region = cn-north-4", "  instance_id = i-1"]
    assert prompts.run("configure").splitlines()[1:] == output[1:]
    assert Settings.load().get("region") == "cn-north-4"


@pytest.mark.parametrize("work", [True, False])
def test_settings_file_is_in_the_persistent_folder(home: Path, *, work: bool) -> None:
    """It is in ~/work if that exists, and later processes find it."""
    if work:
        (home / "work").mkdir()
    output = ScriptedPrompts().run("configure api=notebooks")
    path = (home / "work" if work else home) / ".modelarts-magics.ini"
    assert f"Saved to {path}:" in output
    assert Settings.load().source("api") == str(path)


def test_settings_file_can_be_set_by_a_variable(tmp_path: Path) -> None:
    """Later processes need the variable, too."""
    path = tmp_path / "deep" / "ours.ini"
    with environment_variables({"HOME": str(tmp_path), "MODELARTS_CONFIG": str(path)}):
        assert str(path) in ScriptedPrompts().run("configure language=zh_CN")
        assert Settings.load().get("language") == "zh_CN"
    assert path.is_file()


@pytest.mark.parametrize(
    "word",
    ["sk=typed%s3cret", "ak=s3cret", "token=s3cret", "auth_token=s3cret", "password=s3cret"],
)
def test_configure_refuses_secrets(home: Path, word: str) -> None:
    """The error does not repeat the secret, and the hint names `login`."""
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
def test_invalid_value_is_not_written(home: Path, word: str, error: type[ModelArtsError]) -> None:
    """Valid values in the same command are not written either."""
    with pytest.raises(error) as caught:
        ScriptedPrompts().run(f"configure instance_id=i-1 {word}")
    assert len(str(caught.value).splitlines()) == 2
    assert list(home.iterdir()) == []


def test_new_setting_is_effective_immediately(harness: EmulatorHarness) -> None:
    """The environment takes precedence."""
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
    """Return a function that runs `stop` with an answer to its question."""

    def run_stop(
        answer: str | Exception,
        line: str = "stop",
        **options: Any,  # noqa: ANN401 - `variables` or `status`
    ) -> tuple[Any, ScriptedPrompts, EmulatorHarness]:
        harness = make_harness(api="notebooks")
        if "status" in options:
            harness.emulator.set_instance(status=options["status"])
        prompts = ScriptedPrompts(answer)
        try:
            value = prompts.run(
                line, get_session=lambda: harness._session, namespace=options.get("variables", {})
            )
        except ModelArtsError as error:
            value = error
        return value, prompts, harness

    return run_stop


def write_count(harness: EmulatorHarness) -> int:
    """Return the number of write requests."""
    return len([one for one in harness.emulator.requests if one["method"] != "GET"])


@pytest.mark.parametrize("answer", ["y", "yes", "YES", " Yes \n", "是"])
def test_confirmed_stop_stops_the_instance(
    stop: Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]], answer: str
) -> None:
    """One question names the instance and what will be lost."""
    change, prompts, harness = stop(answer)
    assert change.effect is Effect.NOW
    assert harness.instance_state()["status"] == "STOPPING"
    (question,) = prompts.questions
    assert question.startswith("Stop demo-notebook now? If not: Stops at 2026-11-23")
    assert "kernel" in question
    assert question.endswith("[yes/no] ")


@pytest.mark.parametrize(
    "answer",
    ["no", "", "n", "yes please", "ye", "stop", EOFError(), StdinNotImplementedError("no input")],
    ids=str,
)
def test_unconfirmed_stop_sends_nothing(
    stop: Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]], answer: str | Exception
) -> None:
    """The hint names the option for front ends without prompts."""
    error, prompts, harness = stop(answer)
    assert isinstance(error, RefusedError)
    assert (error.code, error.message) == ("stop.declined", "Instance not stopped.")
    assert "stop --yes" in error.hint
    assert (len(prompts.questions), write_count(harness), harness.instance_state()["status"]) == (
        1,
        0,
        "RUNNING",
    )


def test_stop_yes_asks_nothing(
    stop: Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]],
) -> None:
    """The option is for scripts."""
    change, prompts, harness = stop("no", "stop --yes")
    assert (change.effect, prompts.questions, write_count(harness)) == (Effect.NOW, [], 1)


@pytest.mark.parametrize("line", ["stop", "stop --yes"])
@pytest.mark.parametrize("status", ["STOPPED", "STOPPING"])
def test_stopped_instance_is_refused_without_a_question(
    stop: Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]], line: str, status: str
) -> None:
    """There is nothing to confirm."""
    error, prompts, harness = stop("yes", line, status=status)
    assert isinstance(error, RefusedError)
    assert error.message == f"The instance is already {status}."
    assert (prompts.questions, write_count(harness)) == ([], 0)


@pytest.mark.parametrize(
    ("variables", "expected"),
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
def test_stop_question_lists_the_variables(
    stop: Callable[..., tuple[Any, ScriptedPrompts, EmulatorHarness]],
    variables: dict[str, object],
    expected: str,
) -> None:
    """They are the user's own variables in the kernel."""
    _, prompts, _ = stop("no", variables=variables)
    (question,) = prompts.questions
    assert ("Variables" in question) is bool(expected)
    assert expected in question


def test_forbidden_stop_names_the_permission(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """This is known only after the request."""
    harness = make_harness(api="notebooks")
    harness.emulator.add_fault("403", methods=("POST",))
    prompts = ScriptedPrompts("yes")
    with pytest.raises(ModelArtsError, match="modelarts:notebook:stop"):
        prompts.run("stop", get_session=lambda: harness._session)
    assert harness.instance_state()["status"] == "RUNNING"
