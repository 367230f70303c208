"""What AWS's refusals mean: its codes and words, turned into errors that say what to do."""

from __future__ import annotations

import html
import re

from botocore.exceptions import ClientError

from lambdacap.aws import hints
from lambdacap.errors import AwsError, CredentialsError, SettingsError

_PAGE = 200
"""Characters of a page that a message may have."""
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
UNKNOWN_CALLER = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}


def code(error: ClientError) -> str:
    """AWS's error code, for example `ResourceNotFoundException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def text(error: ClientError) -> str:
    """AWS's own message; of an HTML page, which a proxy or a gateway puts in its place, the title."""
    return plain(str(error.response.get("Error", {}).get("Message", "")).strip())


def plain(words: str) -> str:
    """`words` as they are, or what a page says in its title or heading, in one line that a terminal shows."""
    if not re.search(r"<(!doctype|html|head|body|title)\b", words, re.IGNORECASE):
        return words
    title = re.search(r"<(title|h1)[^>]*>(.*?)</\1>", words, re.IGNORECASE | re.DOTALL)
    said = " ".join(re.sub(r"<[^>]*>", " ", html.unescape(title[2] if title else words)).split())
    return f"a web page in place of an answer: {said[:_PAGE]}"


def not_enabled(region: str) -> SettingsError:
    return SettingsError(
        f"AWS knows these credentials, but not in {region}: this account has not enabled that region",
        hint="Enable it in AWS's console (Account, AWS Regions), or choose another --region. If it is enabled: a "
        "session from STS's global endpoint holds in AWS's older regions only; sign in at the region's own.",
    )


def refused(error: ClientError, under_way: str, caller: str) -> AwsError | CredentialsError:
    """The error that a refusal of the call `under_way` comes to; `caller` is who asked, if that is known."""
    name = code(error)
    service = under_way.partition(":")[0]
    operation = f"{service}:{error.operation_name}" if service else error.operation_name
    message = f"AWS refused {operation}: {text(error) or name} ({name})"
    if name in _EXPIRED:
        return CredentialsError(message, hint="The session has expired: sign in again, then repeat the command.")
    if name in UNKNOWN_CALLER:
        return CredentialsError(message, hint="AWS does not know these credentials: check the profile and the keys.")
    hint = hints.hint(name, message)
    if name in _DENIED and not hint:
        # API Gateway knows HTTP's verbs only, and Invoke is InvokeFunction: the policy has the names that count.
        who = caller or "This user"
        hint = f"{who} needs the permission {operation}; `lambdacap policy` prints all that are needed."
    return AwsError(message, operation=operation, code=name, hint=hint)
