"""Which version of the daemon takes over from which."""

from __future__ import annotations

import pytest

from modelarts_magics.keepalive.launch import is_older

ASCENDING = [
    *("0.1.0.dev3", "0.1.0a1", "0.1.0b2", "0.1.0rc1", "0.1.0", "0.1.0.post1", "0.1.1", "0.2"),
    *("0.10.0", "1.2.0rc1", "1.2.0", "1.2.1.dev1+gabc.d2026"),
]


@pytest.mark.parametrize(("older", "newer"), list(zip(ASCENDING, ASCENDING[1:])))
def test_version_is_older(older: str, newer: str) -> None:
    """Releases are compared by number, and a pre-release comes before its release."""
    assert is_older(older, newer)
    assert not is_older(newer, older)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0.0"), ("1.2.0", "1.2.0+local"), ("0", "")])
def test_equal_versions_do_not_replace_each_other(one: str, other: str) -> None:
    """Two processes of one version must not take turns."""
    assert not is_older(one, other)
    assert not is_older(other, one)
