"""Published errors of the API with HTTP status and code."""

from __future__ import annotations

from typing import NamedTuple


class ErrorSpec(NamedTuple):
    """One published error.

    Attributes:
        status: The HTTP status.
        code: `ModelArts.NNNN`, or `APIGW.NNNN` from the gateway.
        message: The message of the error body.
    """

    status: int
    code: str
    message: str


class EmulatedApiError(Exception):
    """Error response to a request.

    Args:
        spec: The published error.
        detail: The cause in this request, appended to the message.
    """

    def __init__(self, spec: ErrorSpec, detail: str = "") -> None:
        self.spec = spec
        self.message = f"{spec.message} {detail}".strip()
        super().__init__(f"{spec.status} {spec.code} {self.message}")


NO_TOKEN = ErrorSpec(401, "ModelArts.0201", "The request carries no token.")
TOKEN_EXPIRED = ErrorSpec(401, "ModelArts.0202", "The token has expired.")
TOKEN_INVALID = ErrorSpec(401, "ModelArts.0203", "The token is invalid.")
TOKEN_ILLEGAL = ErrorSpec(401, "ModelArts.6401", "The token is illegal.")
BAD_SIGNATURE_HEADERS = ErrorSpec(401, "APIGW.0301", "Incorrect IAM authentication information.")
NOT_AUTHORISED = ErrorSpec(403, "ModelArts.0108", "The user is not authorised.")
BAD_KEYS = ErrorSpec(403, "ModelArts.0206", "The AK or SK is invalid.")
WRONG_PROJECT = ErrorSpec(403, "ModelArts.0210", "The project does not match the credential.")
NO_SUCH_API = ErrorSpec(404, "APIGW.0101", "The API does not exist or has not been published.")
THROTTLED = ErrorSpec(429, "APIGW.0308", "The throttling threshold has been reached.")
INTERNAL = ErrorSpec(500, "ModelArts.0010", "Internal error.")
BAD_GATEWAY = ErrorSpec(502, "APIGW.0601", "The backend sent an invalid response.")
UNAVAILABLE = ErrorSpec(503, "APIGW.0602", "The backend is not available.")

NO_INSTANCE = ErrorSpec(400, "ModelArts.6309", "The instance does not exist.")
NO_NOTEBOOK = ErrorSpec(400, "ModelArts.6404", "The notebook does not exist.")
NOT_RUNNING = ErrorSpec(400, "ModelArts.6327", "The instance is not running.")
WRONG_TYPE = ErrorSpec(400, "ModelArts.6332", "The type of a property is wrong.")
BAD_CHARACTER = ErrorSpec(400, "ModelArts.6334", "The description contains a forbidden character.")
MISSING = ErrorSpec(400, "ModelArts.6335", "A required property is missing.")
WRONG_VALUE = ErrorSpec(400, "ModelArts.6336", "The value of a property is wrong.")
STOP_IN_PAST = ErrorSpec(
    400, "ModelArts.6346", "The auto-stop timestamp must be later than the current time."
)
NOT_IN_THIS_STATUS = ErrorSpec(
    400, "ModelArts.6347", "This parameter cannot be changed in the current status."
)
NO_DURATION = ErrorSpec(400, "ModelArts.6348", "Enabling auto-stop requires a duration.")
DURATION_RANGE = ErrorSpec(400, "ModelArts.6349", "The auto-stop duration is out of range.")
BUSY = ErrorSpec(
    400, "ModelArts.6357", "Another operation is running, or the instance is in that state already."
)
BAD_PAYLOAD = ErrorSpec(400, "ModelArts.6400", "The payload is invalid.")
