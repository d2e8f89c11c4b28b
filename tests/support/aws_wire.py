"""AWS's wire protocols, driven by botocore's service models: a request becomes parameters, members become an answer.

The models are those of AWS's own clients, so the paths of operations, their parameters with limits, the members of
answers and the errors are AWS's. A test's mistake is loud: an answer with a member that the model lacks, or of another
type, raises ModelError.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

import botocore.session

SERVICES = {"iot": "iot", "greengrass": "greengrassv2", "sts": "sts"}
"""botocore's names of services by the name in a signature."""
_SCOPE = re.compile(r"Credential=[^/,]+/[0-9]{8}/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request")
_STATUS_CODES = {
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "IncompleteSignatureException": 403,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "UnrecognizedClientException": 403,
    "ExpiredToken": 403,
    "InvalidClientTokenId": 403,
    "SignatureDoesNotMatch": 403,
    "AccessDenied": 403,
    "InternalFailure": 500,
    "InternalFailureException": 500,
    "SerializationException": 400,
    "ServiceUnavailable": 503,
    "ThrottlingException": 400,
    "Throttling": 400,
    "UnknownOperationException": 404,
}
"""The status codes of the errors that every service has; those of an operation are in its model."""


class ModelError(Exception):
    """An answer is not one that the service model describes."""


class Refused(Exception):
    """An error that AWS answers with; the status code of None is the model's."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """A request that names an operation of a service."""

    service: str
    operation: str
    model: Any
    texts: Mapping[str, str]
    """The values of parameters, by member."""


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """The status code, the content type, the error's name and the body of an answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    error: str | None = None


@dataclass(slots=True)
class AwsWire:
    """Reads requests and writes answers by the service models."""

    unlisted: set[str] = field(default_factory=set)
    """Values that answers may have, though no enum or pattern of the model has them."""

    def find(self, method: str, target: str, authorization: str, body: bytes) -> WireRequest:
        """Return the request of an operation, found by the signature's service, the method and the path.

        Raises:
            Refused: the request is not signed, or no operation has this method and path.
        """
        scope = _SCOPE.search(authorization)
        if scope is None:
            raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token")
        service = SERVICES.get(scope["service"])
        if service is None:
            raise Refused("InvalidSignatureException", f"Credential should be scoped to correct service: {scope[2]!r}")
        if service_model(service).protocol == "query":
            texts = dict(parse_qsl(body.decode(), keep_blank_values=True))
            operation = texts.pop("Action", "")
            texts.pop("Version", None)
            if operation not in service_model(service).operation_names:
                raise Refused("InvalidAction", f"Could not find operation {operation}", 400)
            model = service_model(service).operation_model(operation)
            return WireRequest(service=service, operation=operation, model=model, texts=texts)
        operation, labels = route(service, method, target)
        model = service_model(service).operation_model(operation)
        return WireRequest(service=service, operation=operation, model=model, texts={**_query(model, target), **labels})

    def parameters(self, request: WireRequest) -> Mapping[str, Any]:
        """Return the values of a request's parameters.

        Raises:
            Refused: a value is not valid, or a required parameter is missing.
        """
        shape = request.model.input_shape
        if shape is None:
            return {}
        values: dict[str, Any] = {}
        problems: list[str] = []
        for name, text in request.texts.items():
            if name not in shape.members:  # AWS would ignore it
                raise Refused(_invalid(request.service), f"{request.operation} has no parameter {name!r}")
            values[name] = _value(shape.members[name], text)
            problems += self._violations(shape.members[name], values[name], name)
        missing = [name for name in shape.required_members if name not in values]
        problems += [
            f"Value null at '{name}' failed to satisfy constraint: Member must not be null" for name in missing
        ]
        if problems:
            count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
            raise Refused(_invalid(request.service), count + "; ".join(problems))
        return values

    def answer(self, request: WireRequest, members: Mapping[str, Any]) -> WireAnswer:
        """Return the answer with members; a timestamp among them is an int in milliseconds.

        Raises:
            ModelError: the operation's model does not describe them.
        """
        shape = request.model.output_shape
        written = self._written(shape, members, request.operation)
        if service_model(request.service).protocol == "query":
            return WireAnswer(200, _xml(request.operation, written), "text/xml")
        return WireAnswer(200, json.dumps(written).encode())

    def refusal(self, request: WireRequest | None, refused: Refused) -> WireAnswer:
        """Return the answer that an error has in the protocol of its service."""
        status = refused.status or _status_of(request, refused.code)
        if request is not None and service_model(request.service).protocol == "query":
            kind = "Sender" if status < 500 else "Receiver"
            error = f"<Error><Type>{kind}</Type><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>"
            return WireAnswer(status, f"<ErrorResponse>{error}</Error></ErrorResponse>".encode(), "text/xml")
        body = {"message": refused.message}
        return WireAnswer(status, json.dumps(body).encode(), error=f"{refused.code}:")

    def _violations(self, shape: Any, value: Any, path: str) -> Iterator[str]:
        rules, size = shape.metadata, len(value) if isinstance(value, str | list | dict) else value
        said = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must"
        noun = "have length" if isinstance(value, str | list | dict) else "have value"
        if "enum" in rules and value not in {*rules["enum"], *self.unlisted}:
            yield f"{said} satisfy enum value set: [{', '.join(rules['enum'])}]"
        if "min" in rules and size < rules["min"]:
            yield f"{said} {noun} greater than or equal to {rules['min']}"
        if "max" in rules and size > rules["max"]:
            yield f"{said} {noun} less than or equal to {rules['max']}"
        pattern = rules.get("pattern", r"\p")  # Python has no \p{…}; no parameter of a listing needs it
        if r"\p" not in pattern and value not in self.unlisted and re.fullmatch(pattern, value, re.DOTALL) is None:
            yield f"{said} satisfy regular expression pattern: {pattern}"

    def _written(self, shape: Any, value: Any, path: str) -> Any:
        if problems := [*self._type_problems(shape, value)]:
            raise ModelError(f"{path}: {problems[0]}")
        if problems := [*self._violations(shape, value, path)]:
            raise ModelError(problems[0])
        match shape.type_name:
            case "structure":
                return {
                    member: self._written(shape.members[member], each, f"{path}.{member}")
                    for member, each in value.items()
                    if each is not None
                }
            case "list":
                return [self._written(shape.member, each, f"{path}[{n}]") for n, each in enumerate(value)]
            case "map":
                return {key: self._written(shape.value, each, f"{path}.{key}") for key, each in value.items()}
            case "timestamp":
                return value // 1000 if value % 1000 == 0 else value / 1000
            case _:
                return value

    @staticmethod
    def _type_problems(shape: Any, value: Any) -> Iterator[str]:
        expected = _TYPES.get(shape.type_name)
        if expected is None:
            raise NotImplementedError(f"a {shape.type_name} of an answer")
        is_of_type: bool = isinstance(value, expected) and (shape.type_name == "boolean" or not isinstance(value, bool))
        if not is_of_type:
            yield f"{value!r} is not a {shape.type_name}"
        elif shape.type_name == "structure":
            known = {name: member for name, member in shape.members.items() if "location" not in member.serialization}
            given = {name for name, each in value.items() if each is not None}
            yield from (f"{shape.name} has no member {name!r} in its body" for name in sorted(given - {*known}))
            yield from (f"{shape.name} lacks {name!r}" for name in sorted({*shape.required_members} - given))
        elif shape.type_name == "timestamp":
            if shape.serialization.get("timestampFormat", "unixTimestamp") != "unixTimestamp":
                raise NotImplementedError(f"{shape.name} is not in seconds")
            if value and not 10**11 < value < 10**14:
                yield f"{value} is not a time in milliseconds"


