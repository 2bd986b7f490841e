"""The event schema has every kind of event that the server sends."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
import yaml
from jupyter_events import EventLogger

from modelarts_magics import server

FOLDER = Path(server.__file__).parent
SCHEMA = FOLDER / "events" / "instance.v1.yaml"
SENT = sorted(
    kind
    for name in ("poller.py", "service.py")
    for kind in re.findall(
        r'(?:_notify|_publish_event)\("([a-z-]+)"\)', (FOLDER / name).read_text("utf-8")
    )
)


@pytest.mark.parametrize("kind", sorted({*SENT, "hello"}))
def test_event_is_accepted_by_its_schema(kind: str) -> None:
    """Jupyter refuses an event of another kind, so that pages would not hear of it."""
    # Without a handler, events are not validated.
    logger = EventLogger(handlers=[logging.NullHandler()])
    logger.register_event_schema(SCHEMA)
    schema_id = yaml.safe_load(SCHEMA.read_text("utf-8"))["$id"]
    logger.emit(schema_id=schema_id, data={"server_id": "a", "seq": 1, "kind": kind})


def test_kinds_are_found_in_the_source() -> None:
    """The test above would be empty without them."""
    assert {"instance", "keep", "last-run"} <= set(SENT)
