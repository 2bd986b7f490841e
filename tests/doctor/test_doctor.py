"""The doctor names each problem and what to do about it; it never raises and never shows a secret."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from emulator_harness import HTML_INJECTION, START, EmulatorHarness, english_messages

import modelarts_magics
from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor import (
    DoctorReport,
    Finding,
    Level,
    run_checks,
    unknown_stop_time_findings,
)
from modelarts_magics.doctor.findings import display_width, pad_label
from modelarts_magics.domain.clock import Clock
from modelarts_magics.domain.models import UNKNOWN_AUTO_STOP
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "S3CR3T"
"""Part of every secret here; nothing that is shown may hold it."""


class DoctorHarness:
    """What the doctor looks at: an emulator, and an environment to spoil.

    Attributes:
        stage: The emulator.
        environ: The environment; nothing else is looked at.
        clock: This machine's clock.
    """

    def __init__(self, folder: Path, **options: object) -> None:
        self.stage = EmulatorHarness(folder, **options)
        folder.mkdir(exist_ok=True)
        self.environ = dict(self.stage.environ)
        self.clock = Clock(now=self.stage.clock.now, sleep=lambda _seconds: None)

    def report(self) -> DoctorReport:
        """Let the doctor look, and hold the report to what all reports promise."""
        settings = Settings.load(environ=self.environ)
        report = run_checks(settings, environ=self.environ, clock=self.clock)
        shown = "\n".join(report.lines()) + json.dumps(report.to_json(), ensure_ascii=False)
        assert MARK not in shown
        assert self.stage.emulator.auth_token not in shown
        assert self.stage.emulator.sk not in shown
        assert all(each.hint for each in report.problems)
        assert "\n" not in "".join(each.message + each.hint for each in report.findings)
        assert report.to_json()["problems"] == len(report.problems)
        return report

    def problem(self, about: str) -> Finding:
        """Return the one problem of that name."""
        report = self.report()
        (found,) = (each for each in report.problems if each.subject == about)
        assert f"✗ {found.label}" in "\n".join(report.lines())
        assert report.lines()[0] == f"Problems found: {len(report.problems)}"
        return found

    def finding(self, about: str) -> Finding:
        """Return the one finding of that name."""
        (found,) = (each for each in self.report().findings if each.subject == about)
        return found


@pytest.fixture
def make_patient(tmp_path: Path) -> Iterator[Callable[..., DoctorHarness]]:
    """Make patients with options, and close them afterwards."""
    made: list[DoctorHarness] = []

    def make(**options: object) -> DoctorHarness:
        made.append(DoctorHarness(tmp_path / str(len(made)), **options))
        return made[-1]

    with english_messages():
        yield make
    for patient in made:
        patient.stage.close()


@pytest.fixture
def patient(make_patient: Callable[..., DoctorHarness]) -> DoctorHarness:
    """Return a patient that is well."""
    return make_patient()


@pytest.mark.parametrize("auth", ["token", "keys", "temporary"])
def test_who_is_well_has_nothing_to_mend(patient: DoctorHarness, auth: str) -> None:
    """Each setting stands with its source, the credential masked, one request is made."""
    del patient.environ["MODELARTS_AUTH_TOKEN"]
    patient.environ.update(patient.stage.emulator.environment(auth=auth))
    report = patient.report()
    assert report.problems == ()
    assert report.lines()[0] == "No problems found"
    assert patient.finding("endpoint").message.endswith(" (MODELARTS_ENDPOINT)")
    assert patient.finding("read_timeout").message == "15 (default)"
    assert patient.finding("connection").message.startswith(
        "“demo-notebook”: RUNNING; demanager responded in"
    )
    assert patient.finding("time zone").message == "Asia/Shanghai, now 2026-11-23 16:00 +08:00"
    kind = {"token": "token from", "keys": "access key", "temporary": "temporary access key"}[auth]
    assert [
        each for each in report.findings if each.subject == "credentials" and kind in each.message
    ]
    patient.stage.emulator.clear_requests()
    patient.report()
    assert [one["method"] for one in patient.stage.emulator.requests] == ["GET"]


def test_without_anything_everything_is_named(patient: DoctorHarness) -> None:
    """And nothing is asked."""
    home = patient.environ["HOME"]
    patient.environ = {"HOME": home}
    about = [each.subject for each in patient.report().problems]
    assert about == ["endpoint", "instance_id", "credentials"]
    assert patient.finding("project_id").message == "not set; will be looked up by region"
    assert patient.finding("connection").message.startswith("not checked")
    assert patient.stage.emulator.requests == []


@pytest.mark.parametrize(
    ("name", "value", "about"),
    [
        ("MODELARTS_ENDPOINT", "nonsense", "endpoint"),
        ("MODELARTS_ENDPOINT", "http://example.com", "endpoint"),
        ("MODELARTS_ENDPOINT", f"https://user:{MARK}@example.com", "endpoint"),
        ("MODELARTS_ENDPOINT", f"https://example.com/?token={MARK}", "endpoint"),
        ("MODELARTS_PROJECT_ID", f"../{MARK}", "project_id"),
        ("MODELARTS_INSTANCE_ID", f"a b {MARK}", "instance_id"),
        ("MODELARTS_API", "soap", "api"),
        ("MODELARTS_TIMEZONE", "Nowhere/Else", "timezone"),
        ("MODELARTS_CONNECT_TIMEOUT", "soon", "connect_timeout"),
        ("MODELARTS_READ_TIMEOUT", "-1", "read_timeout"),
        ("MODELARTS_TOTAL_TIMEOUT", "nan", "total_timeout"),
        ("MODELARTS_AUTH_TOKEN", f"{MARK} with a space", "credentials"),
        ("MODELARTS_STATE_DIR", __file__, "state store"),
        ("MODELARTS_STATE_DIR", f"{__file__}/folder", "state store"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_problem_of_that_name(
    patient: DoctorHarness, name: str, value: str, about: str
) -> None:
    """With the same hint that a command would give."""
    patient.environ[name] = value
    assert patient.problem(about)


def test_every_setting_has_a_line_when_it_is_set(patient: DoctorHarness) -> None:
    """None is forgotten."""
    for name in SETTINGS:
        patient.environ.setdefault(f"MODELARTS_{name.upper()}", "1")
    patient.environ["MODELARTS_REGION"] = "cn-north-4"
    assert {each.subject for each in patient.report().findings} >= set(SETTINGS)


def test_a_credential_that_cannot_be_used_hides_the_later_ones(patient: DoctorHarness) -> None:
    """A command stops there, too; so neither “none was found” nor “used” would be true."""
    patient.environ.update(patient.stage.emulator.environment(auth="keys"))
    patient.environ["MODELARTS_AUTH_TOKEN"] = "not\tone"
    assert "contains invalid characters" in patient.problem("credentials").message
    found = [each for each in patient.report().findings if "access key" in each.message]
    assert [each.level for each in found] == [Level.INFO]


def test_half_a_key_is_named(patient: DoctorHarness) -> None:
    """And the half that is there is not shown."""
    del patient.environ["MODELARTS_AUTH_TOKEN"]
    patient.environ["HUAWEICLOUD_SDK_SK"] = f"{MARK}{MARK}"
    assert "AK is missing in" in "".join(each.message for each in patient.report().problems)


@pytest.mark.parametrize(
    "content",
    [
        f"[basic]\nak = ACCESS\nsk = {MARK}\n",
        f"[basic]\nak = ACCESS\nsk = {MARK}%(x)s\nsecurity_token = {MARK}\n",
        f"[basic]\nsk = {MARK}\n",
        f"sk = {MARK}\n",
        f"[basic\n{MARK}",
        f"[basic]\nak = A B\nsk = {MARK} {MARK}\n",
        f"[basic]\nsk = {MARK}\nsk = {MARK}\n",
        "\x00\xff",
        "",
    ],
)
def test_nothing_of_a_credentials_file_is_shown(patient: DoctorHarness, content: str) -> None:
    """Whatever is wrong with it."""
    del patient.environ["MODELARTS_AUTH_TOKEN"]
    path = Path(patient.environ["HOME"]) / "credentials"
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)
    patient.environ["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = str(path)
    assert str(path) in "".join(each.message for each in patient.report().findings)


def test_a_credentials_file_that_others_can_read_is_a_problem(patient: DoctorHarness) -> None:
    """Though it is used."""
    path = Path(patient.environ["HOME"]) / "credentials"
    path.write_text(f"[basic]\nak = ACCESSKEYID12345\nsk = {MARK}\n")
    path.chmod(0o644)
    patient.environ["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = str(path)
    assert "chmod 600" in patient.problem("credentials").hint


def test_a_credential_that_an_earlier_one_hides_is_told(patient: DoctorHarness) -> None:
    """It is no problem, but it explains many."""
    patient.environ.update(patient.stage.emulator.environment(auth="keys"))
    words = [each.message for each in patient.report().findings if each.subject == "credentials"]
    assert "token from MODELARTS_AUTH_TOKEN" in words
    assert [each for each in words if each.endswith("not used, an earlier source takes precedence")]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MODELARTS_AUTH_TOKEN", f"{MARK}{MARK}", "token"),
        ("MODELARTS_PROJECT_ID", "0" * 32, "project ID does not match"),
        ("MODELARTS_INSTANCE_ID", "0" * 32, "Instance not found"),
        ("MODELARTS_ENDPOINT", "http://127.0.0.1:9", "Cannot connect"),
    ],
)
def test_what_the_cloud_does_not_accept(
    patient: DoctorHarness, name: str, value: str, words: str
) -> None:
    """Its own words for it, and what to check."""
    patient.environ[name] = value
    patient.environ["MODELARTS_TOTAL_TIMEOUT"] = "2"
    assert words in patient.problem("connection").message


@pytest.mark.parametrize(
    "fault",
    ["401", "403", "404", "429", "500", "html", "redirect", "reset", "bad-json", "empty",
     "truncated", "wrong-types", "no-content", "oversized"],
)  # fmt: skip
def test_a_failing_cloud_is_one_problem(patient: DoctorHarness, fault: str) -> None:
    """And the rest of the report is there all the same."""
    patient.environ["MODELARTS_TOTAL_TIMEOUT"] = "0.5"
    patient.stage.emulator.add_fault(fault)
    assert patient.problem("connection")
    assert patient.finding("state store").level is Level.OK


@pytest.mark.parametrize(("hours", "word"), [(1, "behind"), (-1, "ahead of")])
@pytest.mark.parametrize("auth", ["token", "keys"])
def test_a_clock_that_is_off_is_a_problem(
    patient: DoctorHarness, hours: int, word: str, auth: str
) -> None:
    """By how much, in which direction; a signature is accepted in spite of it."""
    del patient.environ["MODELARTS_AUTH_TOKEN"]
    patient.environ.update(patient.stage.emulator.environment(auth=auth))
    here = START - timedelta(hours=hours)
    patient.clock = Clock(now=lambda: here, sleep=lambda _seconds: None)
    found = patient.problem("clock")
    assert found.message == f"1 h {word} ModelArts"
    assert patient.finding("connection").level is Level.OK


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
    patient: DoctorHarness, zone: str, region: str, problem: bool
) -> None:
    """A clock time would be eight hours off."""
    patient.environ.update(MODELARTS_TIMEZONE=zone, MODELARTS_REGION=region)
    found = patient.finding("time zone")
    assert (found.level is Level.PROBLEM) is problem
    assert ("Asia/Shanghai" in found.hint) is problem


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (["disagreeing-remain"], "more than 60 s apart"),
        (["no-stop-timestamp", "no-remain-time"], "returned no stop time"),
    ],
)
def test_an_end_that_cannot_be_believed_is_a_problem(
    patient: DoctorHarness, faults: list[str], words: str
) -> None:
    """With both of the cloud's statements of it."""
    for fault in faults:
        patient.stage.emulator.add_fault(fault)
    assert words in patient.problem("auto-stop").message


