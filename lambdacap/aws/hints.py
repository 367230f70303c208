"""What a person can do: about refusals of AWS that come with experience, not with the API reference, and more."""

from __future__ import annotations

import sys

_BY_CODE = {
    "TooManyRequestsException": "AWS allows so many of these calls a minute: wait one, then repeat the command.",
    "ThrottlingException": "AWS allows so many of these calls a minute: wait one, then repeat the command.",
    "Throttling": "AWS allows so many of these calls a minute: wait one, then repeat the command.",
    "LimitExceededException": "A quota of this account is used up: delete what nobody needs, or ask AWS for more.",
    "LimitExceeded": "A quota of this account is used up: delete what nobody needs, or ask AWS for more.",
    "ServiceQuotaExceededException": "A quota of this account is used up: delete what nobody needs, or ask for more.",
    "CodeStorageExceededException": "The account's room for functions is used up: delete versions that nobody needs.",
    "OptInRequired": "This account has not enabled the service or the region: do that in AWS's console first.",
    "KMSAccessDeniedException": "The role that had this name before is gone: `lambdacap teardown`, then deploy again.",
}
_BY_PHRASE = {
    "cannot be assumed by lambda": "IAM takes a while to spread a new role: run the same command again in a minute.",
    "layer media type": "Lambda takes a single image, without index and attestations: delete it from the repository, "
    "and let `lambdacap push` build it anew.",
    "source image": "The image has left the repository: `lambdacap push` puts it there again.",
    "permission to access the ecr image": "The repository must let Lambda pull: `lambdacap deploy` mends its policy.",
    "base path mapping": "A custom domain of yours leads to this API: remove its mapping, then run the command again.",
    "usage plan": "A usage plan of yours is good for this API: take its stage out there, then run the command again.",
    "update is in progress": "Somebody else is changing the function: wait for them, then run the same command again.",
}
"""Parts of messages, in lower case. They come before the codes, which say less."""


def install_extra(extra: str) -> str:
    """How to get what lambdacap needs for some of its work only."""
    # lambdacap itself is there already, so pip adds what is missing only: to a checkout as to a wheel.
    return f"Run `{sys.executable} -m pip install 'lambdacap[{extra}]'`."


def hint(code: str, message: str) -> str:
    """The hint for AWS's error, or nothing."""
    said = message.lower()
    return next((words for phrase, words in _BY_PHRASE.items() if phrase in said), _BY_CODE.get(code, ""))
