"""How fast a deployment answers, cold and warm, where the time goes, and which memory size is worth its price.

Warm calls go through the gateway to what is live. Cold starts, and other memory sizes, are measured on the function's
unpublished self ($LATEST), invoked directly: a changed environment variable makes Lambda start it anew, and callers
of the live version notice nothing. It is as before afterwards, whatever ends the measurement.
"""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from lambdacap.aws.answer import payload as payload_of
from lambdacap.aws.clients import translated
from lambdacap.aws.prices import Prices
from lambdacap.client.http import Client
from lambdacap.client.photo import Photo
from lambdacap.errors import CallError
from lambdacap.events import Progress, Started
from lambdacap.insight.traffic import percentile
from lambdacap.resources import Site
from lambdacap.resources.function.release import rest, settle

PHASES = ("network", "gateway", "lambda", "init", "decode", "encode", "beam", "predict", "rest")
"""`network` is a round trip, `gateway` what lies between the caller and the handler, `lambda` the same of a direct
call; the others are the handler's, `predict` of a model that tells no more of itself, and `rest` what is left."""
TOUCHED = "LAMBDACAP_BENCH"
"""The environment variable that makes Lambda start the function anew."""
DEARER = 1.2
"""How much more than the cheapest memory size the one to choose may cost."""
_NUMBER = re.compile(r"(Init Duration|Billed Duration|Max Memory Used): (\d{1,15}(?:\.\d{1,15})?)")


@dataclass(frozen=True)
class Plan:
    """What to measure: `cold` starts a memory size, warm calls for `seconds` at `concurrency`.

    `sizes` in MB are compared; without any, only the live one is measured.
    """

    photo: Photo
    cold: int
    seconds: float
    concurrency: int
    sizes: tuple[int, ...] = ()

    def ceiling(self, memory: int, prices: Prices) -> float:
        """Dollars that it costs at most, or so: calls of 50 ms, cold starts of 10 s."""
        warm = self.seconds * self.concurrency
        cost = warm * memory / 1024 * prices.gb_second + warm / 0.05 * (prices.invocation + prices.request)
        for size in self.sizes or (memory,):
            busy = self.cold * 10 + (self.seconds if self.sizes else 0)
            cost += busy * size / 1024 * prices.gb_second + busy / 0.05 * prices.invocation
        return cost


@dataclass(frozen=True)
class Call:
    """One answer. Milliseconds: `total` as the caller waited, `billed` as Lambda charges; `used` in MB, 0 unknown."""

    total: float
    phases: Mapping[str, float]
    billed: float
    used: float = 0.0
    cold: bool = False


@dataclass(frozen=True)
class Sample:
    """Calls of one kind: `way` is gateway or direct; `failures` counts answers by status."""

    memory: int
    cold: bool
    way: str
    calls: tuple[Call, ...]
    failures: Mapping[str, int] = field(default_factory=dict)
    concurrency: int = 1
    seconds: float = 0.0

    def at(self, share: float) -> float:
        """Milliseconds that `share` percent of the calls did not exceed."""
        return percentile([call.total for call in self.calls], share) or 0.0

    @property
    def phases(self) -> dict[str, float]:
        """The median of each phase that occurs, in order."""
        occurring = [name for name in PHASES if any(name in call.phases for call in self.calls)]
        return {name: median(call.phases.get(name, 0.0) for call in self.calls) for name in occurring}

    @property
    def billed(self) -> float:
        """Milliseconds, on average."""
        return fmean(call.billed for call in self.calls)

    def cost(self, prices: Prices) -> float:
        """Dollars for 1,000 such calls through the gateway."""
        return prices.per_thousand(self.memory, self.billed / 1000)


def choose(samples: Sequence[Sample], prices: Prices) -> int | None:
    """Of warm samples of several sizes: the fastest that costs at most a fifth more than the cheapest."""
    warm = [sample for sample in samples if not sample.cold and sample.way == "direct" and sample.calls]
    if len(warm) < 2:
        return None
    limit = DEARER * min(sample.cost(prices) for sample in warm)
    return min((s for s in warm if s.cost(prices) <= limit), key=lambda s: (s.at(50), s.memory)).memory


