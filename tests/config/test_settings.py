"""The settings, their sources and their validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.config.settings import Settings, is_loopback
from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

REGION = "https://modelarts.cn-north-4.myhuaweicloud.com"


def settings(**arguments: object) -> Settings:
    """Return settings from arguments only."""
    return Settings.load(arguments, environ={})


def refusal(name: str, value: object) -> ConfigurationError:
    """Return the error for a value; its message and hint are one line each."""
    with pytest.raises(ConfigurationError) as caught:
        getattr(settings(**{name: value}), name)
    assert len(caught.value.message.splitlines()) == 1
    assert len(caught.value.hint.splitlines()) == 1
    return caught.value


@pytest.mark.parametrize("name", SETTINGS)
def test_more_explicit_source_wins(name: str) -> None:
    """Arguments come before %config, the environment and the default, for every setting."""
    variable = SETTINGS[name].variable
    environ = {variable: "from-environment"}
    sources = [
        ({name: "from-argument"}, {name: "from-config"}, environ, "from-argument", "argument"),
        ({}, {name: "from-config"}, environ, "from-config", "%config"),
        ({}, {}, environ, "from-environment", variable),
        (
            {},
            {},
            {},
            SETTINGS[name].default,
            "default" if SETTINGS[name].default else "",
        ),
    ]
    for arguments, traits, variables, value, source in sources:
        gathered = Settings.load(arguments, traits=traits, environ=variables)
        assert (gathered.get(name), gathered.source(name)) == (value, source)


@pytest.mark.parametrize("endpoint_rank", range(4))
@pytest.mark.parametrize("region_rank", range(4))
def test_region_and_endpoint_follow_their_precedence(
    region_rank: int, endpoint_rank: int, tmp_path: Path
) -> None:
    """The one from the higher source counts; from the same source, the endpoint."""
    sources: list[dict[str, str]] = [{}, {}, {}, {}]
    sources[region_rank]["region"] = "cn-north-4"
    sources[endpoint_rank]["endpoint"] = "https://private.example"
    file, variables, traits, arguments = sources
    lines = [f"{name} = {value}" for name, value in file.items()]
    (tmp_path / ".modelarts-magics.ini").write_text("\n".join(["[modelarts]", *lines]))
    environ = {f"MODELARTS_{name.upper()}": value for name, value in variables.items()}
    environ["HOME"] = str(tmp_path)
    found = Settings.load(arguments, traits=traits, environ=environ).endpoint
    assert found == (REGION if region_rank > endpoint_rank else "https://private.example")


@pytest.mark.parametrize(
    ("endpoint", "value", "verify"),
    [
        ("https://127.0.0.1:8443", "", True),
        ("https://127.0.0.1:8443", "on", True),
        ("https://127.0.0.1:8443", "OFF", False),
        ("https://localhost:8443", "off", False),
        ("https://private.example", "on", True),
    ],
)
def test_certificates_are_verified_unless_turned_off(
    endpoint: str, value: str, *, verify: bool
) -> None:
    """Also on the loopback interface."""
    assert settings(endpoint=endpoint, verify_tls=value).verify_tls is verify


@pytest.mark.parametrize(
    ("endpoint", "value"), [("https://private.example", "off"), ("https://127.0.0.1", "no")]
)
def test_invalid_verification_is_refused(endpoint: str, value: str) -> None:
    """It cannot be off for another machine, and has two values."""
    with pytest.raises(ConfigurationError) as caught:
        _ = settings(endpoint=endpoint, verify_tls=value).verify_tls
    assert caught.value.hint


@pytest.mark.parametrize("empty", [None, "", "   ", "\n"])
def test_empty_value_counts_as_not_set(empty: str | None) -> None:
    """The next source is used."""
    gathered = Settings.load(
        {"region": empty}, traits={"region": empty}, environ={"MODELARTS_REGION": "cn-north-4"}
    )
    assert gathered.get("region") == "cn-north-4"
    gathered = Settings.load({"api": empty}, environ={"MODELARTS_API": empty or ""})
    assert gathered.source("api") == "default"


def test_first_variable_of_a_setting_wins() -> None:
    """The project variable of the vendor counts only if that of this package is not set."""
    both = {"MODELARTS_PROJECT_ID": "ours", "HUAWEICLOUD_SDK_PROJECT_ID": "vendors"}
    gathered = Settings.load(environ=both)
    assert (gathered.project_id, gathered.source("project_id")) == ("ours", "MODELARTS_PROJECT_ID")
    gathered = Settings.load(environ={**both, "MODELARTS_PROJECT_ID": " "})
    assert (gathered.project_id, gathered.source("project_id")) == (
        "vendors",
        "HUAWEICLOUD_SDK_PROJECT_ID",
    )


def test_unknown_argument_is_refused() -> None:
    """The error lists the settings."""
    with pytest.raises(ConfigurationError) as caught:
        settings(endpint="https://x")
    assert caught.value.code == "config.unknown"
    assert "“endpint”" in caught.value.message
    assert all(name in caught.value.hint for name in SETTINGS)


def test_value_is_converted_to_stripped_text() -> None:
    """Traits and arguments may be numbers; surrounding spaces do not count."""
    assert settings(read_timeout=2.5).timeout_s("read_timeout") == 2.5
    assert settings(region=" CN-North-4 ").endpoint == REGION


def test_settings_contain_no_secrets() -> None:
    """No setting takes a token or a key from any source."""
    secret = {"MODELARTS_AUTH_TOKEN": "s3cret-token", "HUAWEICLOUD_SDK_SK": "s3cret-key"}
    assert "s3cret" not in repr(Settings.load(environ=secret))


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        (REGION, REGION),
        (f"{REGION}/", REGION),
        (f"{REGION}///", REGION),
        ("https://host:8443", "https://host:8443"),
        ("HTTPS://Host", "https://Host"),
        ("https://10.0.0.1", "https://10.0.0.1"),
        ("https://[fd00::1]:8443", "https://[fd00::1]:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://LOCALHOST", "http://LOCALHOST"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_endpoint_is_scheme_host_and_port(written: str, endpoint: str) -> None:
    """Plain http is accepted for the loopback interface only."""
    assert settings(endpoint=written).endpoint == endpoint


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("modelarts.cn-north-4.myhuaweicloud.com", "config.endpoint"),
        ("https://", "config.endpoint"),
        ("https:///v1", "config.endpoint"),
        ("https:host", "config.endpoint"),
        ("ftp://host", "config.endpoint"),
        ("file:///etc/passwd", "config.endpoint"),
        ("//host", "config.endpoint"),
        ("https://[::1", "config.endpoint"),
        ("https://[nonsense]", "config.endpoint"),
        ("https://host:port", "config.endpoint"),
        ("https://host:99999", "config.endpoint"),
        ("https://host:", "config.endpoint"),
        ("https://ho st", "config.endpoint"),
        ("https://ho\x00st", "config.endpoint"),
        ("https://ho\nst", "config.endpoint"),
        ("https://ho\\st", "config.endpoint"),
        ("https://ho%73t", "config.endpoint"),
        ("https://\ud800", "config.endpoint"),
        ("https://host/v1", "config.endpoint_extra"),
        ("https://host?x=1", "config.endpoint_extra"),
        ("https://host?", "config.endpoint_extra"),
        ("https://host#", "config.endpoint_extra"),
        ("https://host/#x", "config.endpoint_extra"),
        ("https://user:s3cret@host", "config.endpoint_extra"),
        ("https://s3cret@host", "config.endpoint_extra"),
        ("https://:@host", "config.endpoint_extra"),
        ("https://@host", "config.endpoint_extra"),
        ("http://127.0.0.1@evil.example", "config.endpoint_extra"),
        ("http://host", "config.endpoint_plain"),
        ("http://127.0.0.1.evil.example", "config.endpoint_plain"),
        ("http://localhost.evil.example", "config.endpoint_plain"),
        ("http://0.0.0.0:80", "config.endpoint_plain"),
        ("http://10.0.0.1", "config.endpoint_plain"),
        ("http://[fd00::1]", "config.endpoint_plain"),
    ],
)
def test_invalid_endpoint_is_refused(written: str, code: str) -> None:
    """User, path, query, plain http and invalid hosts are refused."""
    assert refusal("endpoint", written).code == code


@pytest.mark.parametrize(
    "written",
    [
        "https://user:s3cret@host",
        "http://user:s3cret@host",
        "ftp://user:s3cret@host",
        "user:s3cret@host",
        "https//user:s3cret@host",
        "https://user:s3cret@ho st",
        "ftp://user:pa?s3cret@host",
        "ftp://user:pa@s3cret@host",
        "ftp://host?token=s3cret",
        "ftp://us\ner:s3cret@host",
    ],
)
def test_password_in_endpoint_is_not_shown(written: str) -> None:
    """The error names the setting, not the password."""
    error = refusal("endpoint", written)
    assert "s3cret" not in f"{error} {error.values}"


@given(
    st.text(max_size=20)
    | st.text(alphabet="htps:/@.[]1a?#%\\ ", max_size=20).map(lambda text: f"https://{text}")
)
def test_endpoint_never_crashes(written: str) -> None:
    """Any text is a valid endpoint or a ConfigurationError."""
    try:
        endpoint = settings(endpoint=written).endpoint
    except ConfigurationError:
        return
    scheme, _, netloc = endpoint.partition("://")
    assert scheme in ("http", "https")
    assert netloc
    assert not set("/?#@ \\") & set(netloc)
    assert scheme == "https" or is_loopback(endpoint)


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        ("cn-north-4", REGION),
        ("CN-NORTH-4", REGION),
        ("ap-southeast-1", "https://modelarts.ap-southeast-1.myhuaweicloud.cn"),
        ("eu-west-101", "https://modelarts.eu-west-101.myhuaweicloud.com"),
    ],
)
def test_region_determines_the_endpoint(region: str, endpoint: str) -> None:
    """An endpoint that is set comes first."""
    assert settings(region=region).endpoint == endpoint
    assert settings(region=region, endpoint="https://own").endpoint == "https://own"


@pytest.mark.parametrize(
    "region",
    ["cn north 4", "cn_north", "evil.example/", "-cn", "cn-", "a@b", "北京", "cn-north-4\x00"],
)
def test_invalid_region_is_refused(region: str) -> None:
    """A region has letters, digits and hyphens."""
    with pytest.raises(ConfigurationError) as caught:
        _ = settings(region=region).endpoint
    assert caught.value.code == "config.region"


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"region": "cn-north-4"}, "https://console.huaweicloud.com/modelarts/?region=cn-north-4"),
        (
            {"endpoint": "https://modelarts.ap-southeast-1.myhuaweicloud.cn"},
            "https://console.huaweicloud.com/modelarts/?region=ap-southeast-1",
        ),
        ({"endpoint": "http://127.0.0.1:8080"}, ""),
        ({"endpoint": "https://modelarts.example.org"}, ""),
    ],
)
def test_console_address_needs_the_endpoint_of_a_region(values: dict[str, str], url: str) -> None:
    """A proxy or an emulator says nothing about the region."""
    assert settings(**values).console_url == url


def test_missing_endpoint_names_both_settings() -> None:
    """Endpoint and region are named."""
    with pytest.raises(ConfigurationError) as caught:
        _ = settings().endpoint
    assert caught.value.code == "config.missing_endpoint"
    assert "MODELARTS_ENDPOINT" in caught.value.message
    assert "MODELARTS_REGION" in caught.value.hint


@pytest.mark.parametrize("name", ["project_id", "instance_id"])
def test_missing_id_names_its_variable(name: str) -> None:
    """The variable to set is named."""
    with pytest.raises(ConfigurationError) as caught:
        getattr(settings(), name)
    assert caught.value.code == f"config.missing_{name}"
    assert f"MODELARTS_{name.upper()}" in str(caught.value)


@pytest.mark.parametrize("name", ["project_id", "instance_id"])
@pytest.mark.parametrize(
    "value", ["a/b", "..", "a b", "a?b", "a#b", "a%2Fb", "a\nb", "中", "a" * 129, "a\x00", "{id}"]
)
def test_invalid_id_is_refused_and_not_shown(name: str, value: str) -> None:
    """It may be a secret in the wrong place."""
    error = refusal(name, value)
    assert error.code == "config.id"
    assert error.values == {"name": name, "source": "argument"}


@pytest.mark.parametrize(
    "value",
    [
        "0123456789abcdef0123456789abcdef",
        "6fa459ea-ee8a-3ca4-894e-db77e160355e",
        "DE-1_x",
        "a" * 128,
    ],
)
def test_ids_of_both_apis_are_accepted(value: str) -> None:
    """With or without hyphens and prefix."""
    assert settings(instance_id=value).instance_id == value


@pytest.mark.parametrize("value", ["auto", "demanager", "notebooks", "NoteBooks"])
def test_api_is_one_of_three_words(value: str) -> None:
    """The case does not matter; auto is the default."""
    assert settings(api=value).api == value.lower()
    assert settings().api == "auto"


@pytest.mark.parametrize("value", ["v2", "demanger", "auto,notebooks"])
def test_unknown_api_is_refused_with_choices(value: str) -> None:
    """The error lists the three words."""
    assert refusal("api", value).hint == "Choose one of: auto, demanager, notebooks"


def test_timezone_is_a_setting() -> None:
    """An unknown zone is a ConfigurationError."""
    assert str(settings(timezone="Asia/Shanghai").timezone) == "Asia/Shanghai"
    with pytest.raises(ConfigurationError) as caught:
        _ = settings(timezone="+25:00").timezone
    assert caught.value.code == "config.timezone"


@pytest.mark.parametrize("name", ["connect_timeout", "read_timeout", "total_timeout"])
@pytest.mark.parametrize(
    ("value", "seconds"), [("15", 15.0), ("0.5", 0.5), ("600", 600.0), (7, 7.0), (" 3 ", 3.0)]
)
def test_timeout_is_a_number_of_seconds(name: str, value: object, seconds: float) -> None:
    """At most ten minutes."""
    assert settings(**{name: value}).timeout_s(name) == seconds


@pytest.mark.parametrize("value", ["0", "-1", "601", "nan", "inf", "-inf", "15s", "1,5", "\uff11s"])
def test_invalid_timeout_is_refused(value: str) -> None:
    """The setting and its value are named."""
    with pytest.raises(ConfigurationError) as caught:
        settings(read_timeout=value).timeout_s("read_timeout")
    assert caught.value.values == {"name": "read_timeout", "value": value}


def test_defaults_are_valid() -> None:
    """Without any setting, those with a default can be used."""
    plain = settings()
    assert [plain.timeout_s(f"{name}_timeout") for name in ("connect", "read", "total")] == [
        5,
        15,
        30,
    ]
    assert plain.timezone is not None
