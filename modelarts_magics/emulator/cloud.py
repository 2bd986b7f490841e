"""A request in, an answer out: route, credentials, project, instance, rule; no HTTP server here."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.emulator import demanager, demanager_wire, errors, notebooks, notebooks_wire
from modelarts_magics.emulator.errors import ApiError, Refusal

if TYPE_CHECKING:
    from modelarts_magics.emulator.auth import Call
    from modelarts_magics.emulator.world import AnyInstance, World

REGIONS = ("cn-north-4", "cn-east-3", "cn-south-1", "ap-southeast-1")


@dataclass(frozen=True)
class Reply:
    """What the cloud answers.

    Attributes:
        status: The HTTP status.
        body: The JSON value.
    """

    status: int
    body: Any


@dataclass(frozen=True)
class Route:
    """One published operation.

    Attributes:
        method: Its verb.
        path: A pattern of its path.
        api: Which generation, or "iam".
        show: Makes the answer.
        write: Does the change; None for a read.
    """

    method: str
    path: re.Pattern[str]
    api: str
    show: Callable[..., Any]
    write: Callable[..., None] | None = None


def _route(method: str, path: str, **how: Any) -> Route:  # noqa: ANN401 - the fields of `Route`
    pattern = path.replace("{project}", r"(?P<project>[^/]+)").replace("{id}", r"(?P<id>[^/]+)")
    return Route(method=method, path=re.compile(pattern), **how)


def _projects(world: World, call: Call) -> dict[str, Any]:
    """Return the projects of the account, one for each region, all with the same id.

    Source: IAM, "Querying Project Information": a list, empty for an unknown name.
    """
    wanted = re.search(r"(?:^|&)name=([^&]*)", call.query)
    names = [name for name in REGIONS if wanted is None or wanted.group(1) == name]
    project = {"id": world.credentials.project_id, "enabled": True, "is_domain": False}
    return {"projects": [{**project, "name": name} for name in names], "links": {}}


_DEV = "/v1/{project}/demanager/instances"
_NOTE = "/v1/{project}/notebooks"

ROUTES = (
    _route("GET", _DEV, api="demanager", show=demanager_wire.listing),
    _route("GET", _DEV + "/{id}", api="demanager", show=demanager_wire.show),
    _route(
        "PUT",
        _DEV + "/{id}",
        api="demanager",
        show=demanager_wire.updated,
        write=demanager.update,
    ),
    _route(
        "POST",
        _DEV + "/{id}/action",
        api="demanager",
        show=demanager_wire.acted,
        write=demanager.act,
    ),
    _route("GET", _NOTE, api="notebooks", show=notebooks_wire.listing),
    _route("GET", _NOTE + "/{id}", api="notebooks", show=notebooks_wire.show),
    _route(
        "PUT", _NOTE + "/{id}", api="notebooks", show=notebooks_wire.show, write=notebooks.update
    ),
    _route("GET", _NOTE + "/{id}/lease", api="notebooks", show=notebooks_wire.lease),
    _route(
        "PATCH",
        _NOTE + "/{id}/lease",
        api="notebooks",
        show=notebooks_wire.lease,
        write=notebooks.renew,
    ),
    _route(
        "POST",
        _NOTE + "/{id}/start",
        api="notebooks",
        show=notebooks_wire.show,
        write=notebooks.start,
    ),
    _route(
        "POST",
        _NOTE + "/{id}/stop",
        api="notebooks",
        show=notebooks_wire.show,
        write=notebooks.stop,
    ),
    _route("GET", "/v3/projects", api="iam", show=_projects),
)


class Cloud:
    """Answers requests about one world.

    Args:
        world: What it is about.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def answer(self, call: Call, *, faults: frozenset[str] = frozenset()) -> Reply:
        """Return what the cloud answers, refusals included.

        Args:
            call: The request.
            faults: Those of the phase "apply" that it meets.
        """
        with self._world.lock:
            try:
                return Reply(200, self._do(call, faults=faults))
            except ApiError as error:
                return self.refuse(error.refusal, message=error.message, path=call.path)

    def refuse(self, refusal: Refusal, *, message: str = "", path: str = "") -> Reply:
        """Return the body of an error; its message has another name in later editions."""
        later = self._world.options.edition == "2021" and "/demanager/" in path
        name = "error_message" if later else "error_msg"
        return Reply(refusal.status, {name: message or refusal.message, "error_code": refusal.code})

    def _do(self, call: Call, *, faults: frozenset[str]) -> Any:  # noqa: ANN401 - any JSON value
        world = self._world
        route, groups = _find_route(call)
        illegal = errors.TOKEN_ILLEGAL if route.api == "notebooks" else errors.TOKEN_INVALID
        world.gate.check(call, now=world.clock.now(), illegal=illegal)
        if route.api == "iam":
            return route.show(world, call)
        world.gate.check_project(call, project_id=groups["project"])
        how: dict[str, Any] = {"now": world.clock.now(), "options": world.options}
        if "id" not in groups:
            return route.show(world.all_of(route.api), call, **how)
        stale = "stale" in faults and route.write is None
        find = world.find_before if stale else world.find
        instance = find(route.api, groups["id"])
        if instance is None:
            raise ApiError(errors.NO_INSTANCE if route.api == "demanager" else errors.NO_NOTEBOOK)
        if route.write is None:
            return route.show(instance, **how)
        return self._write(route, instance, call, faults=faults, how=how)

    def _write(
        self,
        route: Route,
        instance: AnyInstance,
        call: Call,
        *,
        faults: frozenset[str],
        how: dict[str, Any],
    ) -> Any:  # noqa: ANN401 - any JSON value
        if route.write is None:
            raise TypeError(route.method)
        before = copy.deepcopy(instance)
        route.write(instance, call, **how)
        self._world.remember(before)
        answer = route.show(instance, **how)
        if "ignored" in faults:
            answer = route.show(before, **how)
        if faults & {"ignored", "echoed"}:
            self._world.put_back(route.api, before)
        return answer


def _find_route(call: Call) -> tuple[Route, dict[str, str]]:
    for route in ROUTES:
        found = route.path.fullmatch(call.path)
        if found is not None and route.method == call.method:
            return route, found.groupdict()
    raise ApiError(errors.NO_SUCH_API)
