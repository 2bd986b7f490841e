"""Validation of request bodies and queries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from modelarts_magics.emulator.errors import EmulatedApiError, ErrorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DESCRIPTION_LENGTH = 512
FORBIDDEN_CHARACTERS = "&<>\"'/"


def _reject_constant(name: str) -> None:
    raise ValueError(name)


def parse_json_object(body: bytes, *, content_type: str, error_spec: ErrorSpec) -> dict[str, Any]:
    """Return the JSON object in a body.

    Args:
        body: The body.
        content_type: The Content-Type header; only JSON is accepted.
        error_spec: The error if the body is not a JSON object.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise EmulatedApiError(error_spec, "The Content-Type is not application/json.")
    try:
        value = json.loads(body.decode(), parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        raise EmulatedApiError(error_spec, "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise EmulatedApiError(error_spec, "The body is not a JSON object.")
    return value


def reject_unknown(
    properties: Mapping[str, Any], *, allowed: tuple[str, ...], error_spec: ErrorSpec
) -> None:
    """Refuse properties that the API page does not list."""
    unknown = sorted(set(properties) - set(allowed))
    if unknown:
        raise EmulatedApiError(error_spec, f"Unknown property: {', '.join(unknown)}.")


def require_string(value: object, *, name: str, error_spec: ErrorSpec) -> str:
    """Return a string, or refuse the request."""
    if not isinstance(value, str):
        raise EmulatedApiError(error_spec, f"{name} must be a string.")
    return value


def require_boolean(value: object, *, name: str, error_spec: ErrorSpec) -> bool:
    """Return a boolean, or refuse the request; 0 and 1 are not booleans."""
    if not isinstance(value, bool):
        raise EmulatedApiError(error_spec, f"{name} must be a boolean.")
    return value


def require_integer(value: object, *, name: str, error_spec: ErrorSpec) -> int:
    """Return an integer, or refuse the request; true, 3600.0 and "3600" are not integers."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise EmulatedApiError(error_spec, f"{name} must be an integer.")
    return value


def require_object(value: object, *, name: str, error_spec: ErrorSpec) -> dict[str, Any]:
    """Return an object, or refuse the request."""
    if not isinstance(value, dict):
        raise EmulatedApiError(error_spec, f"{name} must be an object.")
    return value


def require_description(
    value: object, *, wrong_type: ErrorSpec, wrong_value: ErrorSpec, wrong_character: ErrorSpec
) -> str:
    """Return a valid description.

    Args:
        value: The property as sent.
        wrong_type: The error for anything but a string.
        wrong_value: The error for a string that is too long or has an unpaired surrogate.
        wrong_character: The error for a forbidden character.

    Source: table 2 of the `demanager` page; the `notebooks` pages have the same rule.
    """
    description = require_string(value, name="description", error_spec=wrong_type)
    if len(description) > MAX_DESCRIPTION_LENGTH:
        raise EmulatedApiError(
            wrong_value, f"description is longer than {MAX_DESCRIPTION_LENGTH} characters."
        )
    if any(0xD800 <= ord(letter) < 0xE000 for letter in description):  # noqa: PLR2004 - surrogates
        raise EmulatedApiError(wrong_value, "description contains an unpaired surrogate.")
    if any(letter in FORBIDDEN_CHARACTERS for letter in description):
        raise EmulatedApiError(wrong_character)
    return description


def parse_query(raw: str) -> dict[str, str]:
    """Return the parameters of a query; the last one of a repeated name counts."""
    return dict(parse_qsl(raw, keep_blank_values=True))


def parse_integer(raw: str, *, name: str, error_spec: ErrorSpec) -> int:
    """Return an integer of the query, which may be negative, or refuse the request."""
    digits = raw.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise EmulatedApiError(error_spec, f"{name} must be an integer.")
    return int(raw)


def parse_query_integer(
    query: Mapping[str, str],
    name: str,
    *,
    default: int,
    wrong_type: ErrorSpec,
    wrong_value: ErrorSpec,
) -> int:
    """Return a parameter of the query as a non-negative integer, or refuse the request.

    Args:
        query: The parameters.
        name: The name of the parameter.
        default: The value if it is absent.
        wrong_type: The error for text that is not an integer.
        wrong_value: The error for a negative integer.
    """
    raw = query.get(name, "")
    if not raw:
        return default
    number = parse_integer(raw, name=name, error_spec=wrong_type)
    if number < 0:
        raise EmulatedApiError(wrong_value, f"{name} must not be negative.")
    return number
