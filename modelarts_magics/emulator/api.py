"""Request handling of the emulated APIs, independent of the HTTP server."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.emulator import (
    demanager,
    demanager_responses,
    errors,
    notebooks,
    notebooks_responses,
)
from modelarts_magics.emulator.errors import EmulatedApiError, ErrorSpec

if TYPE_CHECKING:
    from modelarts_magics.emulator.account import AnyInstance, EmulatedAccount
    from modelarts_magics.emulator.auth import HttpRequest

REGIONS = ("cn-north-4", "cn-east-3", "cn-south-1", "ap-southeast-1")


@dataclass(frozen=True)
class JsonResponse:
    """Response of the emulated API.

    Attributes:
        status: The HTTP status.
        body: The JSON value.
    """

    status: int
    body: Any


@dataclass(frozen=True)
class Operation:
    """One published operation of an API.

    Attributes:
        method: The HTTP method.
        path: The pattern of its path.
        api: "demanager", "notebooks" or "iam".
        show: Builds the response body.
        write: Applies the change; None for a read.
    """

    method: str
    path: re.Pattern[str]
    api: str
    show: Callable[..., Any]
    write: Callable[..., None] | None = None


def _operation(method: str, path: str, **fields: Any) -> Operation:  # noqa: ANN401 - the fields of `Operation`
    pattern = path.replace("{project}", r"(?P<project>[^/]+)").replace("{id}", r"(?P<id>[^/]+)")
    return Operation(method=method, path=re.compile(pattern), **fields)


def _list_projects(account: EmulatedAccount, request: HttpRequest) -> dict[str, Any]:
    """Return the projects of the account: one per region, all with the same id.

    Source: IAM, "Querying Project Information": a list, which is empty for an unknown name.
    """
    wanted = re.search(r"(?:^|&)name=([^&]*)", request.query)
    names = [name for name in REGIONS if wanted is None or wanted.group(1) == name]
    project = {"id": account.credentials.project_id, "enabled": True, "is_domain": False}
    return {"projects": [{**project, "name": name} for name in names], "links": {}}


_INSTANCES_PATH = "/v1/{project}/demanager/instances"
_NOTEBOOKS_PATH = "/v1/{project}/notebooks"

OPERATIONS = (
    _operation("GET", _INSTANCES_PATH, api="demanager", show=demanager_responses.list_response),
    _operation(
        "GET",
        _INSTANCES_PATH + "/{id}",
        api="demanager",
        show=demanager_responses.instance_response,
    ),
    _operation(
        "PUT",
        _INSTANCES_PATH + "/{id}",
        api="demanager",
        show=demanager_responses.update_response,
        write=demanager.update,
    ),
    _operation(
        "POST",
        _INSTANCES_PATH + "/{id}/action",
        api="demanager",
        show=demanager_responses.action_response,
        write=demanager.perform_action,
    ),
    _operation("GET", _NOTEBOOKS_PATH, api="notebooks", show=notebooks_responses.list_response),
    _operation(
        "GET",
        _NOTEBOOKS_PATH + "/{id}",
        api="notebooks",
        show=notebooks_responses.notebook_response,
    ),
    _operation(
        "PUT",
        _NOTEBOOKS_PATH + "/{id}",
        api="notebooks",
        show=notebooks_responses.notebook_response,
        write=notebooks.update_notebook,
    ),
    _operation(
        "GET",
        _NOTEBOOKS_PATH + "/{id}/lease",
        api="notebooks",
        show=notebooks_responses.lease_response,
    ),
    _operation(
        "PATCH",
        _NOTEBOOKS_PATH + "/{id}/lease",
        api="notebooks",
        show=notebooks_responses.lease_response,
        write=notebooks.prolong_lease,
    ),
    _operation(
        "POST",
        _NOTEBOOKS_PATH + "/{id}/start",
        api="notebooks",
        show=notebooks_responses.notebook_response,
        write=notebooks.start_notebook,
    ),
    _operation(
        "POST",
        _NOTEBOOKS_PATH + "/{id}/stop",
        api="notebooks",
        show=notebooks_responses.notebook_response,
        write=notebooks.stop_notebook,
    ),
    _operation("GET", "/v3/projects", api="iam", show=_list_projects),
)


class EmulatedApi:
    """Request handler for one emulated account.

    Args:
        account: The account.
    """

    def __init__(self, account: EmulatedAccount) -> None:
        self._account = account

    def handle(self, request: HttpRequest, *, faults: frozenset[str] = frozenset()) -> JsonResponse:
        """Return the response to a request, which may be an error.

        Args:
            request: The request.
            faults: The faults of phase "apply" that match the request.
        """
        with self._account.lock:
            try:
                return JsonResponse(200, self._handle(request, faults=faults))
            except EmulatedApiError as error:
                return self.error_response(error.spec, message=error.message, path=request.path)

    def error_response(
        self, error_spec: ErrorSpec, *, message: str = "", path: str = ""
    ) -> JsonResponse:
        """Return an error response; the message field has another name in edition 2021.

        Args:
            error_spec: The published error.
            message: The message, if it differs from the published one.
            path: The path of the request, which decides about the field name.
        """
        later = self._account.options.edition == "2021" and "/demanager/" in path
        name = "error_message" if later else "error_msg"
        return JsonResponse(
            error_spec.status, {name: message or error_spec.message, "error_code": error_spec.code}
        )

    def _handle(self, request: HttpRequest, *, faults: frozenset[str]) -> Any:  # noqa: ANN401 - any JSON value
        account = self._account
        operation, groups = _find_operation(request)
        invalid_token = (
            errors.TOKEN_ILLEGAL if operation.api == "notebooks" else errors.TOKEN_INVALID
        )
        account.authenticator.authenticate(
            request, now=account.clock.now(), invalid_token=invalid_token
        )
        if operation.api == "iam":
            return operation.show(account, request)
        account.authenticator.check_project(request, project_id=groups["project"])
        arguments: dict[str, Any] = {"now": account.clock.now(), "options": account.options}
        if "id" not in groups:
            return operation.show(account.list_instances(operation.api), request, **arguments)
        stale = "stale" in faults and operation.write is None
        find = account.find_previous if stale else account.find
        instance = find(operation.api, groups["id"])
        if instance is None:
            raise EmulatedApiError(
                errors.NO_INSTANCE if operation.api == "demanager" else errors.NO_NOTEBOOK
            )
        if operation.write is None:
            return operation.show(instance, **arguments)
        return self._write(operation, instance, request, faults=faults, arguments=arguments)

    def _write(
        self,
        operation: Operation,
        instance: AnyInstance,
        request: HttpRequest,
        *,
        faults: frozenset[str],
        arguments: dict[str, Any],
    ) -> Any:  # noqa: ANN401 - any JSON value
        if operation.write is None:
            raise TypeError(operation.method)
        before = copy.deepcopy(instance)
        operation.write(instance, request, **arguments)
        self._account.save_previous(before)
        response = operation.show(instance, **arguments)
        if "ignored" in faults:
            response = operation.show(before, **arguments)
        if faults & {"ignored", "echoed"}:
            self._account.restore(operation.api, before)
        return response


def _find_operation(request: HttpRequest) -> tuple[Operation, dict[str, str]]:
    for operation in OPERATIONS:
        found = operation.path.fullmatch(request.path)
        if found is not None and operation.method == request.method:
            return operation, found.groupdict()
    raise EmulatedApiError(errors.NO_SUCH_API)
