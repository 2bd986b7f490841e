"""The factor by which tests and the demo divide all waits, so that hours pass in minutes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from modelarts_magics.config.settings import is_loopback
from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.config.settings import Settings

VARIABLE = "MODELARTS_TIME_SCALE"


def load_time_scale(environ: Mapping[str, str], *, endpoint: str) -> float:
    """Return the factor; 1 if the variable is not set.

    Args:
        environ: The environment variables.
        endpoint: The endpoint of the API, which must be on this machine: a real instance has no scaled clock.

    Raises:
        ConfigurationError: The value is not a positive number, or the endpoint is on another machine.
    """
    text = environ.get(VARIABLE, "").strip()
    if not text:
        return 1.0
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not (scale > 0 and math.isfinite(scale)):
        raise ConfigurationError("config.time_scale", value=text)
    if scale != 1 and not is_loopback(endpoint):
        raise ConfigurationError("config.time_scale_remote", value=text)
    return scale


def valid_time_scale(settings: Settings, environ: Mapping[str, str]) -> float:
    """Return the factor for a process that works for sessions; 1 for an invalid one, which they report.

    Args:
        settings: The settings, with or without an endpoint.
        environ: The environment variables.
    """
    try:
        return load_time_scale(environ, endpoint=settings.endpoint)
    except ConfigurationError:
        return 1.0
