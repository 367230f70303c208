"""Text as a request's body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.gateway import HttpError

if TYPE_CHECKING:
    from serving.gateway import Request


def read(http: Request) -> str:
    """The body as text, in the charset that its type names, else in UTF-8. Raises `HttpError`.

    What the gateway took for text is UTF-8 by now, whatever it was before.
    """
    charset = (http.binary and parameter(http.headers.get("content-type", ""), "charset")) or "utf-8"
    return decoded(http.body, charset)


def decoded(data: bytes, charset: str = "utf-8", where: str = "the body") -> str:
    """Bytes as text, without a byte order mark. Raises `HttpError`."""
    try:
        return data.decode(charset).removeprefix("\ufeff")
    except LookupError as error:
        raise HttpError(
            415, "unsupported_charset", f"{where}: the charset {charset[:40]!r} is unknown; take UTF-8"
        ) from error
    except UnicodeDecodeError as error:
        raise HttpError(
            400, "invalid_text", f"{where} is not {charset}: {error.reason} at byte {error.start}"
        ) from error


def parameter(header: str, name: str) -> str:
    """A parameter of a header, `boundary` of `Content-Type` for example; "" without it."""
    from email.message import Message  # which takes a while, and few requests need it

    message = Message()
    message["Content-Type"] = header
    found = message.get_param(name, "")
    return found if isinstance(found, str) else found[2]
