"""The checks of the doctor: each problem has a hint, nothing is raised, and no secret is shown."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from emulator_harness import HTML_INJECTION, START, EmulatorHarness

import modelarts_magics
from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor.findings import Finding, Level
from modelarts_magics.doctor.report import DoctorReport, run_checks, unknown_stop_time_findings
from modelarts_magics.domain.clock import Clock
from modelarts_magics.domain.models import UNKNOWN_AUTO_STOP
from modelarts_magics.messages import text
from modelarts_magics.session.store import RUN_FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SECRET = "S3CR3T"
"""Part of every secret in these tests; no output may contain it."""


def make_clock(now: Callable[[], datetime]) -> Clock:
    """Return a clock whose monotonic time follows its wall time, and whose sleeps end at once."""
    return Clock(now=now, monotonic=lambda: now().timestamp(), sleep=lambda _seconds: None)


class DoctorHarness:
    """An emulator and an environment to check.

    Attributes:
        api: The emulator.
        environ: The environment; no other one is read.
        clock: The clock of this machine.
    """

    def __init__(self, folder: Path, **options: object) -> None:
        self.api = EmulatorHarness(folder, **options)
        folder.mkdir(exist_ok=True)
        self.environ = dict(self.api.environ)
        self.clock = make_clock(self.api.clock.now)

    def report(self) -> DoctorReport:
        """Run the checks, and assert what holds for every report."""
        settings = Settings.load(environ=self.environ)
        report = run_checks(settings, environ=self.environ, clock=self.clock)
        shown = "\n".join(report.lines()) + json.dumps(report.to_json(), ensure_ascii=False)
        assert SECRET not in shown
        assert self.api.emulator.auth_token not in shown
        assert self.api.emulator.sk not in shown
        assert all(each.hint for each in report.problems)
        assert "\n" not in "".join(each.message + each.hint for each in report.findings)
        assert report.to_json()["problems"] == len(report.problems)
        return report

    def problem(self, subject: str) -> Finding:
        """Return the only problem with a subject."""
        report = self.report()
        (found,) = (each for each in report.problems if each.subject == subject)
        assert f"✗ {found.label}" in "\n".join(report.lines())
        assert report.lines()[0] == f"Problems found: {len(report.problems)}"
        return found

    def finding(self, subject: str) -> Finding:
        """Return the only finding with a subject."""
        (found,) = (each for each in self.report().findings if each.subject == subject)
        return found


@pytest.fixture
def make_doctor_harness(tmp_path: Path) -> Iterator[Callable[..., DoctorHarness]]:
    """Return a function that makes environments with an emulator; all are closed after the test."""
    made: list[DoctorHarness] = []

    def make(**options: object) -> DoctorHarness:
        made.append(DoctorHarness(tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for doctor_harness in made:
        doctor_harness.api.close()


@pytest.fixture
def doctor_harness(make_doctor_harness: Callable[..., DoctorHarness]) -> DoctorHarness:
    """Return an environment without problems."""
    return make_doctor_harness()


@pytest.mark.parametrize("auth", ["token", "keys", "temporary"])
def test_correct_setup_has_no_problems(doctor_harness: DoctorHarness, auth: str) -> None:
    """Each setting has its source, the credential is masked, and one request is sent."""
    del doctor_harness.environ["MODELARTS_AUTH_TOKEN"]
    doctor_harness.environ.update(doctor_harness.api.emulator.environment(auth=auth))
    report = doctor_harness.report()
    assert report.problems == ()
    assert report.lines()[0] == "No problems found"
    assert doctor_harness.finding("endpoint").message.endswith(" (MODELARTS_ENDPOINT)")
    assert doctor_harness.finding("read_timeout").message == "15 (default)"
    assert doctor_harness.finding("connection").message.startswith(
        "“demo-notebook”: RUNNING; demanager responded in"
    )
    assert (
        doctor_harness.finding("time zone").message == "Asia/Shanghai, now 2026-11-23 16:00 +08:00"
    )
    kind = {"token": "token from", "keys": "access key", "temporary": "temporary access key"}[auth]
    assert [
        each for each in report.findings if each.subject == "credentials" and kind in each.message
    ]
    doctor_harness.api.emulator.clear_requests()
    doctor_harness.report()
    assert [one["method"] for one in doctor_harness.api.emulator.requests] == ["GET"]


def test_empty_environment_lists_all_missing_settings(doctor_harness: DoctorHarness) -> None:
    """No request is sent."""
    home = doctor_harness.environ["HOME"]
    doctor_harness.environ = {"HOME": home}
    subjects = [each.subject for each in doctor_harness.report().problems]
    assert subjects == ["endpoint", "instance_id", "credentials"]
    assert doctor_harness.finding("project_id").message == "not set; will be looked up by region"
    searched = [each.message for each in doctor_harness.report().findings]
    assert any("/modelarts/tools/sdk" in each for each in searched)
    assert doctor_harness.finding("connection").message.startswith("not checked")
    assert doctor_harness.api.emulator.requests == []


@pytest.mark.parametrize(
    ("name", "value", "subject"),
    [
        ("MODELARTS_ENDPOINT", "nonsense", "endpoint"),
        ("MODELARTS_ENDPOINT", "http://example.com", "endpoint"),
        ("MODELARTS_ENDPOINT", f"https://user:{SECRET}@example.com", "endpoint"),
        ("MODELARTS_ENDPOINT", f"https://example.com/?token={SECRET}", "endpoint"),
        ("MODELARTS_PROJECT_ID", f"../{SECRET}", "project_id"),
        ("MODELARTS_INSTANCE_ID", f"a b {SECRET}", "instance_id"),
        ("MODELARTS_API", "soap", "api"),
        ("MODELARTS_TIMEZONE", "Nowhere/Else", "timezone"),
        ("MODELARTS_CONNECT_TIMEOUT", "soon", "connect_timeout"),
        ("MODELARTS_READ_TIMEOUT", "-1", "read_timeout"),
        ("MODELARTS_TOTAL_TIMEOUT", "nan", "total_timeout"),
        ("MODELARTS_AUTH_TOKEN", f"{SECRET} with a space", "credentials"),
        ("MODELARTS_STATE_DIR", __file__, "state store"),
        ("MODELARTS_STATE_DIR", f"{__file__}/folder", "state store"),
    ],
)
def test_invalid_setting_is_a_problem(
    doctor_harness: DoctorHarness, name: str, value: str, subject: str
) -> None:
    """The hint is that of a command."""
    doctor_harness.environ[name] = value
    assert doctor_harness.problem(subject)


def test_every_setting_has_a_finding(doctor_harness: DoctorHarness) -> None:
    """No setting is missing in the report."""
    for name in SETTINGS:
        doctor_harness.environ.setdefault(f"MODELARTS_{name.upper()}", "1")
    doctor_harness.environ["MODELARTS_REGION"] = "cn-north-4"
    assert {each.subject for each in doctor_harness.report().findings} >= set(SETTINGS)


def test_invalid_credential_shadows_later_ones(doctor_harness: DoctorHarness) -> None:
    """A command fails there too, so later credentials are not reported as used."""
    doctor_harness.environ.update(doctor_harness.api.emulator.environment(auth="keys"))
    doctor_harness.environ["MODELARTS_AUTH_TOKEN"] = "not\tone"
    assert "contains invalid characters" in doctor_harness.problem("credentials").message
    found = [each for each in doctor_harness.report().findings if "access key" in each.message]
    assert [each.level for each in found] == [Level.INFO]


def test_incomplete_access_key_is_a_problem(doctor_harness: DoctorHarness) -> None:
    """The given part is not shown."""
    del doctor_harness.environ["MODELARTS_AUTH_TOKEN"]
    doctor_harness.environ["HUAWEICLOUD_SDK_SK"] = f"{SECRET}{SECRET}"
    assert "AK is missing in" in "".join(each.message for each in doctor_harness.report().problems)


@pytest.mark.parametrize(
    "content",
    [
        f"[basic]\nak = ACCESS\nsk = {SECRET}\n",
        f"[basic]\nak = ACCESS\nsk = {SECRET}%(x)s\nsecurity_token = {SECRET}\n",
        f"[basic]\nsk = {SECRET}\n",
        f"sk = {SECRET}\n",
        f"[basic\n{SECRET}",
        f"[basic]\nak = A B\nsk = {SECRET} {SECRET}\n",
        f"[basic]\nsk = {SECRET}\nsk = {SECRET}\n",
        "\x00\xff",
        "",
    ],
)
def test_invalid_credentials_file_is_not_quoted(
    doctor_harness: DoctorHarness, content: str
) -> None:
    """The finding names only the path."""
    del doctor_harness.environ["MODELARTS_AUTH_TOKEN"]
    path = Path(doctor_harness.environ["HOME"]) / "credentials"
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)
    doctor_harness.environ["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = str(path)
    assert str(path) in "".join(each.message for each in doctor_harness.report().findings)


def test_readable_credentials_file_is_a_problem(doctor_harness: DoctorHarness) -> None:
    """Commands use it all the same."""
    path = Path(doctor_harness.environ["HOME"]) / "credentials"
    path.write_text(f"[basic]\nak = ACCESSKEYID12345\nsk = {SECRET}\n")
    path.chmod(0o644)
    doctor_harness.environ["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = str(path)
    assert "chmod 600" in doctor_harness.problem("credentials").hint


def test_shadowed_credential_is_reported(doctor_harness: DoctorHarness) -> None:
    """It is no problem, but can explain others."""
    doctor_harness.environ.update(doctor_harness.api.emulator.environment(auth="keys"))
    words = [
        each.message for each in doctor_harness.report().findings if each.subject == "credentials"
    ]
    assert "token from MODELARTS_AUTH_TOKEN" in words
    assert [each for each in words if each.endswith("not used, an earlier source takes precedence")]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MODELARTS_AUTH_TOKEN", f"{SECRET}{SECRET}", "token"),
        ("MODELARTS_PROJECT_ID", "0" * 32, "project ID does not match"),
        ("MODELARTS_INSTANCE_ID", "0" * 32, "Instance not found"),
        ("MODELARTS_ENDPOINT", "http://127.0.0.1:9", "Cannot connect"),
    ],
)
def test_rejected_setting_is_a_connection_problem(
    doctor_harness: DoctorHarness, name: str, value: str, words: str
) -> None:
    """The message is that of the failed request."""
    doctor_harness.environ[name] = value
    doctor_harness.environ["MODELARTS_TOTAL_TIMEOUT"] = "2"
    assert words in doctor_harness.problem("connection").message


@pytest.mark.parametrize(
    "fault",
    ["401", "403", "404", "429", "500", "html", "redirect", "reset", "bad-json", "empty",
     "truncated", "no-content", "oversized"],
)  # fmt: skip
def test_failing_api_is_one_problem(doctor_harness: DoctorHarness, fault: str) -> None:
    """All other findings are reported."""
    doctor_harness.environ["MODELARTS_TOTAL_TIMEOUT"] = "0.5"
    doctor_harness.api.emulator.add_fault(fault)
    assert doctor_harness.problem("connection")
    assert doctor_harness.finding("state store").level is Level.OK


@pytest.mark.parametrize(("hours", "word"), [(1, "behind"), (-1, "ahead of")])
@pytest.mark.parametrize("auth", ["token", "keys"])
def test_wrong_clock_is_a_problem(
    doctor_harness: DoctorHarness, hours: int, word: str, auth: str
) -> None:
    """Size and direction are given; signed requests are accepted nevertheless."""
    del doctor_harness.environ["MODELARTS_AUTH_TOKEN"]
    doctor_harness.environ.update(doctor_harness.api.emulator.environment(auth=auth))
    local_time = START - timedelta(hours=hours)
    doctor_harness.clock = make_clock(lambda: local_time)
    found = doctor_harness.problem("clock")
    assert found.message == f"1 h {word} ModelArts"
    assert doctor_harness.finding("connection").level is Level.OK


@pytest.mark.parametrize(
    ("zone", "region", "problem"),
    [
        ("UTC", "cn-north-4", True),
        ("+00:00", "cn-east-3", True),
        ("Asia/Shanghai", "cn-north-4", False),
        ("UTC", "eu-west-101", False),
        ("UTC", "ap-southeast-1", False),
    ],
)
def test_utc_in_a_chinese_region_is_a_problem(
    doctor_harness: DoctorHarness, zone: str, region: str, problem: bool
) -> None:
    """Clock times would be off by eight hours."""
    doctor_harness.environ.update(MODELARTS_TIMEZONE=zone, MODELARTS_REGION=region)
    found = doctor_harness.finding("time zone")
    assert (found.level is Level.PROBLEM) is problem
    assert ("Asia/Shanghai" in found.hint) is problem


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (["disagreeing-remain"], "more than 60 s apart"),
        (["no-stop-timestamp", "no-remain-time"], "returned no stop time"),
    ],
)
def test_inconsistent_stop_time_is_a_problem(
    doctor_harness: DoctorHarness, faults: list[str], words: str
) -> None:
    """The message contains the reported values."""
    for fault in faults:
        doctor_harness.api.emulator.add_fault(fault)
    assert words in doctor_harness.problem("auto-stop").message


def test_passed_stop_time_is_a_problem(doctor_harness: DoctorHarness) -> None:
    """The instance is still running."""
    doctor_harness.api.emulator.set_instance(stops_on_time=False)
    doctor_harness.api.emulator.add_fault("no-remain-time")
    doctor_harness.api.emulator.advance(timedelta(hours=2))
    assert "2026-11-23 16:40 +08:00) has passed" in doctor_harness.problem("auto-stop").message


def test_passed_lease_names_its_stop_time(
    make_doctor_harness: Callable[..., DoctorHarness],
) -> None:
    """The stop time follows from start and duration of the lease."""
    doctor_harness = make_doctor_harness(api="notebooks")
    doctor_harness.api.emulator.set_instance(stops_on_time=False)
    doctor_harness.api.emulator.advance(timedelta(hours=2))
    assert "2026-11-23 16:40 +08:00) has passed" in doctor_harness.problem("auto-stop").message


def test_unreported_auto_stop_is_neither_on_nor_off() -> None:
    """The finding says that it is not reported."""
    (found,) = unknown_stop_time_findings(UNKNOWN_AUTO_STOP)
    assert found.message == "ModelArts did not report whether auto-stop is on."


def test_project_without_region_is_a_problem(doctor_harness: DoctorHarness) -> None:
    """Without a region the project cannot be looked up."""
    del doctor_harness.environ["MODELARTS_PROJECT_ID"]
    assert (
        "Project ID not set (MODELARTS_PROJECT_ID)" in doctor_harness.problem("project_id").message
    )
    del doctor_harness.environ["MODELARTS_AUTH_TOKEN"]
    subjects = [each.subject for each in doctor_harness.report().problems]
    assert subjects == ["project_id", "credentials"]


PLATFORM_SESSION = """
class Session:
    access_key, secret_key, security_token = "AK", "S3CR3T", "sts"
    project_id, region_name = "facade00facade00facade00facade00", "cn-north-4"
