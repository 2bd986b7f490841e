"""The one question asked of IAM: which project the credentials belong to, in a region.

Source: the IAM page KeystoneListProjects; a region's default project bears the region's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.api.json_reader import JsonReader

if TYPE_CHECKING:
    from modelarts_magics.api.client import ApiClient
    from modelarts_magics.domain.clock import Deadline


def find_project_id(client: ApiClient, *, region: str, deadline: Deadline) -> str | None:
    """The id of the region's project; None if the credentials have none there."""
    answer = client.request("GET", "/v3/projects", query=(("name", region),), deadline=deadline)
    for project in JsonReader(answer.data).objects("projects"):
        if project.text("name") == region:
            return project.required_text("id")
    return None
