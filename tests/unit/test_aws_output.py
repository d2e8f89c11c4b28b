"""The output of the AWS CLI: the documents of a file, their rows, and the requests that they fit into."""

import json

import orjson
import pytest

from jobindex.cli.aws_output import FileRow, RefusedFileRow, read_rows, requests
from jobindex.messages.rows import RowOperation
from jobindex.web.api.import_rows import IMPORT_ROWS
from jobindex.web.connections import LIMITS


def row(number: int, operation: str, content: object) -> FileRow:
    """Return a row of the file f."""
    return FileRow(file="f", number=number, operation=RowOperation(operation), content=orjson.dumps(content))


def refused(number: int, reason: str) -> RefusedFileRow:
    """Return a row of the file f that is not imported."""
    return RefusedFileRow(file="f", number=number, reason=reason)


def test_each_document_is_recognized_by_its_members() -> None:
    """Documents may follow each other in a file, with space between them or without."""
    deployment = {"deploymentId": "d", "iotJobId": "j", "targetArn": "arn"}
    documents = [
        {"jobs": [{"jobId": "a"}, {"jobId": "b"}], "nextToken": "t"},
        {"jobs": []},
        {"documentSource": "s", "job": {"jobId": "c"}},
        {"executionSummaries": [{"thingArn": "arn", "jobExecutionSummary": {}}]},
        {"executionSummaries": [{"jobId": "d", "jobExecutionSummary": {}}]},
        {"execution": {"jobId": "e"}},
        deployment,
    ]
    expected = [
        row(1, "ListJobs", {"jobId": "a"}),
        row(2, "ListJobs", {"jobId": "b"}),
        row(3, "DescribeJob", {"jobId": "c"}),
        row(4, "ListJobExecutionsForJob", {"thingArn": "arn", "jobExecutionSummary": {}}),
        row(5, "ListJobExecutionsForThing", {"jobId": "d", "jobExecutionSummary": {}}),
        row(6, "DescribeJobExecution", {"jobId": "e"}),
        row(7, "GetDeployment", deployment),
    ]
    for between, indent in (("", None), ("\n", 4), (" \r\n\t\n", 2)):
        text = between.join(json.dumps(document, indent=indent) for document in documents)
        assert expected == list(read_rows("f", f"{between}{text}{between}"))


def test_a_file_without_documents_has_no_rows() -> None:
    """The AWS CLI prints nothing for an empty answer."""
    assert [] == list(read_rows("f", " \n")) == list(read_rows("f", ""))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"deployments": [{"deploymentId": "d-1"}, 1]}',
            [
                "a deployment of a list does not name its job: import the output of `aws greengrassv2 get-deployment "
                f"--deployment-id {name}`"
                for name in ("d-1", "ID")
            ],
        ),
        (
            '{"things": [], "nextToken": null}',
            ["this is not the output of a command that can be imported: it has the members ['things', 'nextToken']"],
        ),
        ("[]", ["this is not the output of a command that can be imported: []"]),
        (
            '{"jobs": {"QUEUED": []}}',
            ["this is not the output of a command that can be imported: it has the members ['jobs']"],
        ),
        ('{"jobs": [1, null]}', ["1 is not an object", "None is not an object"]),
        ('{"job": "x"}', ["'x' is not an object"]),
        ("not JSON", ["this is not JSON: Expecting value: line 1 column 1 (char 0)"]),
        ('{"jobs": [{"createdAt": NaN}]}', ["this is not JSON: NaN is not a number in JSON"]),
        (
            '{"job": {"a": "\\ud800"}}',
            ["the row cannot be sent as JSON: str is not valid UTF-8: surrogates not allowed"],
        ),
        ('{"job": {"a": 99999999999999999999}}', ["the row cannot be sent as JSON: Integer exceeds 64-bit range"]),
        (
            json.dumps({"job": {"a": "x" * 65536}}),
            ["the row has 65,544 bytes, more than the 64,512 that the service accepts"],
        ),
    ],
)
def test_what_cannot_be_imported_is_refused_with_a_reason(text: str, expected: list[str]) -> None:
    """Each row has its number in the file."""
    assert [refused(number, reason) for number, reason in enumerate(expected, 1)] == list(read_rows("f", text))


def test_the_documents_before_a_bad_one_count() -> None:
    """The file may have been cut off."""
    expected = [
        row(1, "ListJobs", {}),
        refused(2, "this is not JSON: Expecting ',' delimiter: line 2 column 13 (char 27)"),
    ]
    assert expected == list(read_rows("f", '{"jobs": [{}]}\n{"jobs": [{}'))
    [only] = read_rows("f", "[" * 100_000)
    assert isinstance(only, RefusedFileRow)


def test_a_request_has_as_many_rows_of_one_operation_as_fit() -> None:
    """The service accepts that many rows, and that many bytes with the other members."""
    assert IMPORT_ROWS.body is not None
    assert IMPORT_ROWS.body.parse(orjson.dumps({"operation": "ListJobs", "rows": [{}] * 100}))
    rows = [row(number, "ListJobs", {}) for number in range(205)]
    rows += [row(number, "DescribeJob", {"description": "x" * 20_000}) for number in range(7)]
    rows += [row(1, "ListJobs", {})]
    sent = list(requests(rows))
    assert rows == [one for request in sent for one in request]
    assert [100, 100, 5, 3, 3, 1, 1] == [len(request) for request in sent]
    assert [] == list(requests([]))
    full = row(1, "ListJobs", {"x": "x" * (63 * 1024 - 8)})
    assert [[full], [full]] == list(requests([full, full]))
    others = {
        "operation": "ListJobExecutionsForThing",
        "namespaceId": "n" * 128,
        "jobId": "j" * 64,
        "thingName": "t" * 128,
    }
    body = {**others, "asOf": 1_795_448_800.123456, "rows": [orjson.Fragment(full.content)]}
    assert len(orjson.dumps(body)) <= LIMITS.body_bytes
