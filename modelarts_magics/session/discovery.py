"""From what is set to what is meant: endpoint, project, instance and API generation.

What is set is taken as it is. What is not set is looked for, in places that only suggest an answer; an
instance found so counts only once the API has confirmed it: the right id, and running.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelarts_magics.api import iam
from modelarts_magics.api.client import Transport
from modelarts_magics.api.connections import Timeouts
from modelarts_magics.api.demanager import Demanager
from modelarts_magics.api.generations import GENERATIONS
from modelarts_magics.api.notebooks import running_instances
from modelarts_magics.config import settings_file
from modelarts_magics.config.settings import ENVIRONMENT
from modelarts_magics.domain.clock import Clock, Deadline
from modelarts_magics.errors import (
    ConfigurationError,
    ForbiddenError,
    ModelArtsError,
    NoSuchApiError,
    NoSuchInstanceError,
)
from modelarts_magics.messages import source_name, text
from modelarts_magics.session.instance_id import Candidate, candidates
from modelarts_magics.session.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from modelarts_magics.api.backend import Backend
    from modelarts_magics.config.credential_chain import Chain
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.models import Instance

_LISTS = {"auto": running_instances, "notebooks": running_instances}
"""What lists the running instances of an API that is set; an id of another one would be of no use."""
_ABSENT = (NoSuchInstanceError, NoSuchApiError)


class _Presumed(Demanager):
    """The historical API, presumed of an instance that the current one does not know.

    Args:
        unknown: What the current one said; it holds where the historical one is retired.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        project_id: str,
        instance_id: str,
        unknown: NoSuchInstanceError,
    ) -> None:
        super().__init__(transport, project_id=project_id, instance_id=instance_id)
        self._unknown = unknown

    def read(self, *, deadline: Deadline) -> Instance:
        """Ask the cloud for the instance."""
        try:
            return super().read(deadline=deadline)
        except NoSuchApiError:
            raise self._unknown.with_traceback(None) from None


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
        self._check_for_several(looked_up=bool(self._settings.get("region")))
        self._fill_project()
        self._check_for_several(looked_up=False)
        transport = self._transport(self._settings.endpoint, self._settings.project_id)
        try:
            if not self._settings.get("instance_id"):
                return self._confirmed(transport)
            instance_id = self._settings.instance_id
            return self._resolved(instance_id, self._bound(transport, instance_id))
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

    def _check_for_several(self, *, looked_up: bool) -> None:
        """Name all that is missing at once; one thing alone has a sentence of its own.

        Args:
            looked_up: Whether a project that is not set can still be found.

        Raises:
            ConfigurationError: At least two things are missing.
        """
        missing: list[str] = []
        if not self._settings.get("endpoint") and not self._settings.get("region"):
            missing.append(ENVIRONMENT["region"][0])
        project = not self._settings.get("project_id") and not looked_up
        instance = not self._settings.get("instance_id") and not self._candidates()
        if (missing or project or instance) and self._chain.find() is None:
            missing.append(text("config.missing_several.credentials"))
        if project:
            missing.append(ENVIRONMENT["project_id"][0])
        if instance:
            missing.append(ENVIRONMENT["instance_id"][0])
        if len(missing) > 1:  # with all else there, the instances that run can be listed
            raise ConfigurationError("config.missing_several", names=", ".join(missing))

    def _candidates(self) -> tuple[Candidate, ...]:
        return candidates(self._environ, hostname=self._hostname)

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
        given = self._candidates()
        running = [each for each in (self._ask(transport, one) for one in given) if each]
        if len(running) != 1:
            raise self._undecided(transport, given, [instance for _, instance in running])
        candidate, instance = running[0]
        source = candidate.source
        self._settings = self._settings.filled("instance_id", candidate.instance_id, source)
        backend = self._backend(transport, candidate.instance_id, instance.api)
        return self._resolved(candidate.instance_id, backend)

    def _ask(self, transport: Transport, candidate: Candidate) -> tuple[Candidate, Instance] | None:
        instance_id = candidate.instance_id
        try:
            instance = self._bound(transport, instance_id).read(deadline=self._deadline())
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
        tried = ", ".join(f"{each.instance_id} ({source_name(each.source)})" for each in given)
        if choice and tried:
            return ConfigurationError("config.others_run", tried=tried, choice=choice)
        if choice:
            return ConfigurationError("config.choose_instance", choice=choice)
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

    def _known_api(self, instance_id: str) -> str:
        """The generation that is set, or that the id's form tells, or that is remembered; else ""."""
        if self._settings.api != "auto":
            return self._settings.api
        if instance_id.startswith("DE-"):
            return "demanager"
        remembered = self._store(instance_id).load().get("api")
        return str(remembered) if remembered in GENERATIONS else ""

    def _bound(self, transport: Transport, instance_id: str) -> Backend:
        """The API of the instance: one that is known, else what one probe tells."""
        api = self._known_api(instance_id)
        backend = self._backend(transport, instance_id, api or "notebooks")
        if api:
            return backend
        try:
            backend.read(deadline=self._deadline())
        except NoSuchInstanceError as error:
            project_id = self._settings.project_id
            return _Presumed(
                transport, project_id=project_id, instance_id=instance_id, unknown=error
            )
        except NoSuchApiError:
            return self._backend(transport, instance_id, "demanager")
        return backend

    def _resolved(self, instance_id: str, backend: Backend) -> Resolved:
        return Resolved(self._settings, backend, self._store(instance_id))

    def _backend(self, transport: Transport, instance_id: str, api: str) -> Backend:
        kind = GENERATIONS[api]
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
