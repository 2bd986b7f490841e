"""The one question asked of IAM: which project the credentials belong to, in a region.

Source: the IAM page KeystoneListProjects; a region's default project bears the region's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.api.json_reader import Fields

if TYPE_CHECKING:
    from modelarts_magics.api.client import Transport
    from modelarts_magics.domain.clock import Deadline


def project_id(transport: Transport, *, region: str, deadline: Deadline) -> str | None:
    """The id of the region's project; None if the credentials have none there."""
    answer = transport.request("GET", "/v3/projects", query=(("name", region),), deadline=deadline)
    for project in Fields(answer.data).objects("projects"):
        if project.text("name") == region:
            return project.required_text("id")
    return None