def picture() -> Photo:
    """A photo for those who have none at hand: 640 × 480 pixels in colours."""
    size, stream = (640, 480), io.BytesIO()
    across, round_ = Image.linear_gradient("L").rotate(90).resize(size), Image.radial_gradient("L").resize(size)
    Image.merge("RGB", (across, round_, Image.linear_gradient("L").resize(size))).save(stream, "JPEG", quality=90)
    return Photo("painted.jpg", stream.getvalue(), "image/jpeg")


def measure(site: Site, plan: Plan, memory: int, client: Callable[[], Client]) -> Iterator[Sample]:
    """One sample after the other; `memory` is the live version's."""
    site.report(Started("bench", "measuring"))
    yield _warm(site, plan, memory, client)
    if not plan.cold and not plan.sizes:
        return
    with _restored(site, memory) as before:
        network = _round_trip(str(site.aws.lambda_.meta.endpoint_url))
        for size in plan.sizes or (memory,):
            colds = []
            for number in range(plan.cold):
                site.report(Progress("bench", f"cold start {number + 1} of {plan.cold} at {size} MB"))
                _touch(site, before, size, number)
                colds.append(_direct(site, plan.photo, network))
            if colds:
                yield Sample(size, cold=True, way="direct", calls=tuple(colds))
            if plan.sizes:
                if not colds:
                    _touch(site, before, size, 0)
                    _direct(site, plan.photo, network)
                site.report(Progress("bench", f"warm calls at {size} MB"))
                began = time.monotonic()
                calls = [_direct(site, plan.photo, network)]
                while time.monotonic() - began < plan.seconds:
                    calls.append(_direct(site, plan.photo, network))
                yield Sample(size, cold=False, way="direct", calls=tuple(calls), seconds=time.monotonic() - began)


def _warm(site: Site, plan: Plan, memory: int, client: Callable[[], Client]) -> Sample:
    """Calls through the gateway, each of `concurrency` callers at once and again."""
    calls: list[Call] = []
    failures: Counter[str] = Counter()
    with ThreadPoolExecutor(plan.concurrency) as pool:
        clients = [client() for _ in range(plan.concurrency)]
        network = _round_trip(clients[0].url)
        try:
            site.report(Progress("bench", "warming up"))
            list(pool.map(lambda api: api.exchange(plan.photo, {}), clients))
            site.report(Progress("bench", f"warm calls, {plan.concurrency} at a time, for {plan.seconds:.0f} s"))
            began = time.monotonic()

            def keep_calling(api: Client) -> None:
                while time.monotonic() - began < plan.seconds:
                    start = time.perf_counter()
                    answer = api.exchange(plan.photo, {})
                    total = (time.perf_counter() - start) * 1000
                    if answer.ok:
                        calls.append(_call(total, network, "gateway", answer.headers.get("Server-Timing", "")))
                    else:
                        failures[str(answer.status_code)] += 1
                        time.sleep(0.1)  # a gateway that refuses answers fast

            list(pool.map(keep_calling, clients))
            seconds = time.monotonic() - began
        finally:
            for api in clients:
                api.__exit__()
    warm = tuple(call for call in calls if not call.cold)
    if not warm:
        raise CallError(
            f"no warm call was answered: {dict(failures) or 'all were cold starts'}",
            hint="`lambdacap invoke` says what is wrong; fewer at a time may pass: --concurrency 1.",
        )
    if len(warm) < len(calls):
        failures["cold"] = len(calls) - len(warm)
    return Sample(memory, False, "gateway", warm, dict(failures), plan.concurrency, seconds)


