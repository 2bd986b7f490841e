"""Look up the project of a region in IAM.

Source: the IAM page KeystoneListProjects; the default project of a region has the name of the region.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.api.json_reader import JsonReader

if TYPE_CHECKING:
    from modelarts_magics.api.client import ApiClient
    from modelarts_magics.domain.clock import Deadline


def find_project_id(client: ApiClient, *, region: str, deadline: Deadline) -> str | None:
    """Return the ID of the project of a region; None if the credentials have none there."""
    response = client.request("GET", "/v3/projects", query=(("name", region),), deadline=deadline)
    for project in JsonReader(response.data).objects("projects"):
        if project.text("name") == region:
            return project.required_text("id")
    return None
