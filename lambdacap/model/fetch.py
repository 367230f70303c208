"""Downloads weights into the cache: goes on where it broke off, and remembers what it got.

Beside a file `X` lies `X.json` with its address, size and SHA-256; while it is on its way there are `X.part` and
`X.part.json` with what the server said of the version that it is a part of.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from lambdacap.errors import ModelError
from lambdacap.events import Finished, Progress, Report, Started, Warned
from lambdacap.model.cache import Fetched, alone, cached, cached_file, discard, hashed, part_of, record_of

if TYPE_CHECKING:
    import requests

    from lambdacap.model.pace import Pace

KIND = "weights"
PUBLISHED = (
    "https://alexm-personal-website-v2.s3.eu-central-1.amazonaws.com"
    "/blog/2022-02-01-serverless-deploy-image-to-text/model.pickle"
)
"""ResNet-101 with an attention decoder, trained on COCO: 250 MB (its author's page)."""

ATTEMPTS = 5
"""Failures in a row, without a byte in between, after which it is given up."""
PATIENCE = (10.0, 30.0)
"""Seconds for the connection, and for each piece of the answer."""
ALL_ATTEMPTS = 1000
"""Attempts in all: each may have brought a byte, and it would go on for ever."""
LARGEST = 5 * 10**9
"""Bytes of a download, whatever the server says of its length: what is larger is no model for Lambda's 10 GB."""
PIECE = 1 << 15  # bytes read at once
WINDOW = 60.0
"""Seconds within which a piece has to come: at less than that, weights would take days."""
BUSY = frozenset((408, 425, 429, 500, 502, 503, 504))
"""HTTP statuses that may be others in a moment."""


class _BrokenOffError(Exception):
    """The transfer ended early, or a busy server refused: worth another attempt."""


def fetch(
    url: str,
    cache: Path,
    report: Report,
    *,
    sha256: str | None = None,
    patience: tuple[float, float] = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """The file at `url`, downloaded unless it is there already.

    `sha256` is what it must hash to. Raises `ModelError` for a dead address, a wrong hash, a full disk.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ModelError(f"{sha256!r} is no SHA-256", hint="It is 64 hexadecimal digits.")
    if not _is_address(url):
        raise ModelError(f"{url!r} is no address to download from", hint="It begins with https:// or http://.")
    report(Started(KIND, f"weights from {urlsplit(url).hostname}"))
    file = cached_file(url, cache)
    found = cached(url, cache)
    if found is not None:
        _check(found, sha256)
        report(Finished(KIND, "kept", str(file)))
        return found
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with alone(part_of(file)) as part:
            _download(url, file, part, report, patience, sleep)
            part.seek(0)
            fetched = Fetched(file, url, part.seek(0, 2), hashed(part_of(file)))
        if sha256 is not None and fetched.sha256 != sha256.lower():
            # Gone on with, it would be as wrong; another download may be right.
            discard(part_of(file))
        _check(fetched, sha256)
        part_of(file).replace(file)
        record_of(part_of(file)).unlink(missing_ok=True)
        record_of(file).write_text(json.dumps({**asdict(fetched), "file": file.name}, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise ModelError(
            f"the weights could not be written to {file.parent}: {error.strerror or error}",
            hint="LAMBDACAP_HOME names another folder.",
        ) from error
    report(Finished(KIND, "created", f"{file} ({fetched.size / 1e6:.1f} MB)"))
    return fetched


def _download(
    url: str,
    file: Path,
    part: BinaryIO,
    report: Report,
    patience: tuple[float, float],
    sleep: Callable[[float], None],
) -> None:
    from lambdacap.model.pace import Pace

    failures = 0
    for attempt in range(ALL_ATTEMPTS):
        before = part.seek(0, 2)
        try:
            with Pace(PIECE, WINDOW) as pace:
                _attempt(url, file, part, report, patience, pace)
        except _BrokenOffError as error:
            failures = 0 if part.seek(0, 2) > before and not pace.futile else failures + 1
            if failures >= ATTEMPTS or attempt == ALL_ATTEMPTS - 1:
                kept = f" {before / 1e6:.1f} MB have arrived: run it again, and it goes on there." if before else ""
                raise ModelError(
                    f"{url} does not answer as it should: {error}",
                    hint=f"Check the address and the network.{kept} --url takes another address, "
                    "and --weights a file that you have.",
                ) from error
            wait = 2.0**failures
            report(Warned(f"{urlsplit(url).hostname}: {error}; again in {wait:.0f} s"))
            sleep(wait)
        else:
            return


def _attempt(url: str, file: Path, part: BinaryIO, report: Report, patience: tuple[float, float], pace: Pace) -> None:
    """Asks for what is missing and appends it. Raises `_BrokenOffError` when another attempt may help."""
    import requests

    have = part.seek(0, 2)
    validator = _validator(file)
    headers = {"Accept-Encoding": "identity"}
    if have and validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    try:
        with pace.session.get(url, headers=headers, stream=True, timeout=patience) as answer:
            _check_pace(pace)  # or it was the head that did not come, which looks like one that ended
            total = _begin(answer, url, file, part, have)
            have = part.tell()
            _check_space(file.parent, total - have)
            for piece in answer.iter_content(PIECE):
                have += len(piece)
                pace.came(len(piece))
                # The server's own length is no bound to what it sends.
                if have > (total or LARGEST):
                    part.truncate(0)
                    raise _dead(url, f"it sends more than {'it said' if total else f'{LARGEST / 1e9:.0f} GB'}")
                part.write(piece)
                report(Progress(KIND, "downloading", have, total))
        part.flush()
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        part.flush()
        _check_pace(pace)
        raise _BrokenOffError(_reason(error)) from error
    except requests.RequestException as error:  # too many redirects, an address that is none
        raise _dead(url, str(error)) from error
    _check_pace(pace)  # where no length is told, the end is no error
    if total and have != total:
        raise _BrokenOffError(f"{have} of {total} bytes came")
    if not have:
        raise _dead(url, "it is empty")


def _begin(answer: requests.Response, url: str, file: Path, part: BinaryIO, have: int) -> int:
    """Looks at the answer's head, puts `part` to where its body belongs; returns the file's size, 0 if unknown."""
    if url.startswith("https:") and not answer.url.startswith("https:"):
        raise _dead(url, f"it leads to {answer.url}, which anybody on the way could change")
    if answer.status_code in BUSY:
        raise _BrokenOffError(f"HTTP status {answer.status_code}")
    if answer.status_code == 416:  # what we have is more than what there is
        part.truncate(0)
        record_of(part_of(file)).unlink(missing_ok=True)
        raise _BrokenOffError("the part that was here does not fit")
    if answer.status_code not in (200, 206):
        raise _dead(url, f"HTTP status {answer.status_code} {answer.reason or ''}".strip())
    if "text/html" in answer.headers.get("Content-Type", ""):
        raise _dead(url, "it answers with a web page and no file")
    packed = answer.headers.get("Content-Encoding", "identity")
    if packed.lower() != "identity":  # a few bytes can be unpacked to any number
        raise _dead(url, f"it comes packed ({packed[:20]}), which it was not asked for")
    length = answer.headers.get("Content-Length", "")
    left = int(length) if re.fullmatch("[0-9]{1,15}", length) else 0
    _check_size(url, have * (answer.status_code == 206) + left)
    if answer.status_code == 206:
        span = r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15}|\*)"
        match = re.fullmatch(span, answer.headers.get("Content-Range", ""))
        if match and int(match[1]) == have:
            total = int(match[2]) if match[2] != "*" else have + left
            _check_size(url, total)
            return total
        part.truncate(0)
        raise _BrokenOffError("the server sent another part than was asked for")
    # The whole: a first attempt, another version, or a server that knows no parts.
    part.truncate(0)
    part.seek(0)
    tag = answer.headers.get("ETag", "")
    # A weak tag says "about the same", which is not enough to put two parts together.
    validator = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
    record_of(part_of(file)).write_text(json.dumps({"url": url, "validator": validator, "size": left}), "utf-8")
    return left


def _check_pace(pace: Pace) -> None:
    if pace.slow:
        raise _BrokenOffError("it sends too slowly")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that are none
        return False


def _check_size(url: str, size: int) -> None:
    if size > LARGEST:
        raise _dead(url, f"it is {size / 1e9:.1f} GB, and a model has at most {LARGEST / 1e9:.0f}")


def _validator(file: Path) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(record_of(part_of(file)).read_text("utf-8"))["validator"])
    return ""


def _check(fetched: Fetched, sha256: str | None) -> None:
    if sha256 is not None and fetched.sha256 != sha256.lower():
        raise ModelError(
            f"{fetched.url} has the SHA-256 {fetched.sha256}, expected was {sha256.lower()}",
            hint="It was changed, or the expectation is of another file. Do not use it before you know which.",
        )


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ModelError(
            f"{folder} has {free / 1e6:.0f} MB left, and {needed / 1e6:.0f} MB are to come",
            hint="Make room, or set LAMBDACAP_HOME to a folder elsewhere.",
        )


def _dead(url: str, reason: str) -> ModelError:
    return ModelError(
        f"{url} cannot be downloaded: {reason}",
        hint="If the address is dead, --url takes another one and --weights a file that you have; "
        "`--weights demo` needs none.",
    )


def _reason(error: Exception) -> str:
    """The innermost cause, without the wrapping of two HTTP libraries."""
    text = str(error)
    if "Name or service not known" in text or "NameResolution" in text or "getaddrinfo" in text:
        return "its host is not known"
    if "timed out" in text.lower():
        return "nothing came for too long"
    if "refused" in text:
        return "the connection was refused"
    return "the connection broke off"