def test_an_end_that_has_passed_is_a_problem(patient: DoctorHarness) -> None:
    """The instance runs all the same."""
    patient.stage.emulator.set_instance(stops_on_time=False)
    patient.stage.emulator.add_fault("no-remain-time")
    patient.stage.emulator.advance(timedelta(hours=2))
    assert "2026-11-23 16:40 +08:00) has passed" in patient.problem("auto-stop").message


def test_a_lease_that_has_passed_names_its_end(make_patient: Callable[..., DoctorHarness]) -> None:
    """It has no stop timestamp, but a start and a duration."""
    patient = make_patient(api="notebooks")
    patient.stage.emulator.set_instance(stops_on_time=False)
    patient.stage.emulator.advance(timedelta(hours=2))
    assert "2026-11-23 16:40 +08:00) has passed" in patient.problem("auto-stop").message


def test_an_auto_stop_that_is_not_stated_is_not_called_on() -> None:
    """Neither is it called off."""
    (found,) = unknown_stop_time_findings(UNKNOWN_AUTO_STOP)
    assert found.message == "ModelArts did not report whether auto-stop is on."


def test_a_project_that_nothing_would_find_is_a_problem(patient: DoctorHarness) -> None:
    """Without a region it cannot be looked up."""
    del patient.environ["MODELARTS_PROJECT_ID"]
    assert "Project ID not set (MODELARTS_PROJECT_ID)" in patient.problem("project_id").message
    del patient.environ["MODELARTS_AUTH_TOKEN"]
    about = [each.subject for each in patient.report().problems]
    assert about == ["project_id", "credentials"]


