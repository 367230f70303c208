"""The deployed API from the caller's side: ask what it takes, post inputs, wait out a cold start."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.auth import AuthBase

from lambdacap.client.answer import Answer, truncated
from lambdacap.client.contract import CAPTIONER, JSON, Contract, read
from lambdacap.client.photo import Photo
from lambdacap.client.request import Request
from lambdacap.client.source import File
from lambdacap.errors import CallError, LocalCloudError

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 35.0
"""Seconds; API Gateway gives up after 29."""
PATIENCE = 120.0
"""Seconds that a cold start, or too many callers, may take altogether."""
REFUSED = 15.0
"""Seconds that the gateway's own 500 may take: so it words that Lambda runs as many executions as it may, which passes
soon, and also that it may not call the function, which does not."""
LARGEST = 16_000_000
"""Bytes of an answer: Lambda hands on 6 MB, the gateway 10."""
DESCRIPTION = "openapi.json"
_GOOD = 200
_UNDESCRIBED = (403, 404)
"""What the gateway says where a deployment of before has no description."""
USED_UP = "quota"
"""The code of a `CallError` that every call of the day will get."""
_TEMPORARY = {429, 503, 504}
"""Throttled, unavailable, and a function that was still starting when the gateway gave up on it."""


class Client:
    """Calls one deployed API; use it as a context manager. `waiting` is told why and how long it waits.

    `auth` adds to each call what the API asks of its callers. `jitter` gives the share of each pause that is
    waited; of many callers each should take another. `transport` takes requests to what is no address.
    """

    def __init__(
        self,
        url: str,
        *,
        waiting: Callable[[str, float], None] = lambda _reason, _seconds: None,
        auth: AuthBase | None = None,
        jitter: Callable[[], float] = lambda: 1.0,
        transport: BaseAdapter | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self._waiting = waiting
        self._jitter = jitter
        self._sleep = sleep
        self._clock = clock
        self._session = requests.Session()
        self._session.auth = auth
        if transport:
            self._session.mount("http://", transport)
        self._here = urlsplit(url).hostname == "127.0.0.1"
        # A company's proxy does not know our 127.0.0.1.
        self._session.trust_env = not self._here

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def describe(self) -> Contract:
        """What the API takes and gives. Raises `CallError` when it does not say so in a way that can be followed."""
        answer = self._patiently(lambda: self._ask("GET", f"{self.url.rstrip('/')}/{DESCRIPTION}"))
        if answer.status_code in _UNDESCRIBED:
            return CAPTIONER
        if answer.status_code != _GOOD:
            raise _refusal(answer, DESCRIPTION)
        return read(_content(answer), self.url)

    def send(self, request: Request) -> Answer:
        """The API's answer.

        Raises `CallError` with the API's own words when it refuses, and when it stays busy or silent.
        """
        headers = {"Content-Type": request.media_type, "Accept": request.accept}
        answer = self._patiently(
            lambda: self._ask("POST", self.url, data=request.body, params=request.query, headers=headers)
        )
        if answer.status_code != _GOOD:
            raise _refusal(answer, request.name)
        return _read(answer, request)

    def _patiently(self, ask: Callable[[], requests.Response]) -> requests.Response:
        start, pause = self._clock(), 1.0
        while True:
            answer = ask()
            if self._clock() - start + pause > _patience(answer):
                return answer
            share = pause * self._jitter()
            self._waiting(f"HTTP {answer.status_code}", share)
            self._sleep(share)
            pause = min(pause * 2, 15.0)

    def exchange(self, photo: Photo, options: Mapping[str, str]) -> requests.Response:
        """One answer as it comes, whatever it is: for those who measure. Raises `CallError` without an answer."""
        headers = {"Content-Type": photo.media_type, "Accept": "application/json"}
        return self._ask("POST", self.url, data=photo.content, params=options, headers=headers)

    def _ask(self, method: str, url: str, **more: Any) -> requests.Response:  # noqa: ANN401 - as requests takes it
        try:
            with self._session.request(
                method,
                url,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,  # the gateway has none, and nobody else gets the key
                stream=True,
                **more,
            ) as answer:
                _load(answer)
                return answer
        except requests.ConnectionError as error:
            if self._here:
                raise LocalCloudError(
                    f"the local cloud does not answer at {self.url}",
                    hint="`lambdacap local start` starts it, with what was deployed there.",
                ) from error
            raise CallError(
                f"{self.url} cannot be reached: {error}",
                hint="Check the network; `lambdacap status` checks the API.",
            ) from error
        except requests.Timeout as error:
            raise CallError(
                f"{self.url} gave no answer within {READ_TIMEOUT:.0f} s",
                hint="Try again: the function may be warm now.",
            ) from error
        except requests.RequestException as error:  # an answer that breaks off, or is packed as nothing is
            raise CallError(
                f"the answer of {self.url} cannot be read: {_brief(error)}",
                hint="Try again; `lambdacap status` says whether the deployment is healthy.",
            ) from error


def _refusal(answer: requests.Response, name: str) -> CallError:
    content = _content(answer)
    error = content.get("error") if isinstance(content, dict) else None
    if isinstance(error, dict):
        return CallError(
            f"{name}: {_brief(error.get('message', 'refused'))}",
            status=answer.status_code,
            code=_brief(error.get("code", "")),
        )
    if _used_up(answer):
        return CallError(
            "the API key's quota of today is used up",
            status=answer.status_code,
            code=USED_UP,
            hint="It begins anew tomorrow, by UTC. `lambdacap deploy --quota N` raises it.",
        )
    words = content.get("message") if isinstance(content, dict) else None
    return CallError(
        f"{name}: the API answered {answer.status_code} {_brief(words or answer.reason or '')}".rstrip(),
        status=answer.status_code,
        hint=_HINTS.get(answer.status_code, "`lambdacap status` says whether the deployment is healthy."),
    )


def _load(answer: requests.Response) -> None:
    """Read all of an answer, if that has an end. Raises `CallError`."""
    content = bytearray()
    for piece in answer.iter_content(1 << 16):
        content += piece
        if len(content) > LARGEST:
            raise CallError(
                f"the answer of {answer.url} has more than {LARGEST / 1e6:.0f} MB, which the gateway never sends",
                hint="Is it a deployment of lambdacap that answers there?",
            )
    answer._content = bytes(content)  # what `answer.content` gives from now on


def _read(answer: requests.Response, request: Request) -> Answer:
    """What a good answer holds. Raises `CallError` for one that is not what it says it is."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()[:100]
    if request.wants_file or kind not in (JSON, "", "text/plain", "text/html"):
        return Answer(file=File(request.name, answer.content, kind or "application/octet-stream"))
    if kind == "text/plain":
        return Answer(answer.content.decode("utf-8", "replace"))
    try:
        value = answer.json()
    except (ValueError, RecursionError) as error:
        raise CallError(
            f"{request.name}: the API answered {answer.status_code} with what is no JSON",
            status=answer.status_code,
            hint="Is it this project's model that answers there? `lambdacap status` tells what is deployed.",
        ) from error
    return Answer(value, truncated=truncated(value))