"""


@pytest.mark.process
def test_region_of_the_platform_is_no_problem_if_something_else_is(
    doctor_harness: DoctorHarness, tmp_path: Path
) -> None:
    """The region and the project come with the key, also where the instance cannot be read."""
    package = tmp_path / "platform" / "tools" / "sdk" / "modelarts"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "session.py").write_text(PLATFORM_SESSION)
    for name in ("ENDPOINT", "PROJECT_ID", "AUTH_TOKEN"):
        del doctor_harness.environ[f"MODELARTS_{name}"]
    doctor_harness.environ["MODELARTS_PLATFORM_DIR"] = str(tmp_path / "platform")
    doctor_harness.environ["MODELARTS_API"] = "wrong"
    assert [each.subject for each in doctor_harness.report().problems] == ["api"]
    assert "cn-north-4 (modelarts.session" in doctor_harness.finding("region").message


def test_hints_do_not_advise_running_the_doctor(doctor_harness: DoctorHarness) -> None:
    """Hints of other commands do; the rest of the hint remains."""
    doctor_harness.environ["MODELARTS_INSTANCE_ID"] = "6fa459ea-ee8a-3ca4-894e-db77e160355e"
    assert doctor_harness.problem("connection").hint.endswith(": %modelarts doctor")
    report = doctor_harness.report()
    assert not [line for line in report.lines() if line.endswith("doctor")]
    findings = report.to_json()["findings"]
    hints = [each["hint"] for each in findings if each["label"] == "connection"]
    assert hints == [doctor_harness.problem("connection").hint.replace(": %modelarts doctor", "")]


def test_labels_and_sources_are_translated(doctor_harness: DoctorHarness) -> None:
    """Names of settings are not."""
    doctor_harness.environ["MODELARTS_LANGUAGE"] = "zh_CN"
    settings = Settings.load(environ=doctor_harness.environ)
    report = run_checks(settings, environ=doctor_harness.environ, clock=doctor_harness.clock)
    labels = [each["label"] for each in report.to_json()["findings"]]
    plain = {each for each in labels if each.isascii()}
    assert plain <= {*SETTINGS, "Python"}
    assert text("doctor.setting", value="15", source="默认") in "".join(report.lines())
    assert {"凭证", "时钟", "服务器侧"} <= set(labels)


def test_short_report_has_the_problems_and_one_line(doctor_harness: DoctorHarness) -> None:
    """The line counts the other findings and says how to list them."""
    report = doctor_harness.report()
    assert report.lines(show_all=False) == [
        "No problems found",
        f"Other findings: {len(report.findings)}. To list them: %modelarts doctor --all",
    ]
    doctor_harness.environ["MODELARTS_AUTH_TOKEN"] = "wrong"
    report = doctor_harness.report()
    title, problem, hint, rest = report.lines(show_all=False)
    assert (title, problem[0]) == ("Problems found: 1", "✗")
    assert "login" in hint
    assert rest.startswith(f"Other findings: {len(report.findings) - 1}.")


@pytest.mark.parametrize("exposed", ["folder", "file", "run file"])
def test_state_that_others_may_write_is_named(
    doctor_harness: DoctorHarness, exposed: str, tmp_path: Path
) -> None:
    """Everything else works as without it."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    doctor_harness.environ["MODELARTS_STATE_DIR"] = str(folder)
    doctor_harness.report()
    (state,) = folder.glob("*.json")
    run_file = folder / RUN_FILE_NAME
    run_file.write_text("{}")
    path = {"folder": folder, "file": state, "run file": run_file}[exposed]
    path.chmod(0o777)
    found = doctor_harness.problem("state store")
    assert str(path) in found.message
    assert "chmod" in found.hint
    assert doctor_harness.finding("connection").level is Level.OK