def test_the_doctor_does_not_send_to_the_doctor(patient: DoctorHarness) -> None:
    """Whose hints do elsewhere; what there is to check stays."""
    patient.environ["MODELARTS_AUTH_TOKEN"] = "wrong"
    assert patient.problem("connection").hint.endswith(": %modelarts doctor")
    report = patient.report()
    assert not [line for line in report.lines() if line.endswith("doctor")]
    findings = report.to_json()["findings"]
    hints = [each["hint"] for each in findings if each["label"] == "connection"]
    assert hints == [patient.problem("connection").hint.replace(": %modelarts doctor", "")]


def test_labels_and_sources_are_in_the_readers_language(patient: DoctorHarness) -> None:
    """Settings keep their names."""
    patient.environ["MODELARTS_LANGUAGE"] = "zh_CN"
    settings = Settings.load(environ=patient.environ)
    report = run_checks(settings, environ=patient.environ, clock=patient.clock)
    labels = [each["label"] for each in report.to_json()["findings"]]
    plain = {each for each in labels if each.isascii()}
    assert plain <= {*SETTINGS, "Python"}
    assert text("doctor.setting", value="15", source="默认") in "".join(report.lines())
    assert {"凭证", "时钟", "服务器侧"} <= set(labels)


def test_labels_stand_in_a_column() -> None:
    """A Chinese character takes two places."""
    assert display_width("凭证 a") == 6
    assert (pad_label("凭证", 6), pad_label("abc", 4)) == ("凭证  ", "abc ")


