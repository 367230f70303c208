"""The deployed API from the caller's side: post a photo, wait out a cold start."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from lambdacap.client.photo import Photo
from lambdacap.errors import CallError, LocalCloudError

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 35.0
"""Seconds; API Gateway gives up after 29."""
PATIENCE = 120.0
"""Seconds that a cold start, or too many callers, may take altogether."""
REFUSED = 15.0
"""Seconds that the gateway's own 500 may take: so it words that Lambda runs as many executions as it may, which passes
soon, and also that it may not call the function, which does not."""
USED_UP = "quota"
"""The code of a `CallError` that every call of the day will get."""
_TEMPORARY = {429, 503, 504}
"""Throttled, unavailable, and a function that was still starting when the gateway gave up on it."""


class Client:
    """Calls one deployed API; use it as a context manager. `waiting` is told why and how long it waits.

    `auth` adds to each call what the API asks of its callers. `jitter` gives the share of each pause that is
    waited; of many callers each should take another.
    """

    def __init__(
        self,
        url: str,
        *,
        waiting: Callable[[str, float], None] = lambda _reason, _seconds: None,
        auth: AuthBase | None = None,
        jitter: Callable[[], float] = lambda: 1.0,
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
        self._here = urlsplit(url).hostname == "127.0.0.1"
        # A company's proxy does not know our 127.0.0.1.
        self._session.trust_env = not self._here

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def caption(self, photo: Photo, options: Mapping[str, str]) -> dict[str, Any]:
        """The API's answer for `photo`; `options` go into the query.

        Raises `CallError` with the API's own words when it refuses, and when it stays busy or silent.
        """
        start, pause = self._clock(), 1.0
        while True:
            answer = self._post(photo, options)
            if self._clock() - start + pause > _patience(answer):
                return self._read(answer, photo)
            share = pause * self._jitter()
            self._waiting(f"HTTP {answer.status_code}", share)
            self._sleep(share)
            pause = min(pause * 2, 15.0)

    def exchange(self, photo: Photo, options: Mapping[str, str]) -> requests.Response:
        """One answer as it comes, whatever it is: for those who measure. Raises `CallError` without an answer."""
        return self._post(photo, options)

    def _post(self, photo: Photo, options: Mapping[str, str]) -> requests.Response:
        try:
            return self._session.post(
                self.url,
                data=photo.content,
                params=options,
                headers={"Content-Type": photo.media_type, "Accept": "application/json"},
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,  # the gateway has none, and nobody else gets the key
            )
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

    def _read(self, answer: requests.Response, photo: Photo) -> dict[str, Any]:
        content = _content(answer)
        if answer.ok and isinstance(content, dict) and isinstance(content.get("caption"), str):
            return {**content, "truncated": True} if photo.truncated else content
        error = content.get("error") if isinstance(content, dict) else None
        if isinstance(error, dict):
            raise CallError(
                f"{photo.name}: {_brief(error.get('message', 'refused'))}",
                status=answer.status_code,
                code=_brief(error.get("code", "")),
            )
        if _used_up(answer):
            raise CallError(
                "the API key's quota of today is used up",
                status=answer.status_code,
                code=USED_UP,
                hint="It begins anew tomorrow, by UTC. `lambdacap deploy --quota N` raises it.",
            )
        words = content.get("message") if isinstance(content, dict) else None
        if answer.ok:
            raise CallError(
                f"{photo.name}: the API answered {answer.status_code} without a caption",
                status=answer.status_code,
                hint="Is it this project's model that answers there? `lambdacap status` tells what is deployed.",
            )
        raise CallError(
            f"{photo.name}: the API answered {answer.status_code} {_brief(words or answer.reason or '')}".rstrip(),
            status=answer.status_code,
            hint=_HINTS.get(answer.status_code, "`lambdacap status` says whether the deployment is healthy."),
        )


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
    413: "The photo is too large for the gateway; without --original it is shrunk.",
    429: "Too many callers at once; try again in a minute.",
    500: "The gateway could not start the function: too many calls at once (the account's limit), or no permission, "
    "which `lambdacap status` shows.",
    502: "The function failed: its log says why.",
    504: "The function takes longer than the gateway waits (29 s): give it more --memory.",
}
