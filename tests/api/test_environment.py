"""The proxy and the certificates that the environment selects."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from emulator_harness import environment_variables

from modelarts_magics.api.environment import (
    CertificateError,
    certificate_variable,
    create_ssl_context,
    find_proxy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDPOINT = "https://modelarts.cn-north-4.myhuaweicloud.com"
PROXY = "http://user:s3cret@proxy.example:3128"
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
TLS_NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")


@pytest.fixture(autouse=True)
def _clean_environment() -> Iterator[None]:
    """Remove the variables of the machine for one test."""
    with environment_variables({}):
        for name in (*NAMES, *TLS_NAMES):
            os.environ.pop(name, None)
            os.environ.pop(name.lower(), None)
        yield


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_proxy_names_its_variable(variable: str) -> None:
    """An error can say which variable to change; the host has no password."""
    os.environ[variable] = PROXY
    found = find_proxy(ENDPOINT)
    assert found is not None
    assert (found.variable, found.host) == (variable, "proxy.example:3128")


@pytest.mark.parametrize(
    "excluded",
    [
        "*.myhuaweicloud.com",
        "a.example, *.myhuaweicloud.com",
        "*.cn-north-4.myhuaweicloud.com",
        ".myhuaweicloud.com",
        "myhuaweicloud.com",
        "modelarts.cn-north-4.myhuaweicloud.com",
        "*",
        "*.MYHUAWEICLOUD.com",
    ],
)
def test_no_proxy_excludes_the_host(excluded: str) -> None:
    """With and without an asterisk."""
    os.environ.update(HTTPS_PROXY=PROXY, NO_PROXY=excluded)
    assert find_proxy(ENDPOINT) is None


@pytest.mark.parametrize("other", ["*.example.com", "*.huaweicloud.com", "*.", "*.com.cn", ""])
def test_no_proxy_of_another_domain_changes_nothing(other: str) -> None:
    """Only whole parts of a host name match."""
    os.environ.update(HTTPS_PROXY=PROXY, NO_PROXY=other)
    assert find_proxy(ENDPOINT) is not None


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSLKEYLOGFILE"])
def test_unusable_file_names_its_variable(variable: str, tmp_path: Path) -> None:
    """Not only "No such file or directory"."""
    path = str(tmp_path / "nowhere" / "file")
    os.environ[variable] = path
    with pytest.raises(CertificateError) as caught:
        create_ssl_context()
    assert (caught.value.variable, caught.value.path) == (variable, path)


def test_file_without_certificates_names_its_variable(tmp_path: Path) -> None:
    """The file exists and is not a list of certificates."""
    (tmp_path / "ca.pem").write_text("no certificate")
    os.environ["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
    with pytest.raises(CertificateError) as caught:
        create_ssl_context()
    assert caught.value.variable == "SSL_CERT_FILE"


def test_folder_of_certificates_is_named(tmp_path: Path) -> None:
    """A folder without the right certificate fails only when a server is asked."""
    os.environ["SSL_CERT_DIR"] = str(tmp_path)
    create_ssl_context()
    assert certificate_variable() == ("SSL_CERT_DIR", str(tmp_path))
