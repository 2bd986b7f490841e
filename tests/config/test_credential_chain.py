"""The order of credential sources, and that secrets are never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelarts_magics.config.credential_chain import CredentialChain
from modelarts_magics.config.credentials import AccessKey, FoundCredential, Token, mask
from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = {"MODELARTS_AUTH_TOKEN": "env-token-0123456789"}
KEYS = {"HUAWEICLOUD_SDK_AK": "ENVAK", "HUAWEICLOUD_SDK_SK": "env-secret"}


def home(folder: Path, text: str | bytes | None, *, mode: int = 0o600) -> dict[str, str]:
    """Return an environment whose home folder holds this credentials file, or none."""
    if text is not None:
        file = folder / ".huaweicloud" / "credentials"
        file.parent.mkdir()
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(mode)
    return {"HOME": str(folder)}


FILE = "[basic]\nak = FILEAK\nsk = file-secret\n"


@pytest.mark.parametrize(
    ("environ", "text", "credential", "source"),
    [
        ({**TOKEN, **KEYS}, FILE, Token("env-token-0123456789"), "MODELARTS_AUTH_TOKEN"),
        (KEYS, FILE, AccessKey("ENVAK", "env-secret"), "HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK"),
        ({}, FILE, AccessKey("FILEAK", "file-secret"), None),
        ({"MODELARTS_AUTH_TOKEN": "  "}, FILE, AccessKey("FILEAK", "file-secret"), None),
        (
            {**KEYS, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "sts"},
            None,
            AccessKey("ENVAK", "env-secret", "sts"),
            "HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK",
        ),
        (
            {**KEYS, "HUAWEICLOUD_SDK_SECURITY_TOKEN": " "},
            None,
            AccessKey("ENVAK", "env-secret"),
            "HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK",
        ),
        ({"MODELARTS_AUTH_TOKEN": " t0ken\n"}, None, Token("t0ken"), "MODELARTS_AUTH_TOKEN"),
    ],
)
def test_first_source_with_a_credential_is_used(
    tmp_path: Path,
    environ: dict[str, str],
    text: str | None,
    credential: object,
    source: str | None,
) -> None:
    """The order is token, access key in the environment, credentials file; empty values do not count."""
    found = CredentialChain({**environ, **home(tmp_path, text)}).find()
    assert found is not None
    assert found.credential == credential
    assert found.source == (source or str(tmp_path / ".huaweicloud" / "credentials"))


def test_refused_login_gives_way_to_other_sources(tmp_path: Path) -> None:
    """Without another source it stays, and its refusal is reported."""
    entered = FoundCredential(Token("entered"), "login")
    environ = home(tmp_path, None)
    chain = CredentialChain(environ, interactive=entered)
    assert not chain.renew(Token("entered"))
    assert chain.current() == Token("entered")
    environ.update(KEYS)
    chain.renew(Token("another"))
    assert chain.current() == Token("entered")
    assert chain.renew(Token("entered"))
    assert chain.current() == AccessKey("ENVAK", "env-secret")


def test_readable_file_is_warned_about_once(tmp_path: Path) -> None:
    """The warning is sent when the key is used."""
    received: list[str] = []
    chain = CredentialChain(home(tmp_path, FILE, mode=0o644))
    chain.current()
    chain.on_warning = lambda message: received.append(str(message))
    chain.current()
    chain.current()
    assert len(received) == 1
    assert "chmod 600" in received[0]


def test_find_returns_none_without_credentials(tmp_path: Path) -> None:
    """Missing credentials are not an error of the chain."""
    assert CredentialChain(home(tmp_path, None)).find() is None
    assert CredentialChain(home(tmp_path, "[other]\nak = A\nsk = S\n")).find() is None


def test_environment_is_read_at_every_call(tmp_path: Path) -> None:
    """A variable that is set later counts, and so does a rotated key."""
    environ = home(tmp_path, None)
    chain = CredentialChain(environ)
    assert chain.find() is None
    environ.update(KEYS)
    assert chain.find() == FoundCredential(
        AccessKey("ENVAK", "env-secret"), "HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK"
    )
    environ["HUAWEICLOUD_SDK_SK"] = "rotated"
    found = chain.find()
    assert found is not None
    assert found.credential == AccessKey("ENVAK", "rotated")


def test_credentials_file_is_read_without_interpolation(tmp_path: Path) -> None:
    """A percent sign is literal; security token and project ID belong to the key."""
    text = "[basic]\nak = A%K\nsk = 100%%s=#;K%(ak)s\nsecurity_token = a%b\nproject_id = p1\n"
    found = CredentialChain(home(tmp_path, text)).find()
    assert found is not None
    assert found.credential == AccessKey("A%K", "100%%s=#;K%(ak)s", "a%b")
    assert found.project_id == "p1"


def test_file_variable_replaces_default_file(tmp_path: Path) -> None:
    """The file in the home folder is then not read."""
    other = tmp_path / "other"
    other.write_text(FILE.replace("FILE", "OTHER"))
    other.chmod(0o600)
    environ = {**home(tmp_path, FILE), "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(other)}
    found = CredentialChain(environ).find()
    assert found is not None
    assert found.credential == AccessKey("OTHERAK", "file-secret")
    environ["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = str(tmp_path / "missing")
    assert CredentialChain(environ).find() is None


@pytest.mark.parametrize(
    ("environ", "text", "missing"),
    [
        ({"HUAWEICLOUD_SDK_AK": "A"}, None, "SK"),
        ({"HUAWEICLOUD_SDK_SK": "s3cret"}, None, "AK"),
        ({"HUAWEICLOUD_SDK_AK": "A", "HUAWEICLOUD_SDK_SK": " "}, FILE, "SK"),
        ({}, "[basic]\nak = A\n", "SK"),
        ({}, "[basic]\nsk = s3cret\n", "AK"),
    ],
)
def test_incomplete_key_is_an_error(
    tmp_path: Path, environ: dict[str, str], text: str | None, missing: str
) -> None:
    """The missing half is named, the present half is not shown."""
    with pytest.raises(ConfigurationError) as caught:
        CredentialChain({**environ, **home(tmp_path, text)}).find()
    assert caught.value.code == "credentials.incomplete"
    assert f"{missing} is missing in" in caught.value.message
    assert "s3cret" not in f"{caught.value} {caught.value.values}"


@pytest.mark.parametrize(
    "text",
    [
        b"ak = A\nsk = s3cret\n",
        b"[basic]\nak = A\nak = B\nsk = s3cret\n",
        b"[basic\nsk = s3cret\n",
        b"[basic]\ns3cret\n",
        b"\xff\xfe[basic]s3cret",
        b'{"sk": "s3cret"}',
    ],
)
def test_invalid_file_is_named_but_not_quoted(tmp_path: Path, text: bytes) -> None:
    """The error has the path, but neither content nor cause."""
    with pytest.raises(ConfigurationError) as caught:
        CredentialChain(home(tmp_path, text)).find()
    error = caught.value
    assert error.code == "credentials.file"
    assert str(tmp_path) in error.message
    assert "s3cret" not in f"{error} {error.values}"
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize(
    "secret", ["with space", "line\nbreak", "tab\there", "nul\x00", "geheimnüß", "\ud800", "\x7f"]
)
@pytest.mark.parametrize(
    "variables", [("MODELARTS_AUTH_TOKEN",), ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK")]
)
def test_value_invalid_in_a_header_is_refused(
    tmp_path: Path, variables: tuple[str, ...], secret: str
) -> None:
    """It could split the request; the source is named, the value is not."""
    environ = {**home(tmp_path, None), **dict.fromkeys(variables, secret)}
    with pytest.raises(ConfigurationError) as caught:
        CredentialChain(environ).find()
    assert caught.value.code == "credentials.characters"
    assert secret not in f"{caught.value} {caught.value.values}"


@pytest.mark.parametrize(
    ("mode", "warning"),
    [
        (0o600, ""),
        (0o400, ""),
        (0o640, "credentials.readable_by_others"),
        (0o604, "credentials.readable_by_others"),
        (0o644, "credentials.readable_by_others"),
    ],
)
def test_readable_file_has_a_warning(tmp_path: Path, mode: int, warning: str) -> None:
    """The key is used all the same."""
    found = CredentialChain(home(tmp_path, FILE, mode=mode)).find()
    assert found is not None
    assert found.warning == warning


SECRETS = ("ak-id-of-a-long-key", "s3cret-key-0123456789", "s3cret-sts-0123456789")


@pytest.mark.parametrize(
    "value",
    [
        Token(SECRETS[1]),
        AccessKey(*SECRETS[:2]),
        AccessKey(*SECRETS),
        FoundCredential(Token(SECRETS[1]), "MODELARTS_AUTH_TOKEN"),
        FoundCredential(AccessKey(*SECRETS), "file", "project"),
        [Token(SECRETS[1])],
        {"key": AccessKey(*SECRETS)},
    ],
)
def test_string_forms_of_credentials_are_masked(value: object) -> None:
    """repr, str and format are masked, also inside other values."""
    for shown in (repr(value), str(value), f"{value}", f"{value!s}", "%s %r" % (value, value)):  # noqa: UP031 - one of the ways
        assert "s3cret" not in shown
        assert SECRETS[0] not in shown
        assert "…" in shown


@pytest.mark.parametrize(
    ("credential", "secrets"),
    [
        (Token("t"), ("t",)),
        (AccessKey("a", "s"), ("s",)),
        (AccessKey("a", "s", "x"), ("s", "x")),
    ],
)
def test_secrets_lists_no_empty_text(
    credential: Token | AccessKey, secrets: tuple[str, ...]
) -> None:
    """An empty text would match everywhere."""
    assert credential.secrets == secrets


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "…"),
        ("short", "…"),
        ("123456789012", "…"),
        ("1234567890123", "1234…"),
        ("x" * 99, "xxxx…"),
    ],
)
def test_mask_shows_four_characters_of_a_long_value(value: str, shown: str) -> None:
    """A short value is hidden completely."""
    assert mask(value) == shown


def test_providers_are_named_in_order(tmp_path: Path) -> None:
    """The names for doctor contain no secret."""
    names = [
        link.name for link in CredentialChain({**TOKEN, **KEYS, **home(tmp_path, FILE)}).providers()
    ]
    places = [
        "MODELARTS_AUTH_TOKEN",
        "HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK",
        str(tmp_path / ".huaweicloud" / "credentials"),
    ]
    assert [name for name in names if name in places] == places
    assert "s3cret" not in str(names)


class TestExpiredCredential:
    """One that has expired is replaced by that of the next source, and a notice names both."""

    @pytest.fixture
    def notices(self) -> list[str]:
        """Return the notices of the chain."""
        return []

    def test_next_source_is_used_and_named(self, tmp_path: Path, notices: list[str]) -> None:
        """For reads and for changes, once."""
        environ = {**TOKEN, **KEYS, **home(tmp_path, FILE)}
        chain = CredentialChain(environ)
        assert chain.renew(Token("env-token-0123456789"), expired=True)
        chain.on_warning = lambda message: notices.append(str(message))
        for _ in range(2):
            assert chain.current() == AccessKey("ENVAK", "env-secret")
            assert chain.current_for_write() == AccessKey("ENVAK", "env-secret")
        (notice,) = notices
        assert "MODELARTS_AUTH_TOKEN" in notice
        assert "HUAWEICLOUD_SDK_AK" in notice
        assert chain.renew(AccessKey("ENVAK", "env-secret"), expired=True)
        assert chain.current() == AccessKey("FILEAK", "file-secret")
        assert len(notices) == 2

    def test_only_credential_is_kept(self, tmp_path: Path, notices: list[str]) -> None:
        """It is sent again: the API may have refused it by mistake."""
        chain = CredentialChain({**TOKEN, **home(tmp_path, None)})
        chain.on_warning = lambda message: notices.append(str(message))
        assert not chain.renew(Token("env-token-0123456789"), expired=True)
        assert chain.current() == Token("env-token-0123456789")
        assert notices == []

    def test_broken_next_source_is_not_used(self, tmp_path: Path) -> None:
        """The expired credential is the first problem."""
        environ = {**TOKEN, **home(tmp_path, b"[basic\nsk = s3cret\n")}
        chain = CredentialChain(environ)
        assert not chain.renew(Token("env-token-0123456789"), expired=True)
        assert chain.current() == Token("env-token-0123456789")

    def test_new_value_of_the_first_source_is_used(self, tmp_path: Path) -> None:
        """The token was replaced."""
        environ = {**TOKEN, **KEYS, **home(tmp_path, None)}
        chain = CredentialChain(environ)
        chain.renew(Token("env-token-0123456789"), expired=True)
        environ["MODELARTS_AUTH_TOKEN"] = "new-token"
        assert chain.current() == Token("new-token")

    def test_refused_credential_is_not_replaced(self, tmp_path: Path) -> None:
        """Only an expired one: a wrong one is to be corrected."""
        chain = CredentialChain({**TOKEN, **KEYS, **home(tmp_path, None)})
        assert not chain.renew(Token("env-token-0123456789"))
        assert chain.current() == Token("env-token-0123456789")

    @pytest.mark.parametrize("expired", [True, False])
    def test_change_is_not_made_instead_of_the_login(
        self, tmp_path: Path, notices: list[str], *, expired: bool
    ) -> None:
        """Reading goes on with the next source; a change needs consent."""
        entered = FoundCredential(Token("entered"), "login")
        chain = CredentialChain({**KEYS, **home(tmp_path, None)}, interactive=entered)
        chain.on_warning = lambda message: notices.append(str(message))
        assert chain.current_for_write() == Token("entered")
        assert chain.renew(Token("entered"), expired=expired)
        assert chain.current() == AccessKey("ENVAK", "env-secret")
        assert "login" in notices[0]
        with pytest.raises(ConfigurationError) as caught:
            chain.current_for_write()
        assert "HUAWEICLOUD_SDK_AK" in caught.value.message
        assert "login --clear" in caught.value.hint
