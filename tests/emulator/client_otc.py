"""Use the emulator with the T Cloud SDK and print the results as JSON.

Runs in an environment of its own. Arguments: endpoint, project id, token, instance id.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import openstack
from keystoneauth1 import session, token_endpoint
from otcextensions.sdk import register_single_service


def instance_fields(instance: Any) -> dict[str, Any]:  # noqa: ANN401 - the SDK is untyped
    """Return the fields of an instance as the SDK parsed them."""
    stop = instance.spec.auto_stop if instance.spec else None
    return {
        "id": instance.id,
        "name": instance.name,
        "description": instance.description,
        "status": instance.status,
        "de_type": instance.profile.dev_env_type,
        "image": instance.profile.provision.spec.params.image_name,
        "storage": instance.spec.storage.type if instance.spec else None,
        "auto_stop": stop and {"enable": stop.enable, "duration": stop.duration},
        "stop_timestamp": stop and stop.stop_timestamp,
    }


def create_service(endpoint: str, *, project_id: str, token: str) -> Any:  # noqa: ANN401 - untyped
    """Return the SDK's ModelArts service, connected to the emulator."""
    auth = token_endpoint.Token(endpoint=f"{endpoint}/v1/{project_id}", token=token)
    connection = openstack.connection.Connection(
        session=session.Session(auth=auth),
        modelartsv1_endpoint_override=f"{endpoint}/v1/{project_id}",
    )
    register_single_service(connection, "modelartsv1", project_id=project_id)
    return connection.modelartsv1


def main(endpoint: str, project_id: str, token: str, instance_id: str) -> None:
    """List, get, update and stop an instance, and print the responses."""
    modelarts = create_service(endpoint, project_id=project_id, token=token)
    report: dict[str, Any] = {}
    report["listed"] = [one.id for one in modelarts.devenv_instances()]
    report["paged"] = [one.id for one in modelarts.devenv_instances(limit=1)]
    report["got"] = instance_fields(modelarts.get_devenv_instance(instance_id))
    spec = {"auto_stop": {"enable": True, "duration": 7200, "prompt": False}}
    modelarts.update_devenv_instance(instance_id, description="from T Cloud", spec=spec)
    report["after"] = instance_fields(modelarts.get_devenv_instance(instance_id))
    try:
        modelarts.update_devenv_instance(instance_id, description="a/b")
    except openstack.exceptions.HttpException as error:
        report["refused"] = [error.status_code, json.loads(error.response.text)["error_code"]]
    modelarts.stop_devenv_instance(instance_id)
    report["stopped"] = modelarts.get_devenv_instance(instance_id).status
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
