"""MiniStack, and all that we know of its inside: how it routes, whom it knows, and what is put in its place.

It is imported here for the first time, after its settings are in the environment. A version of it that lacks one of
these parts does not start.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdacap.aws.clients import LOCAL_KEY
from lambdacap.images import docker_engine
from lambdacap.local import secret as secrets
from lambdacap.local.note import FUNCTION_PROCESS
from lambdacap.local.process import FunctionError
from lambdacap.local.request import Application, Request

SMALL = 16 << 20
"""Bytes of all layers in the registry that are written after each change, and not only at the end."""

Invoke = Callable[[str, str, str, float, object], object]
"""Runs an event: `Functions.invoke`."""


class Emulator:
    """MiniStack in this process, whose root user has `secret`."""

    def __init__(self, secret: str) -> None:
        # It decides about others' keys itself, by the policies of their roles.
        os.environ.update(AUTH="true", AWS_ACCESS_KEY_ID=LOCAL_KEY, AWS_SECRET_ACCESS_KEY=secret)
        from ministack import app
        from ministack.core import iam_evaluator, lambda_runtime, responses, router
        from ministack.services import apigateway_v1, ecr, lambda_svc, sts

        self._secret = secret
        self._app, self._router, self._iam, self._responses = app, router, iam_evaluator, responses
        self._apis, self._ecr, self._lambda, self._sts = apigateway_v1, ecr, lambda_svc, sts
        self.application: Application = app.app
        for module in (lambda_runtime, lambda_svc):
            _replace(module, "execution_credentials", self.execution_credentials)
        _replace(ecr, "_get_authorization_token", self._authorization_token)
        self._put_image = _replace(ecr, "_put_image", self._put_image_to_pull)
        # Others would publish ports that nothing guards. Lambda runs containers, and the reaper ends them.
        engine = docker_engine.kept_from_others(int(self._lambda._DOCKER_TIMEOUT))
        _replace(self._lambda, "_get_docker_client", engine)
        _replace(self._app, "_reaper_docker_client", engine)

    def is_deployed(self, host: str, path: str) -> bool:
        """Whether MiniStack sends the request to a stage of a deployed REST API.

        By its own reading of the path; not by way of the other services' addresses of the same API, nor to those who
        are connected to it.
        """
        parsed = self._app._parse_execute_api_url(host, path) if path.startswith("/restapis/") else None
        if parsed is None:
            return False
        api, stage, rest = parsed
        return not rest.startswith("/@connections/") and stage in self._apis.stages_for_api(api)

    def access_key(self, request: Request) -> str:
        """The access key that MiniStack would take the request to be from, or an empty text."""
        headers = {name: request.header(name) for name in request.headers}
        return str(self._router.extract_access_key_id(headers, request.query) or "")

    def secret_of(self, key: str, token: str) -> str | None:
        """The secret of an access key or a session that IAM or STS has handed out, or None."""
        if self._iam.is_root_access_key(key):  # `test` and every account's number: it checks none of their signatures
            return None
        # As it does itself for the request, in whose context this runs.
        self._responses.set_request_account_id(self._app._request_account_scope(key))
        found = self._iam.resolve_credential(key, self._responses.get_account_id(), token)
        secret = getattr(found, "secret_access_key", None)
        return str(secret) if secret else None

    def execution_credentials(self, configuration: dict[str, Any]) -> dict[str, str]:
        """The function's session of its role. MiniStack's own could be computed by everybody from the ARNs."""
        arn, role = configuration.get("FunctionArn", ""), configuration.get("Role", "")
        account, name = arn.split(":")[4], role.rpartition("/")[2]

        def part(purpose: str) -> str:
            return secrets.derived(self._secret, f"{purpose} {arn} {role}")

        key = f"ASIA{part('key')[:16].upper()}"
        session = configuration.get("FunctionName", "function")[:64]
        self._sts.register_session(
            key,
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
                "UserId": f"{name}:{session}",
                "SecretAccessKey": part("secret"),
                "SessionToken": part("token"),
            },
        )
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": part("secret"),
            "AWS_SESSION_TOKEN": part("token"),
        }

    def run_with(self, invoke: Invoke) -> None:
        """Let `invoke` run the events of functions whose proxy is `FUNCTION_PROCESS`: no port, and nobody else asks."""
        elsewhere = self._lambda._execute_function_proxy

        def execute(function: dict[str, Any], event: object, url: str, request: str) -> dict[str, Any]:
            if url != FUNCTION_PROCESS:
                return dict(elsewhere(function, event, url, request))
            configuration = function.get("config") or function
            # MiniStack stops listening at the deadline; the answer has to come before.
            deadline = time.time() + int(configuration.get("Timeout") or 3) - 0.2
            arn, version = configuration["FunctionArn"], configuration.get("Version", "$LATEST")
            try:
                return {"body": invoke(arn, version, request, deadline, event)}
            except FunctionError as error:
                return {"body": error.payload, "error": True}
            except (BotoCoreError, ClientError) as error:
                return {"body": {"errorType": type(error).__name__, "errorMessage": str(error)}, "error": True}

        _replace(self._lambda, "_execute_function_proxy", execute)

    def save(self) -> None:
        """Write the state as at an orderly end; the registry's only while it is small: it is written as one text."""
        from ministack.core.persistence import save_all

        states = dict(self._app._build_persistence_save_dict())
        if sum(len(layer) for blobs in self._ecr._layer_blobs.all_values() for layer in blobs.values()) > SMALL:
            states.pop("ecr", None)
        save_all(states)

    def _put_image_to_pull(self, data: dict[str, Any]) -> Any:  # noqa: ANN401 - MiniStack's answer
        """An image that was put by its manifest can be pulled by its digest, too: engines ask for it so."""
        answer = self._put_image(data)
        name, text = data.get("repositoryName", ""), data.get("imageManifest", "")
        if answer[0] == 200:
            manifests = self._ecr._manifest_blobs.setdefault(name, {})
            manifests[data.get("imageDigest") or self._ecr._image_digest(text)] = text.encode()
        return answer

    def _authorization_token(self, data: object) -> object:  # noqa: ARG002 - MiniStack's signature
        pair = f"{secrets.REGISTRY_USER}:{secrets.registry_password(self._secret)}"
        answer = {
            "authorizationToken": base64.b64encode(pair.encode()).decode(),
            "expiresAt": int(time.time()) + 43200,
            "proxyEndpoint": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        }
        return self._ecr.json_response({"authorizationData": [answer]})


def _replace(module: Any, name: str, ours: object) -> Any:  # noqa: ANN401 - a module without types
    """Put `ours` into the module's place of that name; returns what was there."""
    if not hasattr(module, name):
        raise ImportError(f"this version of MiniStack has no {module.__name__}.{name}")
    theirs = getattr(module, name)
    setattr(module, name, ours)
    return theirs