@contextmanager
def _restored(site: Site, live: int) -> Iterator[Mapping[str, str]]:
    """The environment variables of $LATEST, all of whose configuration is afterwards as before."""
    with translated(site.aws):
        before: Any = rest(site)
    variables, size = before.get("Environment", {}).get("Variables", {}), before["MemorySize"]
    if TOUCHED in variables:
        # A measurement that was killed has left its traces.
        size = live
    variables = {key: value for key, value in variables.items() if key != TOUCHED}
    try:
        yield variables
    finally:
        with translated(site.aws):
            _configure(site, size, variables)


def _touch(site: Site, variables: Mapping[str, str], size: int, number: int) -> None:
    with translated(site.aws):
        _configure(site, size, {**variables, TOUCHED: f"{size}-{number}-{time.time_ns()}"})


def _configure(site: Site, size: int, variables: Mapping[str, str]) -> None:
    rest(site)
    site.aws.lambda_.update_function_configuration(
        FunctionName=site.name, MemorySize=size, Environment={"Variables": variables}
    )
    settle(site)


def _direct(site: Site, photo: Photo, network: float) -> Call:
    """One invocation of $LATEST with the event that the gateway would send. Raises `CallError` when it fails."""
    event = {
        "httpMethod": "POST",
        "path": "/",
        "headers": {"Content-Type": photo.media_type},
        "queryStringParameters": None,
        "body": base64.b64encode(photo.content).decode(),
        "isBase64Encoded": True,
    }
    payload = json.dumps(event).encode()
    with translated(site.aws):
        invoking = site.aws.invoking(site.settings.timeout)
        invoking.get_function_configuration(FunctionName=site.name)  # so that its connection stands
        start = time.perf_counter()
        answer = invoking.invoke(FunctionName=site.name, Payload=payload, LogType="Tail")
        content = payload_of(answer)
        total = (time.perf_counter() - start) * 1000
    if answer.get("FunctionError") or not isinstance(content, dict) or content.get("statusCode") != 200:
        raise CallError(
            f"the function {site.name}, invoked directly, failed: {str(content)[:200]}",
            hint="`lambdacap logs --errors` says more; a size may be too small for the model.",
        )
    log = base64.b64decode(answer.get("LogResult", "")).decode("utf-8", "replace")
    reported = {name: float(value) for name, value in _NUMBER.findall(log)}
    headers = content.get("headers")
    timing = str(headers.get("Server-Timing", "")) if isinstance(headers, dict) else ""
    return _call(total, network, "lambda", timing, reported)


def _call(total: float, network: float, way: str, timing: str, reported: Mapping[str, float] | None = None) -> Call:
    """Splits `total` by what the handler's `Server-Timing` and Lambda's report say; without them it is all `way`."""
    reported = reported or {}
    took = {name: float(value) for name, value in re.findall(r"([\w-]+);dur=(\d{1,15}(?:\.\d{1,15})?)", timing)}
    handled = took.pop("total", 0.0)
    # Lambda's own figure holds the handler's; the runtime emulator's is not real.
    init = max(reported.get("Init Duration", 0.0), took.pop("init", 0.0))
    inner = {name: took[name] for name in ("decode", "encode", "beam") if name in took}
    if "predict" in took and len(inner) < 2:
        inner["predict"] = took["predict"]
    network = min(network, max(0.0, total - handled - init))
    phases = {"network": network, way: max(0.0, total - network - init - handled)}
    if init:
        phases["init"] = init
    phases |= inner
    if handled:
        phases["rest"] = max(0.0, handled - sum(inner.values()))
    return Call(
        total=total,
        phases=phases,
        billed=max(reported.get("Billed Duration", 0.0), init + handled) or total,
        used=reported.get("Max Memory Used", 0.0),
        cold=bool(init),
    )


def _round_trip(url: str) -> float:
    """Milliseconds to the host of `url` and back: the median of five connects. 0 when there is a proxy between."""
    place = urlsplit(url)
    port = place.port or (443 if place.scheme == "https" else 80)
    took = []
    for _ in range(5):
        start = time.perf_counter()
        try:
            with closing(socket.create_connection((place.hostname or "", port), timeout=5)):
                took.append((time.perf_counter() - start) * 1000)
        except OSError:
            return 0.0
    return median(took)
