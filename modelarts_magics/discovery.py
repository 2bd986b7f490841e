"""From what is set to what is meant: endpoint, project, instance and API generation.

What is set is taken as it is. What is not set is looked for, in places that only suggest an answer; an
instance found so counts only once the API has confirmed it: the right id, and running.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelarts_magics import settings_file
from modelarts_magics.api import iam
from modelarts_magics.api.connections import Timeouts
from modelarts_magics.api.demanager import Demanager
from modelarts_magics.api.notebooks import Notebooks, running_instances
from modelarts_magics.api.transport import Transport
from modelarts_magics.clock import Clock, Deadline
from modelarts_magics.errors import (
    ConfigurationError,
    ForbiddenError,
    ModelArtsError,
    NoSuchApiError,
    NoSuchInstanceError,
)
from modelarts_magics.identity import Candidate, candidates
from modelarts_magics.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from modelarts_magics.api.backend import Backend
    from modelarts_magics.config import Settings
    from modelarts_magics.credentials import Chain
    from modelarts_magics.models import Instance

_APIS: dict[str, type[Notebooks | Demanager]] = {
    "notebooks": Notebooks,
    "demanager": Demanager,
}
_LISTS = {"auto": running_instances, "notebooks": running_instances}
"""What lists the running instances of an API that is set; an id of another one would be of no use."""
_ABSENT = (NoSuchInstanceError, NoSuchApiError)


@dataclass(frozen=True)
class Resolved:
    """Everything that a session needs.

    Attributes:
        settings: The settings, with what was found and where.
        backend: The API, bound to the instance.
        store: What is kept of the instance on this machine.
    """

    settings: Settings
    backend: Backend
    store: Store


class Discovery:
    """One search, with what it needs.

    Args:
        settings: What is set.
        chain: The credentials.
        environ: The environment, for candidates.
        clock: Time, for tests.
        http: What carries the requests, for tests.
        hostname: This machine's name; None to ask for it.
    """

    def __init__(  # noqa: PLR0913 - what a search looks at, and what a test replaces
        self,
        settings: Settings,
        *,
        chain: Chain,
        environ: Mapping[str, str],
        clock: Clock,
        http: httpx.BaseTransport | None = None,
        hostname: str | None = None,
    ) -> None:
        self._settings = settings
        self._chain = chain
        self._environ = environ
        self._clock = clock
        self._http = http
        self._hostname = hostname

    def resolve(self) -> Resolved:
        """Find what is not set; asks the cloud only for what cannot be known otherwise.

        Raises:
            ConfigurationError: Something is neither set nor found; the message names it.
            ModelArtsError: The cloud could not be asked.
        """
        self._fill_from_credentials()
        self._fill_project()
        transport = self._transport(self._settings.endpoint, self._settings.project_id)
        try:
            if not self._settings.get("instance_id"):
                return self._confirmed(transport)
            instance_id = self._settings.instance_id
            return self._resolved(transport, instance_id, self._api(transport, instance_id))
        except BaseException:
            transport.close()
            raise

    def _fill_from_credentials(self) -> None:
        """Region and project may stand beside the key."""
        if self._settings.get("project_id") and (
            self._settings.get("endpoint") or self._settings.get("region")
        ):
            return
        found = self._chain.find()
        if found is not None:
            source = found.source
            self._settings = self._settings.filled("region", found.region, source)
            self._settings = self._settings.filled("project_id", found.project_id, source)

    def _fill_project(self) -> None:
        """One look-up by region, where there is a key and no project."""
        region, endpoint = self._settings.get("region").lower(), self._settings.iam_endpoint
        if self._settings.get("project_id") or not region or not endpoint:
            return
        transport = self._transport(endpoint, "")
        try:
            found = iam.project_id(transport, region=region, deadline=self._deadline())
        except ForbiddenError:  # then only the person knows it, which the error for want of it says
            return
        finally:
            transport.close()
        self._settings = self._settings.filled("project_id", found or "", f"IAM, {region}")

    def _confirmed(self, transport: Transport) -> Resolved:
        """The one candidate that the API knows as a running instance."""
        given = candidates(self._environ, hostname=self._hostname)
        running = [each for each in (self._ask(transport, one) for one in given) if each]
        if len(running) != 1:
            raise self._undecided(transport, given, [instance for _, instance in running])
        candidate, instance = running[0]
        source = candidate.source
        self._settings = self._settings.filled("instance_id", candidate.instance_id, source)
        return self._resolved(transport, candidate.instance_id, instance.api)

    def _ask(self, transport: Transport, candidate: Candidate) -> tuple[Candidate, Instance] | None:
        instance_id = candidate.instance_id
        try:
            api = self._api(transport, instance_id)
            backend = self._backend(transport, instance_id, api)
            instance = backend.read(deadline=self._deadline())
        except _ABSENT:
            return None
        return (candidate, instance) if instance.id == instance_id and instance.running else None

    def _undecided(
        self, transport: Transport, given: tuple[Candidate, ...], running: list[Instance]
    ) -> ConfigurationError:
        if running:
            choice = ", ".join(f"{each.name} ({each.id})" for each in running)
            return ConfigurationError("config.several_instances", choice=choice)
        choice = self._all_running(transport)
        if choice:
            return ConfigurationError("config.choose_instance", choice=choice)
        tried = ", ".join(f"{each.instance_id} ({each.source})" for each in given)
        if tried:
            return ConfigurationError("config.no_candidate", tried=tried)
        return ConfigurationError("config.missing_instance_id", variable="MODELARTS_INSTANCE_ID")

    def _all_running(self, transport: Transport) -> str:
        """The project's running instances to choose from; "" where they cannot be listed."""
        project_id, deadline = self._settings.project_id, self._deadline()
        listed = _LISTS.get(self._settings.api)
        if listed is None:
            return ""
        try:
            found = list(listed(transport, project_id=project_id, deadline=deadline))
        except ModelArtsError:
            return ""
        return ", ".join(f"{name} ({instance_id})" for name, instance_id in found)

    def _api(self, transport: Transport, instance_id: str) -> str:
        """The generation that is set, or that the id's form tells, or that is remembered; else ask."""
        if self._settings.api != "auto":
            return self._settings.api
        if instance_id.startswith("DE-"):
            return "demanager"
        remembered = self._store(instance_id).load().get("api")
        if remembered in _APIS:
            return str(remembered)
        try:
            self._backend(transport, instance_id, "notebooks").read(deadline=self._deadline())
        except _ABSENT:
            return "demanager"
        return "notebooks"

    def _resolved(self, transport: Transport, instance_id: str, api: str) -> Resolved:
        backend = self._backend(transport, instance_id, api)
        return Resolved(self._settings, backend, self._store(instance_id))

    def _backend(self, transport: Transport, instance_id: str, api: str) -> Backend:
        kind = _APIS[api]
        return kind(transport, project_id=self._settings.project_id, instance_id=instance_id)

    def _store(self, instance_id: str) -> Store:
        folder = settings_file.expanded(self._settings.get("state_dir"))
        key = (self._settings.endpoint, self._settings.project_id, instance_id)
        return Store(folder, key=key)

    def _transport(self, endpoint: str, project_id: str) -> Transport:
        connect, read = (self._settings.seconds(f"{name}_timeout") for name in ("connect", "read"))
        return Transport(
            endpoint,
            project_id=project_id,
            credential=self._chain.current,
            renew=self._chain.renew,
            timeouts=Timeouts(connect, read),
            clock=self._clock,
            http=self._http,
        )

    def _deadline(self) -> Deadline:
        return Deadline(self._settings.seconds("total_timeout"), clock=self._clock)
