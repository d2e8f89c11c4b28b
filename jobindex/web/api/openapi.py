"""/openapi.json: a description of every operation, from the same definitions as the routes."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import version

from jobindex.errors import ThrottlingException
from jobindex.model.parameters import Constraint, Schema, Several, Text
from jobindex.web.api.freshness import HEADER as FRESHNESS
from jobindex.web.api.operations import CHANGE_HEADER, Audience, Operation
from jobindex.web.api.responses import ERROR_TYPE, OF_KEYS, STATUS
from jobindex.web.api.schemas import TEXT, an_object

GET_OPENAPI = Operation(
    name="GetOpenApi", summary="This description", path="/openapi.json", answer={"type": "object"}, errors=()
)

_SECURITY: dict[str, Schema] = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token from `jobindex keys add --token`."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "AWS Signature Version 4 of the service `iot` or `iot-jobs-data`, as SDKs sign.",
    },
}

_HEADERS: Schema = {
    "x-amzn-RequestId": {"description": "The id of this response.", "required": True, "schema": TEXT},
    FRESHNESS: {
        "description": "The freshness of the index, as structured fields (RFC 9651).",
        "required": True,
        "schema": TEXT,
    },
}


def describe(operations: Iterable[Operation]) -> Schema:
    """Return the OpenAPI document of operations."""
    paths: dict[str, Schema] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jobindex",
            "version": version("jobindex"),
            "summary": "AWS IoT's read operations on jobs, and further ones under /index/",
        },
        "paths": paths,
        "components": {"schemas": {"Error": an_object(message=TEXT)}, "securitySchemes": _SECURITY},
    }


def _operation(operation: Operation) -> Schema:
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            *(_parameter(operation, name, constraint) for name, constraint in operation.parameters.items()),
            *([_CHANGE] if operation.audience is Audience.OPERATORS else []),
        ],
        **_body(operation),
        "responses": {**_answers(operation), **_errors(operation)},
        # The last alternative is for a service without keys.
        "security": [{}] if operation.audience is Audience.ANYONE else [*({name: []} for name in _SECURITY), {}],
    }


def _body(operation: Operation) -> Schema:
    if operation.body is None:
        return {}
    content = {"application/json": {"schema": operation.body.schema()}}
    return {"requestBody": {"required": True, "content": content}}


def _parameter(operation: Operation, name: str, constraint: Constraint) -> Schema:
    in_path = f"{{{name}}}" in operation.path
    is_required = (
        in_path
        or (isinstance(constraint, Several) and constraint.least > 0)
        or (isinstance(constraint, Text) and constraint.is_required)
    )
    return {"name": name, "in": "path" if in_path else "query", "required": is_required, "schema": constraint.schema()}


_CHANGE: Schema = {
    "name": CHANGE_HEADER,
    "in": "header",
    "required": True,
    "description": "A header that a web page of another origin cannot send.",
    "schema": {"type": "string", "enum": ["1"]},
}


def _answers(operation: Operation) -> Mapping[str, Schema]:
    return {
        str(int(status)): {
            "description": operation.summary if status == HTTPStatus.OK else HTTPStatus(status).phrase,
            "headers": _HEADERS,
            "content": {operation.media_type: {"schema": operation.answer}},
        }
        for status in operation.statuses
    }


def _errors(operation: Operation) -> Mapping[str, Schema]:
    names: dict[int, list[str]] = {}
    of_keys = () if operation.audience is Audience.ANYONE else (*OF_KEYS, ThrottlingException)
    for error in dict.fromkeys((*operation.errors, *of_keys)):
        names.setdefault(STATUS[error], []).append(error.__name__)
    return {
        str(status): {
            "description": " or ".join(of_status),
            "headers": {
                **_HEADERS,
                ERROR_TYPE: {
                    "description": "The name of the error.",
                    "required": True,
                    "schema": {"type": "string", "enum": of_status},
                },
            },
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status, of_status in sorted(names.items())
    }
