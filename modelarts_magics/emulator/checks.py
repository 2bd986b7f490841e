"""Reading what a request carries: JSON, its properties, the query; each with the right refusal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from modelarts_magics.emulator.errors import ApiError, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

DESCRIPTION_MAX = 512
FORBIDDEN = "&<>\"'/"


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def json_object(body: bytes, *, content_type: str, refusal: Refusal) -> dict[str, Any]:
    """Return the object that a body holds.

    Args:
        body: The bytes of the request.
        content_type: Its header; anything but JSON is refused.
        refusal: What a body that is no object gets.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise ApiError(refusal, "The Content-Type is not application/json.")
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ApiError(refusal, "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise ApiError(refusal, "The body is not a JSON object.")
    return value


def only(found: Mapping[str, Any], *, known: tuple[str, ...], refusal: Refusal) -> None:
    """Refuse properties that the page does not list."""
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise ApiError(refusal, f"Unknown: {', '.join(unknown)}.")


def text(value: object, *, name: str, refusal: Refusal) -> str:
    """Return a string, or refuse."""
    if not isinstance(value, str):
        raise ApiError(refusal, f"{name} must be a string.")
    return value


def boolean(value: object, *, name: str, refusal: Refusal) -> bool:
    """Return a boolean, or refuse; 0 and 1 are not booleans."""
    if not isinstance(value, bool):
        raise ApiError(refusal, f"{name} must be a boolean.")
    return value


def integer(value: object, *, name: str, refusal: Refusal) -> int:
    """Return an integer, or refuse; true, 3600.0 and "3600" are not integers."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ApiError(refusal, f"{name} must be an integer.")
    return value


def mapping(value: object, *, name: str, refusal: Refusal) -> dict[str, Any]:
    """Return an object, or refuse."""
    if not isinstance(value, dict):
        raise ApiError(refusal, f"{name} must be an object.")
    return value


def description(found: object, *, kind: Refusal, value: Refusal, character: Refusal) -> str:
    """Return a description that obeys the page.

    Args:
        found: The property as sent.
        kind: The refusal of anything but a string.
        value: The refusal of a string that is too long, or no text at all.
        character: The refusal of a forbidden character.

    Source: table 2 of the `demanager` page; the `notebooks` pages state the same rule.
    """
    words = text(found, name="description", refusal=kind)
    if len(words) > DESCRIPTION_MAX:
        raise ApiError(value, f"description is longer than {DESCRIPTION_MAX} characters.")
    if any(0xD800 <= ord(letter) < 0xE000 for letter in words):  # noqa: PLR2004 - UTF-16 halves
        raise ApiError(value, "description is not text.")
    if any(letter in FORBIDDEN for letter in words):
        raise ApiError(character)
    return words


def query_of(raw: str) -> dict[str, str]:
    """Return the query's values; the last one of a repeated name counts."""
    return dict(parse_qsl(raw, keep_blank_values=True))


def whole_number(raw: str, *, name: str, refusal: Refusal) -> int:
    """Return an integer, which may be negative, of the query, or refuse."""
    digits = raw.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise ApiError(refusal, f"{name} must be an integer.")
    return int(raw)


def query_integer(
    query: Mapping[str, str], name: str, *, default: int, kind: Refusal, value: Refusal
) -> int:
    """Return a number of the query that is not negative, or refuse."""
    raw = query.get(name, "")
    if not raw:
        return default
    number = whole_number(raw, name=name, refusal=kind)
    if number < 0:
        raise ApiError(value, f"{name} must not be negative.")
    return number
