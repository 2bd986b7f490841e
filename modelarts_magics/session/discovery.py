"""Determine the endpoint, project, instance and API of a session.

A setting that is set is used as it is. A missing one is looked up; an instance ID that was only
detected counts after the API has confirmed that the instance exists and runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelarts_magics.api import iam
from modelarts_magics.api.backend import BACKENDS, Backend
from modelarts_magics.api.client import ApiClient
from modelarts_magics.api.connections import Timeouts
from modelarts_magics.api.demanager import DemanagerBackend
from modelarts_magics.api.json_reader import OTHER_INSTANCE
from modelarts_magics.api.notebooks import list_running_instances
from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.config.settings import is_loopback
from modelarts_magics.config.settings_file import expand_user
from modelarts_magics.domain.clock import Clock, Deadline
from modelarts_magics.errors import (
    ConfigurationError,
    ForbiddenError,
    InvalidResponseError,
    ModelArtsError,
    NoSuchApiError,
    NoSuchInstanceError,
)
from modelarts_magics.messages import join_list, source_label, text
from modelarts_magics.session.instance_id import Candidate, find_candidates
from modelarts_magics.session.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.api.transport import Transport
    from modelarts_magics.config.credential_chain import CredentialChain
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.models import Instance

_INSTANCE_LISTS = {"auto": list_running_instances, "notebooks": list_running_instances}
"""The function that lists the running instances, by the API setting."""
_NOT_FOUND_ERRORS = (NoSuchInstanceError, NoSuchApiError)


class _PresumedDemanagerBackend(DemanagerBackend):
    """The historical API, assumed for an instance that the current API does not have.

    Args:
        not_found: The error of the current API; raised if the historical API no longer exists.
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
        """Read the instance from the API."""
        try:
            return super().read(deadline=deadline)
        except NoSuchApiError:
            raise self._not_found.with_traceback(None) from None


class ResolvedInstance(NamedTuple):
    """The result of the discovery.

    Attributes:
        settings: The settings, including those that were found, with their sources.
        backend: The API, bound to the instance.
        store: The state file of the instance on this machine.
    """

    settings: Settings
    backend: Backend
    store: Store


def fill_from_credentials(settings: Settings, chain: CredentialChain) -> Settings:
    """Return the settings with the region and the project that are stored with the access key."""
    if settings.get("project_id") and (settings.get("endpoint") or settings.get("region")):
        return settings
    found = chain.find()
    if found is None:
        return settings
    with_region = settings.with_default("region", found.region, found.source)
    return with_region.with_default("project_id", found.project_id, found.source)


