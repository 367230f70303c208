"""botocore's exceptions as ours.

Which one it is says less than where it comes from: credentials are fetched from a dozen places, by other programs and
from files that people edit, and whatever goes wrong there arrives as it was raised there: `OSError`, `EOFError`,
`JSONDecodeError`, `KeyError`. So what is raised on the way through botocore's credentials is about credentials.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from getpass import GetPassWarning

import botocore.exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from lambdacap.errors import CredentialsError, LambdacapError, SettingsError

CREDENTIALS = (
    botocore_errors.CredentialRetrievalError,
    botocore_errors.LoginError,
    botocore_errors.MetadataRetrievalError,
    botocore_errors.NoAuthTokenError,
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.RefreshWithMFAUnsupportedError,
    botocore_errors.SSOError,
    botocore_errors.TokenRetrievalError,
    botocore_errors.UnknownTokenProviderError,
)
"""Who is asking cannot be learnt."""
CONFIGURATION = (
    botocore_errors.BaseEndpointResolverError,
    botocore_errors.ConfigNotFound,
    botocore_errors.ConfigParseError,
    botocore_errors.EndpointProviderError,
    botocore_errors.InvalidChecksumConfigError,
    botocore_errors.InvalidConfigError,
    botocore_errors.InvalidDefaultsMode,
    botocore_errors.InvalidEndpointConfigurationError,
    botocore_errors.InvalidEndpointDiscoveryConfigurationError,
    botocore_errors.InvalidIMDSEndpointError,
    botocore_errors.InvalidIMDSEndpointModeError,
    botocore_errors.InvalidProxiesConfigError,
    botocore_errors.InvalidRegionError,
    botocore_errors.InvalidRetryConfigurationError,
    botocore_errors.InvalidS3AddressingStyleError,
    botocore_errors.InvalidS3UsEast1RegionalEndpointConfigError,
    botocore_errors.InvalidSTSRegionalEndpointsConfigError,
    botocore_errors.MissingDependencyException,
    botocore_errors.ServiceNotInRegionError,
    botocore_errors.UnknownCredentialError,
    botocore_errors.UnknownRegionError,
    botocore_errors.UnknownSignatureVersionError,
    botocore_errors.UnsupportedSignatureVersionError,
)
"""The user's AWS files and variables say what cannot be."""
ANSWERS = (
    botocore_errors.CapacityNotAvailableError,
    botocore_errors.ChecksumError,
    botocore_errors.ConnectionError,
    botocore_errors.FlexibleChecksumError,
    botocore_errors.HTTPClientError,
    botocore_errors.IncompleteReadError,
    ResponseParserError,  # a proxy's or portal's page, not AWS's answer
)
"""No answer came, or none of AWS's. All else that botocore raises is what we do wrong."""
_FETCHING = ("botocore.credentials", "botocore.tokens")
_READING = ("botocore.configloader", "botocore.configprovider")
_SIGN_IN = "Run `aws sts get-caller-identity`: what helps it helps here. Without an account, use --local."


def about_the_user(error: BaseException) -> LambdacapError | None:
    """Ours, when the exception is about credentials or AWS's settings; None for all else."""
    if isinstance(error, botocore_errors.ProfileNotFound):
        return SettingsError(_words(error), hint="`aws configure list-profiles` shows the ones there are.")
    if isinstance(error, botocore_errors.NoCredentialsError | botocore_errors.PartialCredentialsError):
        return no_credentials(error if isinstance(error, botocore_errors.PartialCredentialsError) else None)
    if isinstance(error, botocore_errors.SSOError | botocore_errors.TokenRetrievalError):
        return CredentialsError(
            f"AWS credentials could not be fetched: {_words(error)}", hint="Sign in again: `aws sso login`."
        )
    if isinstance(error, botocore_errors.LoginError):
        return CredentialsError(
            f"AWS credentials could not be fetched: {_words(error)}", hint="Sign in again: `aws login`."
        )
    if isinstance(error, CREDENTIALS):
        return CredentialsError(f"AWS credentials could not be fetched: {_words(error)}", hint=_SIGN_IN)
    modules = set(_through(error))
    if isinstance(error, ClientError):
        refused = f"AWS refused {error.operation_name}: {_words(error)}"
        return CredentialsError(refused, hint=_SIGN_IN) if modules & set(_FETCHING) else None
    lacking = isinstance(error, botocore_errors.MissingDependencyException)
    if isinstance(error, CONFIGURATION) and not (lacking and modules & set(_FETCHING)):
        return SettingsError(
            f"AWS's own settings cannot be used: {_words(error)}",
            hint="Correct ~/.aws/config, ~/.aws/credentials or the AWS_ variable; without an account, use --local.",
        )
    if isinstance(error, BotoCoreError) and not lacking:
        return None
    if modules & set(_FETCHING):
        return CredentialsError(f"AWS credentials could not be fetched: {_words(error)}", hint=_SIGN_IN)
    if modules & set(_READING):
        return SettingsError(
            f"AWS's own settings cannot be used: {_words(error)}",
            hint="Correct ~/.aws/config, ~/.aws/credentials or the AWS_ variable; without an account, use --local.",
        )
    return None


def no_credentials(partial: BaseException | None = None) -> CredentialsError:
    """That there are none, or only a part."""
    return CredentialsError(
        f"AWS credentials are incomplete: {_words(partial)}" if partial else "no AWS credentials were found",
        hint="Run `aws configure` or `aws sso login`, or set AWS_PROFILE; without an account, use --local.",
    )


def _words(error: BaseException) -> str:
    """What it says; of those that say too little to be understood, their kind too."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, EOFError | GetPassWarning):
        return "a code is asked for, and there is no terminal to type it in"
    said = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, BotoCoreError | ClientError):
        return said
    return f"{said or 'nothing said'} ({type(error).__name__})"


def _through(error: BaseException) -> Iterator[str]:
    """The modules that it came through."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        yield str(frame.f_globals.get("__name__", ""))
