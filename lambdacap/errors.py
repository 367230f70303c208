"""Everything that can go wrong and is no bug.

    LambdacapError            what happened and where; `hint` says what to do now
    ├── UsageError            a command line that cannot be read
    ├── SettingsError         a flag, variable or file holds what cannot be used
    ├── StorageError          a file or folder of this machine cannot be read or written
    ├── CredentialsError      AWS does not know who is asking
    ├── AwsError              AWS refused or failed a call (`operation`, `code`)
    ├── NotOursError          the name is taken by something without our tag
    ├── DeploymentError       a deployment is missing, unfinished or somebody else's
    ├── EngineError           no Docker engine, or it failed to build or push
    ├── LocalCloudError       the local cloud cannot start, stop or answer
    ├── ProjectError          a project's predictor cannot be served, or its requirements contradict one another
    │   ├── NotHereError      they cannot be installed, or it cannot be imported, on this machine
    │   └── TooSlowError      it was ended, since it took too long
    ├── InputError            what is to be sent is missing, unknown, or not what the model takes
    │   └── PhotoError        a file is no picture that can be sent
    ├── ModelError            weights or a bundle are missing, broken or not what they should be
    └── CallError             the deployed API could not be called or refused

Errors of libraries are turned into these where the library is called, with `raise … from`, so that
above that line only this tree is known.
"""

from __future__ import annotations


class LambdacapError(Exception):
    """An expected failure: `message` says what and where, `hint` what to do now."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LambdacapError):
    """The command line cannot be read: no such command, option or value."""


class SettingsError(LambdacapError):
    """A flag, an environment variable or `lambdacap.toml` holds what cannot be used."""


class StorageError(LambdacapError):
    """A file or folder of this machine cannot be read or written."""


class CredentialsError(LambdacapError):
    """No AWS credentials, or ones that AWS does not accept."""


class AwsError(LambdacapError):
    """AWS refused or failed a call.

    `operation` is the API's own name (`CreateFunction`), `code` its error code
    (`ResourceConflictException`), or empty when no answer came.
    """

    def __init__(self, message: str, *, operation: str = "", code: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.operation = operation
        self.code = code


class NotOursError(LambdacapError):
    """Something of the deployment's name exists without its tag: never touched."""


class DeploymentError(LambdacapError):
    """A deployment is missing, unfinished, or belongs to another account or region."""


class EngineError(LambdacapError):
    """The Docker engine is missing, refuses, or failed to build or push."""


class LocalCloudError(LambdacapError):
    """The local cloud cannot start, stop or answer."""


class ModelError(LambdacapError):
    """Weights cannot be downloaded or converted, or a bundle is none."""


class ProjectError(LambdacapError):
    """A project's predictor cannot be served, or what it requires contradicts itself or what serving needs."""


class NotHereError(ProjectError):
    """What a project requires cannot be installed, or its predictor be imported, on this machine."""


class TooSlowError(ProjectError):
    """A start or an answer took too long, and was ended."""


class InputError(LambdacapError):
    """An input of `invoke` is missing, unknown or not what the model takes, or its answer has no place to go."""


class PhotoError(InputError):
    """A file is not there or is no picture that can be sent."""


class CallError(LambdacapError):
    """The deployed API could not be reached or refused; `status` is the HTTP status, 0 without one."""

    def __init__(self, message: str, *, status: int = 0, code: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