def test_a_state_folder_that_is_not_there_yet_is_no_problem(patient: DoctorHarness) -> None:
    """It is made when it is needed, with all that is above it."""
    folder = Path(patient.environ["HOME"]) / "a" / "b" / "c"
    patient.environ["MODELARTS_STATE_DIR"] = str(folder)
    assert patient.finding("state store").level is Level.OK


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (None, "depends on this machine"),
        ("empty", "is not under ~/work"),
        ("link", "is under ~/work"),
    ],
)
def test_whether_the_installation_survives_a_stop(
    patient: DoctorHarness, work: str | None, words: str
) -> None:
    """Only `~/work` does, wherever it leads."""
    place = Path(patient.environ["HOME"]) / "work"
    if work == "empty":
        place.mkdir()
    elif work == "link":
        place.symlink_to(Path(modelarts_magics.__file__).parents[1])
    found = patient.finding("persistence")
    assert words in found.message
    assert ("%pip install" in found.hint) is (work == "empty")


def test_what_is_installed_is_told(patient: DoctorHarness) -> None:
    """With versions, and which Python it is."""
    assert "httpx 0." in patient.finding("kernel packages").message
    assert "jupyter_server" in patient.finding("server packages").message
    assert "/python" in patient.finding("python").message


def test_the_clouds_words_stay_one_line(patient: DoctorHarness) -> None:
    """A name with a line break cannot pose as a finding."""
    patient.stage.emulator.set_instance(name=f"{HTML_INJECTION}\n✓ all is well")
    assert patient.finding("connection").level is Level.OK


def test_a_report_as_json() -> None:
    """The same findings, by name."""
    report = DoctorReport((Finding("a", Level.OK, "b"), Finding("c", Level.PROBLEM, "d", "e")))
    assert report.to_json() == {
        "problems": 1,
        "findings": [
            {"label": "a", "level": "ok", "message": "b", "hint": ""},
            {"label": "c", "level": "problem", "message": "d", "hint": "e"},
        ],
    }
