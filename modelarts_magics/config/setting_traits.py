"""Traitlets for the settings, shared by ``%config ModelArts`` and ``c.ModelArtsServer``."""

from __future__ import annotations

from typing import Any

from traitlets import Float, TraitType, Unicode

from modelarts_magics.config.setting_table import SETTINGS


def setting_traits() -> dict[str, TraitType[Any, Any]]:
    """Return a new configurable trait for each setting, by name.

    Call it in a class body, where ``locals()`` is the namespace of the class:

        class ModelArts(Magics):
            locals().update(setting_traits())
    """
    traits: dict[str, TraitType[Any, Any]] = {}
    for name, definition in SETTINGS.items():
        default = f" Default: {definition.default}." if definition.default else ""
        text = f"{definition.help}{default}"
        trait: TraitType[Any, Any] = (
            Float(None, allow_none=True, help=text)
            if definition.is_seconds
            else Unicode("", help=text)
        )
        traits[name] = trait.tag(config=True)
    return traits
