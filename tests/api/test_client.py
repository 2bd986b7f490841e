"""The HTTP client: retries, deadlines, signatures and connections."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest
from httpx_transport import HttpxTransport

from modelarts_magics.api.client import MAX_ATTEMPTS, ApiClient
from modelarts_magics.api.request import MAX_RESPONSE_BYTES
from modelarts_magics.config.credentials import AccessKey, Token
from modelarts_magics.domain.clock import (
    SYSTEM_CLOCK,
    Clock,
    Deadline,
    OutdatedReadError,
    Stopwatch,
    WriteDeadline,
)
from modelarts_magics.emulator.auth import HttpRequest, compute_signature
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import (
    ApiError,
    AuthenticationError,
    DeadlineError,
    ForbiddenError,
    InvalidResponseError,
    NoCredentialsError,
    ServerError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import InstantSleepClock

    Answer = Callable[[httpx.Request], httpx.Response]

ENDPOINT = "http://127.0.0.1:9"
TOKEN = Token("FAKE-TOKEN")
KEYS = AccessKey("FAKEACCESSKEY0001", "FAKE-SECRET-KEY", "FAKE-SECURITY-TOKEN")
GOOD = httpx.Response(200, json={"id": "x"})


class Script:
    """A transport that gives scripted responses, the last one forever, and records the requests."""

    def __init__(self, *answers: Any) -> None:  # noqa: ANN401 - a response, an error, or what makes one
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer


def status(number: int, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    """Return a response that is created at each use."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(number, headers=named, json={"error_msg": "words"})