_TYPES: dict[str, Any] = {
    "structure": Mapping,
    "list": list,
    "map": Mapping,
    "string": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "timestamp": int,
}


@cache
def service_model(service: str) -> Any:
    """Return botocore's model of a service."""
    return botocore.session.Session().get_service_model(service)


def route(service: str, method: str, target: str) -> tuple[str, Mapping[str, str]]:
    """Return the operation with a method and path, and the labels in the path.

    Raises:
        Refused: there is none.
    """
    path = urlsplit(target).path
    for operation, wanted, pattern, names in _routes(service):
        if wanted == method and (found := pattern.fullmatch(path)) is not None:
            return operation, {name: unquote(found[number]) for number, name in enumerate(names, 1)}
    raise Refused("UnknownOperationException", f"{service} has no {method} {path}")


@cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str], list[str]]]:
    """Return the operations of a service, literal paths before labels."""
    routes = []
    for operation in service_model(service).operation_names:
        model = service_model(service).operation_model(operation)
        path = model.http["requestUri"].partition("?")[0]
        members = model.input_shape.members if model.input_shape else {}
        by_location = {member.serialization.get("name", name): name for name, member in members.items()}
        labels = re.findall(r"\{([^}]+?)\+?\}", path)
        pattern = re.sub(r"\\\{[^}]+?(\\\+)?\\\}", lambda found: "(.+)" if found[1] else "([^/]+)", re.escape(path))
        names = [by_location.get(label, label) for label in labels]
        routes.append((operation, model.http["method"], re.compile(pattern), names))
    return sorted(routes, key=lambda found: len(found[3]))


def _query(model: Any, target: str) -> Mapping[str, str]:
    """Return the parameters in a query, by member; a name that the model lacks stays as it is."""
    members = model.input_shape.members if model.input_shape else {}
    by_location = {
        member.serialization["name"]: name
        for name, member in members.items()
        if member.serialization.get("location") == "querystring"
    }
    given = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    return {by_location.get(name, name): text for name, text in given}


def _value(shape: Any, text: str) -> Any:
    match shape.type_name:
        case "string":
            return text
        case "integer" | "long":
            if re.fullmatch(r"[+-]?[0-9]{1,18}", text) is None:
                raise Refused("SerializationException", f"{text!r} can not be converted to an Integer")
            return int(text)
        case "boolean":
            if text not in {"true", "false"}:
                raise Refused("SerializationException", f"{text!r} can not be converted to a Boolean")
            return text == "true"
        case kind:
            raise NotImplementedError(f"a {kind} as a parameter")


def _invalid(service: str) -> str:
    return "InvalidRequestException" if service == "iot" else "ValidationException"


def _status_of(request: WireRequest | None, code: str) -> int:
    for shape in request.model.error_shapes if request is not None else ():
        if shape.name == code:
            return int(shape.metadata["error"]["httpStatusCode"])
    return _STATUS_CODES.get(code, 400)


def _xml(operation: str, written: Mapping[str, str]) -> bytes:
    members = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in written.items())
    result = f"<{operation}Result>{members}</{operation}Result>"
    return f"<{operation}Response>{result}</{operation}Response>".encode()