class Discovery:
    """Look up what the settings leave open.

    Args:
        settings: The settings.
        chain: The credentials.
        environ: The environment variables, for candidates of the instance ID.
        clock: Time; replaced in tests.
        transport: Replaces the network in tests.
        hostname: The host name; None for that of this machine.
    """

    def __init__(  # noqa: PLR0913 - what a search looks at, and what a test replaces
        self,
        settings: Settings,
        *,
        chain: CredentialChain,
        environ: Mapping[str, str],
        clock: Clock,
        transport: Transport | None = None,
        hostname: str | None = None,
    ) -> None:
        self._settings = settings
        self._chain = chain
        self._environ = environ
        self._clock = clock
        self._transport = transport
        self._hostname = hostname

    def resolve(self) -> ResolvedInstance:
        """Determine everything; send a request only if there is no other way.

        Raises:
            ConfigurationError: A setting is missing and cannot be found; the message names it.
            ModelArtsError: The API cannot be reached or refused.
        """
        self._settings = fill_from_credentials(self._settings, self._chain)
        self._check_missing_settings(can_find_project=bool(self._settings.get("region")))
        self._fill_project()
        self._check_missing_settings(can_find_project=False)
        client = self._make_client(self._settings.endpoint, self._settings.project_id)
        try:
            if not self._settings.get("instance_id"):
                return self._resolve_candidate(client)
            instance_id = self._settings.instance_id
            return self._make_result(instance_id, self._select_backend(client, instance_id))
        except BaseException:
            client.close()
            raise

    def _check_missing_settings(self, *, can_find_project: bool) -> None:
        """Report all missing settings at once; a single one has a message of its own.

        Args:
            can_find_project: Whether a missing project can still be looked up.

        Raises:
            ConfigurationError: At least two settings are missing.
        """
        missing = self._missing_variables(can_find_project=can_find_project)
        if missing and self._chain.find() is None:
            after_region = int(missing[0] == SETTINGS["region"].variable)
            missing.insert(after_region, text("doctor.about.credentials"))
        # If only one is missing, the instances that run can be listed.
        if len(missing) > 1:
            raise ConfigurationError("config.missing_several", names=join_list(missing))

    def _missing_variables(self, *, can_find_project: bool) -> list[str]:
        has = self._settings.get
        missing = []
        if not has("endpoint") and not has("region"):
            missing.append(SETTINGS["region"].variable)
        if not has("project_id") and not can_find_project:
            missing.append(SETTINGS["project_id"].variable)
        if not has("instance_id") and not self._find_candidates():
            missing.append(SETTINGS["instance_id"].variable)
        return missing

    def _find_candidates(self) -> tuple[Candidate, ...]:
        return find_candidates(self._environ, hostname=self._hostname)

    def _fill_project(self) -> None:
        """Look up the project of the region in IAM."""
        region, endpoint = self._settings.get("region").lower(), self._settings.iam_endpoint
        if self._settings.get("project_id") or not region or not endpoint:
            return
        client = self._make_client(endpoint, "")
        try:
            found = iam.find_project_id(client, region=region, deadline=self._make_deadline())
        # Then only the user can name the project; the error for the missing setting says so.
        except ForbiddenError:
            return
        finally:
            client.close()
        self._settings = self._settings.with_default("project_id", found or "", f"IAM, {region}")

    def _resolve_candidate(self, client: ApiClient) -> ResolvedInstance:
        """Return the one candidate that the API confirms as a running instance."""
        candidates = self._find_candidates()
        results = [self._read_candidate(client, each) for each in candidates]
        running = [each for each in results if each]
        if len(running) != 1:
            raise self._selection_error(client, candidates, [instance for _, instance in running])
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
        except InvalidResponseError as error:
            if error.code != OTHER_INSTANCE:
                raise
            return None
        return (candidate, instance) if instance.running else None

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
        variable = SETTINGS["instance_id"].variable
        return ConfigurationError("config.missing_instance_id", variable=variable)

    def _list_running(self, client: ApiClient) -> str:
        """List the running instances of the project for a message; "" if that is impossible."""
        project_id, deadline = self._settings.project_id, self._make_deadline()
        list_running = _INSTANCE_LISTS.get(self._settings.api)
        if list_running is None:
            return ""
        try:
            found = list(list_running(client, project_id=project_id, deadline=deadline))
        except ModelArtsError:
            return ""
        return join_list(f"{name} ({instance_id})" for name, instance_id in found)

    def _known_api(self, instance_id: str) -> str:
        """Return the API from the settings, the form of the ID or the state file; "" if unknown."""
        if self._settings.api != "auto":
            return self._settings.api
        if instance_id.startswith("DE-"):
            return "demanager"
        stored = self._make_store(instance_id).load().get("api")
        return str(stored) if stored in BACKENDS else ""

    def _select_backend(self, client: ApiClient, instance_id: str) -> Backend:
        """Return the API of the instance: the known one, else determined by one request."""
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
        backend_class = BACKENDS[api]
        return backend_class(client, project_id=self._settings.project_id, instance_id=instance_id)

    def _make_store(self, instance_id: str) -> Store:
        folder = expand_user(self._settings.get("state_dir"))
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
            write_credential=self._chain.current_for_write,
            renew=self._chain.renew,
            timeouts=Timeouts(connect, read),
            verify=self._settings.verify_tls or not is_loopback(endpoint),
            clock=self._clock,
            transport=self._transport,
        )

    def _make_deadline(self) -> Deadline:
        return Deadline(self._settings.timeout_s("total_timeout"), clock=self._clock)
