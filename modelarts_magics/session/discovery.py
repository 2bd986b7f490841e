"""From what is set to what is meant: endpoint, project, instance and API generation.

What is set is taken as it is. What is not set is looked for, in places that only suggest an answer; an
instance found so counts only once the API has confirmed it: the right id, and running.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelarts_magics.api import iam
from modelarts_magics.api.backend import BACKENDS, Backend
from modelarts_magics.api.client import ApiClient
from modelarts_magics.api.connections import Timeouts
from modelarts_magics.api.demanager import DemanagerBackend
from modelarts_magics.api.notebooks import list_running_instances
from modelarts_magics.config import settings_file
from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.domain.clock import Clock, Deadline
from modelarts_magics.errors import (
    ConfigurationError,
    ForbiddenError,
    ModelArtsError,
    NoSuchApiError,
    NoSuchInstanceError,
)
from modelarts_magics.messages import join_list, source_label, text
from modelarts_magics.session.instance_id import Candidate, find_candidates
from modelarts_magics.session.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from modelarts_magics.config.credential_chain import CredentialChain
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.models import Instance

_INSTANCE_LISTS = {"auto": list_running_instances, "notebooks": list_running_instances}
"""What lists the running instances of an API that is set; an id of another one would be of no use."""
_NOT_FOUND_ERRORS = (NoSuchInstanceError, NoSuchApiError)


class _PresumedDemanagerBackend(DemanagerBackend):
    """The historical API, presumed of an instance that the current one does not know.

    Args:
        not_found: What the current one said; it holds where the historical one is retired.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        project_id: str,
        instance_id: str,
        not_found: NoSuchInstanceError,
    ) -> None:
        super().__init__(client, project_id=project_id, instance_id=instance_id)
        self._not_found = not_found

    def read(self, *, deadline: Deadline) -> Instance:
        """Ask the cloud for the instance."""
        try:
            return super().read(deadline=deadline)
        except NoSuchApiError:
            raise self._not_found.with_traceback(None) from None


