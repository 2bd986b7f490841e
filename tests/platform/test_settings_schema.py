"""The settings schemas as JupyterLab 3 reads them, which knows draft 4 of JSON Schema only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

SCHEMAS = sorted((Path(__file__).parents[2] / "labextension" / "schema").glob("*.json"))
LATER_KEYWORDS = {"const", "if", "then", "contains", "propertyNames", "examples", "$id"}
"""Keywords that a reader of draft 4 ignores, so that `oneOf` with them accepts several."""
SETTINGS = [{"remindMinutes": [30, 0.5], "statusShows": shown} for shown in ("time-left", "both")]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_schema_is_valid_for_old_and_new_readers(path: Path) -> None:
    """An invalid one makes JupyterLab 3.2 answer all settings with an error, and the page stays white."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft4Validator.check_schema(schema)
    jsonschema.Draft7Validator.check_schema(schema)
    assert not LATER_KEYWORDS & set(_keywords(schema))


@pytest.mark.parametrize("reader", [jsonschema.Draft4Validator, jsonschema.Draft7Validator])
def test_settings_are_validated_alike_by_both_readers(reader: Any) -> None:  # noqa: ANN401 - validator classes
    """Valid values are accepted, invalid ones are not."""
    (path,) = (each for each in SCHEMAS if each.stem == "manager")
    validator = reader(json.loads(path.read_text(encoding="utf-8")))
    for settings in SETTINGS:
        validator.validate(settings)
    for wrong in ({"statusShows": "x"}, {"remindMinutes": [0]}, {"remindMinutes": [-1]}):
        assert not validator.is_valid(wrong)


def _keywords(schema: object) -> list[str]:
    if isinstance(schema, list):
        return [name for each in schema for name in _keywords(each)]
    if not isinstance(schema, dict):
        return []
    inner = {name: each for name, each in schema.items() if name not in ("default", "enum")}
    return [*schema, *(name for each in inner.values() for name in _keywords(each))]
