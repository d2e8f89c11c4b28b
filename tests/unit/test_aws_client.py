"""AWS's client: the kinds of errors."""

import pytest
from support.stub_server import answering
from support.sync_runs import give_credentials

from jobindex.aws.client import AwsClient
from jobindex.errors import AwsError, AwsFailedError, AwsInvalidError, AwsThrottledError


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, AwsInvalidError), (404, AwsInvalidError), (429, AwsThrottledError), (500, AwsFailedError)],
)
async def test_an_error_without_a_name_is_known_by_its_status(
    monkeypatch: pytest.MonkeyPatch, status: int, kind: type[AwsError]
) -> None:
    """An endpoint that does not have an operation refuses it, so a retry does not help."""
    give_credentials(monkeypatch)
    with answering(b"{}", status) as url:
        client = AwsClient(endpoint_url=url, region="us-east-1")
        with pytest.raises(AwsError, match="ListDeployments") as raised:
            await client.call("ListDeployments")
    assert type(raised.value) is kind


async def test_a_page_of_html_is_no_long_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is its first line, of limited length."""
    give_credentials(monkeypatch)
    with answering(b"<p>no</p> " * 1000 + b"\n<p>secret</p>", 404, Content_Type="text/html") as url:
        client = AwsClient(endpoint_url=url, region="us-east-1")
        with pytest.raises(AwsInvalidError) as raised:
            await client.call("ListDeployments")
    assert str(raised.value).startswith("ListDeployments: 404: <p>no</p> <p>no</p>")
    assert len(str(raised.value)) < 400


async def test_an_unknown_operation_is_not_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another jobindex does not answer for events: its error is not one that AWS may recover from."""
    give_credentials(monkeypatch)
    with answering(b'{"message": "no"}', 404, x_amzn_ErrorType="UnknownOperationException", Content_Length="17") as url:
        client = AwsClient(endpoint_url=url, region="us-east-1")
        with pytest.raises(AwsInvalidError, match="UnknownOperationException: no"):
            await client.call("DescribeEventConfigurations")
