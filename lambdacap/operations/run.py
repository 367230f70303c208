"""One prediction without a cloud: the project's handler answers as the API would, through no network."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from lambdacap.local import event as gateway
from lambdacap.local.instance import Instance

URL = "http://127.0.0.1/"
"""What the instance is asked as; nothing listens there."""


class Direct(HTTPAdapter):
    """Hands what `requests` sends to an instance. Raises `ProjectError` for a mistake of the predictor."""

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:  # noqa: ANN401
        body = request.body or b""
        asked = urlsplit(request.url or URL)
        made = gateway.event(
            request.method or "GET",
            asked.path or "/",
            asked.query,
            list(request.headers.items()),
            body.encode() if isinstance(body, str) else bytes(body),
        )
        answer = self._instance.ask(made)
        if mistake := self._instance.mistake(answer):
            raise mistake
        said = gateway.response(answer.result)
        raw = HTTPResponse(BytesIO(said.body), headers=said.headers, status=said.status, preload_content=False)
        return self.build_response(request, raw)