def body(content: bytes, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    """Return a successful response that streams these bytes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(200, headers=named, content=iter([content]))


@pytest.fixture
def client(instant_clock: InstantSleepClock) -> Iterator[Callable[..., ApiClient]]:
    """Create clients, and close them after the test."""
    made: list[ApiClient] = []

    def make(
        http: Any = None,  # noqa: ANN401 - a script or a transport of httpx
        *,
        clock: Clock = instant_clock.clock,
        credential: Any = TOKEN,  # noqa: ANN401 - either kind
        endpoint: str = ENDPOINT,
        project_id: str = "p",
    ) -> ApiClient:
        carrier = http.transport if isinstance(http, Script) else http
        made.append(
            ApiClient(
                endpoint,
                project_id=project_id,
                credential=lambda: credential,
                clock=clock,
                transport=HttpxTransport(carrier) if carrier else None,
            )
        )
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.fixture
def local() -> Iterator[LocalEmulator]:
    """Return an emulator that is reached over real sockets."""
    with LocalEmulator() as emulator:
        yield emulator


@pytest.fixture
def real(client: Callable[..., ApiClient], local: LocalEmulator) -> Callable[..., ApiClient]:
    """Create clients of the emulator with the real clock."""

    def make(**how: Any) -> ApiClient:  # noqa: ANN401 - as for `client`
        how.setdefault("credential", Token(local.auth_token))
        how.setdefault("clock", SYSTEM_CLOCK)
        return client(endpoint=local.endpoint, project_id=local.project_id, **how)

    return make


def path_of(emulator: LocalEmulator) -> str:
    """Return the path of the instance."""
    return f"/v1/{emulator.project_id}/demanager/instances/{emulator.demanager_id}"


def get(transport: ApiClient, *, seconds: float = 30, clock: Clock = SYSTEM_CLOCK) -> Any:  # noqa: ANN401 - JSON
    """Send a GET and return its data."""
    return transport.request("GET", "/v1/x", deadline=Deadline(seconds, clock=clock)).data


def put(transport: ApiClient, path: str = "/v1/x", *, seconds: float = 30, **data: Any) -> Any:  # noqa: ANN401 - JSON
    """Send a PUT."""
    return transport.request("PUT", path, body=data or {"a": 1}, deadline=Deadline(seconds)).data


PASSING = {
    "429": (status(429), ThrottledError),
    "500": (status(500), ServerError),
    "502": (status(502), ServerError),
    "503": (status(503), ServerError),
    "reset": (httpx.ReadError("reset"), UnreachableError),
    "no answer": (httpx.RemoteProtocolError("disconnected"), UnreachableError),
    "refused": (httpx.ConnectError("Connection refused"), UnreachableError),
    "connect time-out": (httpx.ConnectTimeout("slow"), DeadlineError),
    "read time-out": (httpx.ReadTimeout("slow"), DeadlineError),
    "half a body": (body(b'{"id": '), InvalidResponseError),
    "a page": (body(b"<html>"), InvalidResponseError),
}
NEVER_ARRIVED = {"429", "refused", "connect time-out"}


@pytest.mark.parametrize("name", PASSING)
def test_read_is_retried_with_backoff(
    name: str, client: Callable[..., ApiClient], instant_clock: InstantSleepClock
) -> None:
    """A transient error costs a pause, not the response."""
    failure, _ = PASSING[name]
    script = Script(failure, failure, GOOD)
    assert get(client(script)) == {"id": "x"}
    assert len(script.asked) == 3
    assert 0.15 <= instant_clock.sleeps[0] <= 0.45
    assert 0.3 <= instant_clock.sleeps[1] <= 0.9


@pytest.mark.parametrize("name", PASSING)
def test_read_retries_are_limited(
    name: str, client: Callable[..., ApiClient], instant_clock: InstantSleepClock
) -> None:
    """After the last attempt the error is raised."""
    failure, kind = PASSING[name]
    script = Script(failure)
    with pytest.raises(kind) as caught:
        get(client(script))
    assert len(script.asked) == MAX_ATTEMPTS
    assert len(instant_clock.sleeps) == MAX_ATTEMPTS - 1
    assert caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", PASSING)
def test_write_is_retried_only_if_not_processed(
    name: str, client: Callable[..., ApiClient]
) -> None:
    """A write that may have been applied is not sent again by the client."""
    failure, kind = PASSING[name]
    script = Script(failure, GOOD)
    if name in NEVER_ARRIVED:
        assert put(client(script)) == {"id": "x"}
        assert len(script.asked) == 2
    else:
        with pytest.raises(kind) as caught:
            put(client(script))
        assert len(script.asked) == 1
        assert getattr(caught.value, "sent", True)


@pytest.mark.parametrize("number", [400, 401, 403, 404, 409, 418])
def test_refusal_is_not_retried(number: int, client: Callable[..., ApiClient]) -> None:
    """Another attempt would be refused, too."""
    script = Script(status(number))
    with pytest.raises(ApiError) as caught:
        get(client(script))
    assert len(script.asked) == 1
    assert caught.value.status == number


def test_retry_after_in_seconds_is_respected(
    client: Callable[..., ApiClient], instant_clock: InstantSleepClock
) -> None:
    """The client waits as long as the API asks for."""
    get(client(Script(status(429, Retry_After="7"), GOOD)))
    assert instant_clock.sleeps == [7]


@pytest.mark.parametrize("off", [timedelta(0), timedelta(days=3), timedelta(days=-3)])
def test_retry_after_date_uses_clock_of_api(
    off: timedelta, client: Callable[..., ApiClient], instant_clock: InstantSleepClock
) -> None:
    """A wrong local clock makes the pause neither days long nor zero."""
    cloud = datetime.now(timezone.utc) + off
    later = cloud + timedelta(seconds=9)
    dates = {"Date": format_datetime(cloud), "Retry_After": format_datetime(later)}
    get(client(Script(status(503, **dates), GOOD)))
    assert 6 <= instant_clock.sleeps[0] <= 10


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "1e3", "²", "Mon, 01 Jan 2024 00:00:00 +" + "9" * 30, "99 Foo 99"]
)
def test_invalid_retry_after_is_ignored(
    value: str, client: Callable[..., ApiClient], instant_clock: InstantSleepClock
) -> None:
    """The backoff of the client is used."""
    sent = {b"Retry-After": value.encode("latin-1")}
    script = Script(lambda _: httpx.Response(429, headers=list(sent.items())), GOOD)
    get(client(script))
    assert instant_clock.sleeps[0] < 1


def test_pause_beyond_deadline_raises_at_once(
    client: Callable[..., ApiClient], instant_clock: InstantSleepClock
) -> None:
    """The client does not wait longer than the deadline."""
    script = Script(status(429, Retry_After="31"))
    with pytest.raises(ThrottledError):
        get(client(script), seconds=30, clock=instant_clock.clock)
    assert not instant_clock.sleeps
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("answer", "code", "times"),
    [
        (
            body(b"<!DOCTYPE html><html>", Content_Type="text/html"),
            "response.not_json",
            MAX_ATTEMPTS,
        ),
        (body(b'{"id": "x"'), "response.not_json", MAX_ATTEMPTS),
        (body(b"\xff\xfe\xfd"), "response.not_json", MAX_ATTEMPTS),
        (body(b"[" * 100_000), "response.not_json", MAX_ATTEMPTS),
        (body(b"no gzip", Content_Encoding="gzip"), "response.encoding", 1),
        (body(b"{}", Content_Encoding="identity, br"), "response.encoding", 1),
        (body(b" " * (MAX_RESPONSE_BYTES + 1)), "response.too_large", 1),
        (body(gzip.compress(b" " * (1 << 24)), Content_Encoding="gzip"), "response.encoding", 1),
        (status(302, Location="https://elsewhere.invalid/"), "response.redirect", 1),
        (status(307, Location="/v1/y"), "response.redirect", 1),
        (status(304), "response.redirect", 1),
    ],
)
def test_invalid_response_is_an_error_of_one_line(
    answer: Answer, code: str, times: int, client: Callable[..., ApiClient]
) -> None:
    """HTML, a partial body, a huge body and a redirect are errors."""
    script = Script(answer)
    with pytest.raises(InvalidResponseError) as caught:
        get(client(script))
    assert caught.value.code == code
    assert len(script.asked) == times
    assert "<" not in str(caught.value)
    assert all("elsewhere" not in str(each.url) for each in script.asked)


@pytest.mark.parametrize("content", [b"", b"  \r\n"])
def test_empty_success_has_no_data(content: bytes, client: Callable[..., ApiClient]) -> None:
    """A PUT may have an empty response."""
    assert put(client(Script(body(content)))) is None


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_uncompressed_response_is_requested(method: str, client: Callable[..., ApiClient]) -> None:
    """No other encoding is named, and one that is named "identity" is none."""
    script = Script(body(b'{"id": "x"}', Content_Encoding="Identity"))
    assert client(script).request(method, "/v1/x", deadline=Deadline(9)).data == {"id": "x"}
    assert script.asked[0].headers.get_list("Accept-Encoding") == ["identity"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "x-gzip", "gzip, gzip"])
def test_compressed_response_is_never_decoded(
    encoding: str, client: Callable[..., ApiClient]
) -> None:
    """A few hundred bytes could become half a gigabyte."""
    packed = gzip.compress(b'{"id": "x"}')
    with pytest.raises(InvalidResponseError) as caught:
        get(client(Script(body(packed, Content_Encoding=encoding))))
    assert caught.value.code == "response.encoding"


def test_compressed_error_keeps_its_status(client: Callable[..., ApiClient]) -> None:
    """The status of a refusal is known without its body."""
    packed = gzip.compress(b'{"error_code": "ModelArts.0202"}')
    answer = httpx.Response(401, headers={"Content-Encoding": "gzip"}, content=iter([packed]))
    with pytest.raises(AuthenticationError) as caught:
        get(client(Script(lambda _: answer)))
    assert not caught.value.error_code


@pytest.mark.parametrize(
    "text",
    ["华为云 笔记本", "☕ 🧪 👩‍🔬", "line\nbreak\tand \x7f", "half \ud83d of one", 'a"\\b', ""],
)
def test_signature_covers_the_sent_bytes(text: str, client: Callable[..., ApiClient]) -> None:
    """The code of the emulator computes the same signature from what arrived."""
    script = Script(GOOD)
    put(client(script, credential=KEYS), "/v1/p/demanager/instances/DE-1", description=text)
    (request,) = script.asked
    headers = {name.lower(): value for name, value in request.headers.items()}
    call = HttpRequest("PUT", request.url.raw_path.decode(), "", headers, request.content)
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert {"host", "x-sdk-date", "x-security-token", "content-type"} <= set(names)
    assert headers["authorization"].endswith(
        compute_signature(call, signed_headers=names, sk=KEYS.secret_key)
    )
    assert json.loads(request.content) == {"description": text}


@pytest.mark.parametrize("auth", ["keys", "temporary"])
def test_emulator_accepts_the_signature(
    auth: str, real: Callable[..., ApiClient], local: LocalEmulator
) -> None:
    """Over a real socket, with Chinese text and an emoji."""
    keys = {
        "keys": AccessKey(local.ak, local.sk),
        "temporary": AccessKey(local.temporary_ak, local.temporary_sk, local.security_token),
    }
    put(real(credential=keys[auth]), path_of(local), description="实验 🧪")
    assert local.requests[-1]["status"] == 200
    assert local.requests[-1]["body"] == {"description": "实验 🧪"}


@pytest.mark.parametrize("hours", [1, -1, 23, -23])
def test_clock_skew_is_corrected_once(
    hours: int,
    real: Callable[..., ApiClient],
    local: LocalEmulator,
    instant_clock: InstantSleepClock,
) -> None:
    """One refused signature corrects the clock for all later requests."""
    instant_clock.offset = -timedelta(hours=hours)
    transport = real(credential=AccessKey(local.ak, local.sk), clock=instant_clock.clock)
    put(transport, path_of(local), description="d")
    assert [each["status"] for each in local.requests] == [401, 200]
    put(transport, path_of(local), description="e")
    assert [each["status"] for each in local.requests] == [401, 200, 200]
    assert abs(transport.skew - timedelta(hours=hours)) < timedelta(seconds=30)
    assert abs(transport.now() - datetime.now(timezone.utc)) < timedelta(seconds=30)


@pytest.mark.parametrize("hours", [25, -25, 24 * 20_000])
def test_clock_skew_above_a_day_is_not_accepted(
    hours: int,
    real: Callable[..., ApiClient],
    local: LocalEmulator,
    instant_clock: InstantSleepClock,
) -> None:
    """The header is as likely to be wrong as the clock."""
    instant_clock.offset = -timedelta(hours=hours)
    transport = real(credential=AccessKey(local.ak, local.sk), clock=instant_clock.clock)
    with pytest.raises(AuthenticationError):
        put(transport, path_of(local), description="d")
    assert [each["status"] for each in local.requests] == [401]
    assert transport.skew == timedelta(0)


def dated(*offsets_s: float) -> Script:
    """Return responses whose dates differ so much from the clock of this machine."""
    now = datetime.now(timezone.utc)
    return Script(
        *(
            httpx.Response(
                200,
                json={"id": number},
                headers={"Date": format_datetime(now + timedelta(seconds=offset), usegmt=True)},
            )
            for number, offset in enumerate(offsets_s)
        )
    )


def test_difference_of_one_response_is_not_accepted(client: Callable[..., ApiClient]) -> None:
    """A gateway with a wrong clock answers now and then; the next response has the right date."""
    script = dated(600, 0, 0)
    transport = client(script)
    assert get(transport) == {"id": 1}
    assert abs(transport.skew) < timedelta(seconds=3)
    assert get(transport) == {"id": 2}
    assert len(script.asked) == 3


def test_difference_of_two_responses_is_accepted(client: Callable[..., ApiClient]) -> None:
    """The second one is requested at once, for a read."""
    script = dated(600, 600, 600)
    transport = client(script)
    assert get(transport) == {"id": 1}
    assert abs(transport.skew - timedelta(seconds=600)) < timedelta(seconds=3)
    get(transport)
    assert len(script.asked) == 3


def test_write_is_not_repeated_to_confirm_the_time(client: Callable[..., ApiClient]) -> None:
    """The next response confirms it."""
    script = dated(600, 600)
    transport = client(script)
    put(transport)
    assert len(script.asked) == 1
    assert transport.skew == timedelta(0)
    get(transport)
    assert abs(transport.skew - timedelta(seconds=600)) < timedelta(seconds=3)


def test_dates_at_random_cost_few_requests(client: Callable[..., ApiClient]) -> None:
    """At most one request a minute is repeated."""
    script = dated(*(600 * number for number in range(1, 30)))
    transport = client(script)
    for _ in range(10):
        get(transport)
    assert len(script.asked) == 11
    assert transport.skew == timedelta(0)


def test_refused_key_with_correct_clock_is_not_retried(
    real: Callable[..., ApiClient], local: LocalEmulator
) -> None:
    """A wrong secret key has nothing to do with the clock."""
    with pytest.raises(ForbiddenError):
        put(real(credential=AccessKey(local.ak, "WRONG")), path_of(local))
    assert len(local.requests) == 1


def test_refused_clock_is_retried_once(
    client: Callable[..., ApiClient],
) -> None:
    """Also if the date of the API jumps."""
    now = datetime.now(timezone.utc)
    dates = [format_datetime(now + timedelta(hours=hours), usegmt=True) for hours in range(1, 9)]
    script = Script(*(status(401, Date=date) for date in dates))
    with pytest.raises(AuthenticationError):
        get(client(script, credential=KEYS))
    assert len(script.asked) == 2


@pytest.mark.parametrize(
    "date",
    [
        "",
        "now",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 2024 00:00:00 +" + "9" * 30,
        "Mon, 99 Jan 2024 00:00:00 GMT",
        "Mon, 01 Jan 99999 00:00:00 GMT",
    ],
)
@pytest.mark.parametrize("number", [200, 401])
def test_invalid_date_is_ignored(number: int, date: str, client: Callable[..., ApiClient]) -> None:
    """It neither crashes nor changes the clock."""
    transport = client(Script(status(number, Date=date)), credential=KEYS)
    if number == 200:
        get(transport)
    else:
        with pytest.raises(AuthenticationError):
            get(transport)
    assert transport.skew == timedelta(0)
    transport.now()


def test_rotated_credential_is_used_at_once(instant_clock: InstantSleepClock) -> None:
    """The credential is requested before every attempt."""
    tokens = iter(["FIRST", "SECOND"])
    script = Script(status(503), GOOD)
    transport = ApiClient(
        ENDPOINT,
        project_id="p",
        credential=lambda: Token(next(tokens)),
        clock=instant_clock.clock,
        transport=HttpxTransport(script.transport),
    )
    get(transport)
    transport.close()
    assert [each.headers["X-Auth-Token"] for each in script.asked] == ["FIRST", "SECOND"]


def test_write_is_not_repeated_after_a_slow_renewal(instant_clock: InstantSleepClock) -> None:
    """Getting another credential took so long that the read before the write is too old."""
    script = Script(httpx.Response(401, json={"error_code": "ModelArts.0202"}), GOOD)
    clock = instant_clock.clock

    def renew(_refused: object, **_options: object) -> bool:
        clock.sleep(5)
        return True

    client = ApiClient(
        ENDPOINT,
        project_id="p",
        credential=lambda: TOKEN,
        renew=renew,
        clock=clock,
        transport=HttpxTransport(script.transport),
    )
    age = Stopwatch(clock=clock)
    deadline = WriteDeadline(30, read_age=age, max_age_s=2, clock=clock)
    with pytest.raises(OutdatedReadError):
        client.request("PUT", "/v1/p/x", body={"a": 1}, deadline=deadline)
    assert len(script.asked) == 1
    client.close()


def test_nothing_is_sent_without_credentials() -> None:
    """The error of the chain is raised unchanged."""

    def none() -> Token:
        raise NoCredentialsError("credentials.not_found")

    script = Script(GOOD)
    transport = ApiClient(
        ENDPOINT, project_id="p", credential=none, transport=HttpxTransport(script.transport)
    )
    with pytest.raises(NoCredentialsError):
        get(transport)
    assert not script.asked


SOON_S, LONG_S = 10.0, 20.0
"""Seconds that count as "at once" on a busy machine."""


class Hanging(httpx.BaseTransport):
    """A transport whose first request hangs before it is sent, until it is released.

    Attributes:
        begun: Set when it hangs.
        over: Set when it has ended.
        clock: A clock that advances once it hangs, and not before.
    """

    def __init__(self, then: httpx.BaseTransport) -> None:
        self.then = then
        self.first = True
        self.begun, self.release, self.over = (threading.Event() for _ in range(3))
        self.clock = Clock(monotonic=lambda: 1.0 if self.begun.is_set() else 0.0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Respond; the first request is delayed."""
        if not self.first:
            return self.then.handle_request(request)
        self.first = False
        self.begun.set()
        self.release.wait(LONG_S)
        try:
            return self.then.handle_request(request)
        finally:
            self.over.set()

    def close(self) -> None:
        """Close the real transport."""
        self.then.close()


def soon(call: Callable[[], object], kind: type[BaseException]) -> None:
    """Assert that the call raises before the delayed response can arrive."""
    start = time.monotonic()
    with pytest.raises(kind):
        call()
    assert time.monotonic() - start < SOON_S


def test_hanging_name_lookup_ends_at_the_deadline(client: Callable[..., ApiClient]) -> None:
    """The next call succeeds with new connections."""
    hanging = Hanging(Script(GOOD).transport)
    transport = client(hanging, clock=SYSTEM_CLOCK)
    soon(lambda: get(transport, seconds=0.2), DeadlineError)
    assert get(transport) == {"id": "x"}
    hanging.release.set()


def test_abandoned_write_is_never_sent(
    real: Callable[..., ApiClient], local: LocalEmulator
) -> None:
    """It could undo a later change."""
    hanging = Hanging(httpx.HTTPTransport(verify=False, trust_env=False))
    transport = real(http=hanging)
    deadline = Deadline(0.2, clock=hanging.clock)
    write = {"body": {"a": 1}, "deadline": deadline}
    soon(lambda: transport.request("PUT", path_of(local), **write), DeadlineError)
    hanging.release.set()
    assert hanging.over.wait(LONG_S)
    assert not local.requests


def test_slow_response_ends_at_the_deadline(
    real: Callable[..., ApiClient], local: LocalEmulator
) -> None:
    """Each part is in time, the whole response is not."""
    # The whole response would take more than a minute.
    local.add_fault("drip", arg=0.1, times=1)
    transport = real()
    deadline = Deadline(0.3)
    soon(lambda: transport.request("GET", path_of(local), deadline=deadline), DeadlineError)
    assert transport.request("GET", path_of(local), deadline=Deadline(LONG_S)).data["id"]


def test_ctrl_c_ends_a_call(client: Callable[..., ApiClient]) -> None:
    """Also while the thread of the call cannot be interrupted."""
    hanging = Hanging(Script(GOOD).transport)
    transport = client(hanging, clock=SYSTEM_CLOCK)

    def press() -> None:
        # The call has begun, so nothing else is interrupted.
        if hanging.begun.wait(LONG_S):
            os.kill(os.getpid(), signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    soon(lambda: get(transport), KeyboardInterrupt)
    pressing.join()
    assert get(transport) == {"id": "x"}
    hanging.release.set()


def test_threads_share_one_client(real: Callable[..., ApiClient], local: LocalEmulator) -> None:
    """Each thread gets the response to its own request."""
    transport = real()
    ids = [local.add_instance(name=f"n{number}") for number in range(8)]
    root = f"/v1/{local.project_id}/demanager/instances/"

    def ask(instance_id: str) -> str:
        return transport.request("GET", root + instance_id, deadline=Deadline(LONG_S)).data["id"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, ids * 4)) == ids * 4


def test_client_can_be_closed_twice_and_reused(
    real: Callable[..., ApiClient], local: LocalEmulator
) -> None:
    """Closing only closes connections."""
    transport = real()
    transport.close()
    for _ in range(2):
        assert transport.request("GET", path_of(local), deadline=Deadline(LONG_S)).demo
        transport.close()
        transport.close()


def test_refused_connection_is_reported_as_not_sent(
    client: Callable[..., ApiClient], local: LocalEmulator
) -> None:
    """A write certainly did not arrive."""
    local.stop()
    with pytest.raises(UnreachableError) as caught:
        put(client(endpoint=local.endpoint))
    assert not caught.value.sent
    assert "refused" in caught.value.message


ASK = """
import sys
from modelarts_magics.api.client import ApiClient
from modelarts_magics.domain.clock import Clock, Deadline
from modelarts_magics.config.credentials import Token
from modelarts_magics.errors import ModelArtsError
endpoint, project, token, path = sys.argv[1:]
clock = Clock(sleep=lambda _: None)
transport = ApiClient(endpoint, project_id=project, credential=lambda: Token(token), clock=clock)
try:
    print(transport.request("GET", path, deadline=Deadline(10)).data["status"])
except ModelArtsError as error:
    print(type(error).__name__, error.message)
transport.close()
"""

FORK = """
import os, sys, threading
from modelarts_magics.api.client import ApiClient
from modelarts_magics.domain.clock import Deadline
from modelarts_magics.config.credentials import Token
endpoint, project, token, path = sys.argv[1:]
transport = ApiClient(endpoint, project_id=project, credential=lambda: Token(token))
ask = lambda: transport.request("GET", path, deadline=Deadline(5)).data["status"]
ask()
child = os.fork()
if child == 0:
    names = (os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
             if os.path.islink(f"/proc/self/fd/{fd}"))
    if any(name.startswith("socket:") for name in names):
        os._exit(2)
for _ in range(20):
    answer = ask()
if child == 0:
    os._exit(0 if answer == "RUNNING" else 1)
status = os.waitpid(child, 0)[1]
transport.close()
print(answer, status)
"""


def run(script: str, *arguments: str, **variables: str) -> str:
    """Run a script in a new interpreter and return what it prints."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(  # noqa: S603 - a fixed script
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert not done.stderr
    return done.stdout.strip()


@pytest.mark.process
def test_loopback_ignores_proxies(local: LocalEmulator) -> None:
    """A proxy cannot reach the loopback interface."""
    dead = "http://127.0.0.1:9"
    proxies = {"HTTP_PROXY": dead, "http_proxy": dead, "ALL_PROXY": dead, "all_proxy": dead}
    arguments = (local.endpoint, local.project_id, local.auth_token, path_of(local))
    assert run(ASK, *arguments, **proxies) == "RUNNING"


@pytest.mark.process
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HTTPS_PROXY", "http://127.0.0.1:9", "the proxy 127.0.0.1:9: connection refused"),
        (
            "HTTPS_PROXY",
            "u:s3cret@127.0.0.1:9",
            "the proxy 127.0.0.1:9: connection refused",
        ),
        ("HTTPS_PROXY", "http://p.invalid:9", "the proxy p.invalid:9: host name not resolved"),
        ("ALL_PROXY", "socks5://127.0.0.1:9", "the proxy 127.0.0.1:9: proxy type not"),
        (
            "HTTPS_PROXY",
            "gopher://127.0.0.1:9",
            "the proxy 127.0.0.1:9: invalid proxy address",
        ),
        ("HTTPS_PROXY", "http://[::1", "the proxy [::1: invalid proxy address"),
        (
            "SSL_CERT_FILE",
            "/nowhere/ca.pem",
            "nowhere.invalid: certificate not trusted. SSL_CERT_FILE=/nowhere/ca.pem",
        ),
        (
            "SSLKEYLOGFILE",
            "/nowhere/keys.log",
            "nowhere.invalid: SSLKEYLOGFILE=/nowhere/keys.log cannot be written",
        ),
        ("NO_PROXY", "*", "nowhere.invalid: host name not resolved"),
    ],
)
def test_unreachable_host_or_proxy_is_named(variable: str, value: str, words: str) -> None:
    """A proxy is named without its password."""
    said = run(ASK, "https://nowhere.invalid", "p", "FAKE", "/v1/p", **{variable: value})
    assert said.startswith(f"UnreachableError Cannot connect to {words}")
    assert variable in said or variable == "NO_PROXY"


@pytest.mark.process
def test_forked_child_opens_its_own_connections(local: LocalEmulator) -> None:
    """Parent and child send requests at once and get their own responses; the child inherits no socket."""
    arguments = (local.endpoint, local.project_id, local.auth_token, path_of(local))
    assert run(FORK, *arguments) == "RUNNING 0"