def test_missing_state_folder_is_no_problem(doctor_harness: DoctorHarness) -> None:
    """It is created when needed, with its parents."""
    folder = Path(doctor_harness.environ["HOME"]) / "a" / "b" / "c"
    doctor_harness.environ["MODELARTS_STATE_DIR"] = str(folder)
    assert doctor_harness.finding("state store").level is Level.OK


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (None, "depends on this machine"),
        ("empty", "is not under ~/work"),
        ("link", "is under ~/work"),
    ],
)
def test_persistence_depends_on_the_work_folder(
    doctor_harness: DoctorHarness, work: str | None, words: str
) -> None:
    """Only `~/work` persists, also as a symbolic link."""
    place = Path(doctor_harness.environ["HOME"]) / "work"
    if work == "empty":
        place.mkdir()
    elif work == "link":
        place.symlink_to(Path(modelarts_magics.__file__).parents[1])
    found = doctor_harness.finding("persistence")
    assert words in found.message
    assert ("%modelarts setup" in found.hint) is (work == "empty")


def test_installed_packages_have_versions(doctor_harness: DoctorHarness) -> None:
    """The path of Python is reported, too."""
    assert "httpcore 1." in doctor_harness.finding("kernel packages").message
    assert "no Jupyter server" in doctor_harness.finding("server packages").message
    assert "/python" in doctor_harness.finding("python").message


def test_name_of_the_instance_stays_on_one_line(doctor_harness: DoctorHarness) -> None:
    """A line break in a name must not create a line of its own."""
    doctor_harness.api.emulator.set_instance(name=f"{HTML_INJECTION}\n✓ all is well")
    assert doctor_harness.finding("connection").level is Level.OK


def test_report_as_json() -> None:
    """It contains the same findings."""
    report = DoctorReport((Finding("a", Level.OK, "b"), Finding("c", Level.PROBLEM, "d", "e")))
    assert report.to_json() == {
        "problems": 1,
        "findings": [
            {"label": "a", "level": "ok", "message": "b", "hint": ""},
            {"label": "c", "level": "problem", "message": "d", "hint": "e"},
        ],
    }