def _content(answer: requests.Response) -> Any:  # noqa: ANN401 - whatever JSON can hold
    try:
        return answer.json()
    except (ValueError, RecursionError):  # no JSON, or lists in lists without an end
        return None


def _brief(words: object) -> str:
    """A server's words on one line, and no page of them."""
    return " ".join(str(words).split())[:300]


def _used_up(answer: requests.Response) -> bool:
    """Whether the key's quota is used up, which API Gateway answers as it does a throttle, in other words."""
    content = _content(answer) if answer.status_code == 429 else None
    return isinstance(content, dict) and str(content.get("message", "")).startswith("Limit Exceeded")


def _patience(answer: requests.Response) -> float:
    """Seconds from the first call within which it may be worth another."""
    if answer.status_code in _TEMPORARY:
        return 0.0 if _used_up(answer) else PATIENCE
    content = _content(answer) if answer.status_code == 500 else None
    return REFUSED if isinstance(content, dict) and "message" in content and "error" not in content else 0.0


_HINTS = {
    403: "There is no such API any more, or it wants a key or a signature: `lambdacap status` tells.",
    404: "There is no such API any more: `lambdacap status` tells.",
    413: "What is sent is too large for the gateway; photos are shrunk without --original.",
    429: "Too many callers at once; try again in a minute.",
    500: "The gateway could not start the function: too many calls at once (the account's limit), or no permission, "
    "which `lambdacap status` shows.",
    502: "The function failed: its log says why.",
    504: "The function takes longer than the gateway waits (29 s): give it more --memory.",
}