@dataclass(frozen=True)
class ResolvedInstance:
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
        transport: What carries the requests, for tests.
        hostname: This machine's name; None to ask for it.
    """

    def __init__(  # noqa: PLR0913 - what a search looks at, and what a test replaces
        self,
        settings: Settings,
        *,
        chain: CredentialChain,
        environ: Mapping[str, str],
        clock: Clock,
        transport: httpx.BaseTransport | None = None,
        hostname: str | None = None,
    ) -> None:
        self._settings = settings
        self._chain = chain
        self._environ = environ
        self._clock = clock
        self._transport = transport
        self._hostname = hostname

    def resolve(self) -> ResolvedInstance:
        """Find what is not set; asks the cloud only for what cannot be known otherwise.

        Raises:
            ConfigurationError: Something is neither set nor found; the message names it.
            ModelArtsError: The cloud could not be asked.
        """
        self._fill_from_credentials()
        self._check_missing_settings(can_find_project=bool(self._settings.get("region")))
        self._fill_project()
        self._check_missing_settings(can_find_project=False)
        transport = self._make_client(self._settings.endpoint, self._settings.project_id)
        try:
            if not self._settings.get("instance_id"):
                return self._resolve_candidate(transport)
            instance_id = self._settings.instance_id
            return self._make_result(instance_id, self._select_backend(transport, instance_id))
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
            self._settings = self._settings.with_default("region", found.region, source)
            self._settings = self._settings.with_default("project_id", found.project_id, source)

    def _check_missing_settings(self, *, can_find_project: bool) -> None:
        """Name all that is missing at once; one thing alone has a sentence of its own.

        Args:
            can_find_project: Whether a project that is not set can still be found.

        Raises:
            ConfigurationError: At least two things are missing.
        """
        missing: list[str] = []
        if not self._settings.get("endpoint") and not self._settings.get("region"):
            missing.append(SETTINGS["region"].variable)
        project = not self._settings.get("project_id") and not can_find_project
        instance = not self._settings.get("instance_id") and not self._find_candidates()
        if (missing or project or instance) and self._chain.find() is None:
            missing.append(text("doctor.about.credentials"))
        if project:
            missing.append(SETTINGS["project_id"].variable)
        if instance:
            missing.append(SETTINGS["instance_id"].variable)
        if len(missing) > 1:  # with all else there, the instances that run can be listed
            raise ConfigurationError("config.missing_several", names=join_list(missing))

    def _find_candidates(self) -> tuple[Candidate, ...]:
        return find_candidates(self._environ, hostname=self._hostname)

    def _fill_project(self) -> None:
        """One look-up by region, where there is a key and no project."""
        region, endpoint = self._settings.get("region").lower(), self._settings.iam_endpoint
        if self._settings.get("project_id") or not region or not endpoint:
            return
        transport = self._make_client(endpoint, "")
        try:
            found = iam.find_project_id(transport, region=region, deadline=self._make_deadline())
        except ForbiddenError:  # then only the person knows it, which the error for want of it says
            return
        finally:
            transport.close()
        self._settings = self._settings.with_default("project_id", found or "", f"IAM, {region}")

    def _resolve_candidate(self, client: ApiClient) -> ResolvedInstance:
        """The one candidate that the API knows as a running instance."""
        given = self._find_candidates()
        running = [each for each in (self._read_candidate(client, one) for one in given) if each]
        if len(running) != 1:
            raise self._selection_error(client, given, [instance for _, instance in running])
        candidate, instance = running[0]
        source = candidate.source
        self._settings = self._settings.with_default("instance_id", candidate.instance_id, source)
        backend = self._make_backend(client, candidate.instance_id, instance.api)
        return self._make_result(candidate.instance_id, backend)

    def _read_candidate(
        self, client: ApiClient, candidate: Candidate
    ) -> tuple[Candidate, Instance] | None:
        instance_id = candidate.instance_id
        try:
            instance = self._select_backend(client, instance_id).read(
                deadline=self._make_deadline()
            )
        except _NOT_FOUND_ERRORS:
            return None
        return (candidate, instance) if instance.id == instance_id and instance.running else None

    def _selection_error(
        self, client: ApiClient, candidates: tuple[Candidate, ...], running: list[Instance]
    ) -> ConfigurationError:
        if running:
            choice = join_list(f"{each.name} ({each.id})" for each in running)
            return ConfigurationError("config.several_instances", choice=choice)
        choice = self._list_running(client)
        tried = join_list(
            f"{each.instance_id} ({source_label(each.source)})" for each in candidates
        )
        if choice and tried:
            return ConfigurationError("config.candidates_not_running", tried=tried, choice=choice)
        if choice:
            return ConfigurationError("config.choose_instance", choice=choice)
        if tried:
            return ConfigurationError("config.candidates_unconfirmed", tried=tried)
        return ConfigurationError("config.missing_instance_id", variable="MODELARTS_INSTANCE_ID")

    def _list_running(self, client: ApiClient) -> str:
        """The project's running instances to choose from; "" where they cannot be listed."""
        project_id, deadline = self._settings.project_id, self._make_deadline()
        listed = _INSTANCE_LISTS.get(self._settings.api)
        if listed is None:
            return ""
        try:
            found = list(listed(client, project_id=project_id, deadline=deadline))
        except ModelArtsError:
            return ""
        return join_list(f"{name} ({instance_id})" for name, instance_id in found)

    def _known_api(self, instance_id: str) -> str:
        """The generation that is set, or that the id's form tells, or that is remembered; else ""."""
        if self._settings.api != "auto":
            return self._settings.api
        if instance_id.startswith("DE-"):
            return "demanager"
        remembered = self._make_store(instance_id).load().get("api")
        return str(remembered) if remembered in BACKENDS else ""

    def _select_backend(self, client: ApiClient, instance_id: str) -> Backend:
        """The API of the instance: one that is known, else what one probe tells."""
        api = self._known_api(instance_id)
        backend = self._make_backend(client, instance_id, api or "notebooks")
        if api:
            return backend
        try:
            backend.read(deadline=self._make_deadline())
        except NoSuchInstanceError as error:
            project_id = self._settings.project_id
            return _PresumedDemanagerBackend(
                client, project_id=project_id, instance_id=instance_id, not_found=error
            )
        except NoSuchApiError:
            return self._make_backend(client, instance_id, "demanager")
        return backend

    def _make_result(self, instance_id: str, backend: Backend) -> ResolvedInstance:
        return ResolvedInstance(self._settings, backend, self._make_store(instance_id))

    def _make_backend(self, client: ApiClient, instance_id: str, api: str) -> Backend:
        kind = BACKENDS[api]
        return kind(client, project_id=self._settings.project_id, instance_id=instance_id)

    def _make_store(self, instance_id: str) -> Store:
        folder = settings_file.expand_user(self._settings.get("state_dir"))
        key = (self._settings.endpoint, self._settings.project_id, instance_id)
        return Store(folder, key=key)

    def _make_client(self, endpoint: str, project_id: str) -> ApiClient:
        connect, read = (
            self._settings.timeout_s(f"{name}_timeout") for name in ("connect", "read")
        )
        return ApiClient(
            endpoint,
            project_id=project_id,
            credential=self._chain.current,
            renew=self._chain.renew,
            timeouts=Timeouts(connect, read),
            clock=self._clock,
            transport=self._transport,
        )

    def _make_deadline(self) -> Deadline:
        return Deadline(self._settings.timeout_s("total_timeout"), clock=self._clock)
