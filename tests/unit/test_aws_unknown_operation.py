"""A source that does not have an operation is not asked again."""

import pytest
from support.stub_server import answering
from support.sync_runs import CREDENTIALS

from jobindex.aws.client import AwsClient
from jobindex.errors import AwsInvalidError


async def test_an_unknown_operation_is_not_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another jobindex does not answer for events: its error is not one that AWS may recover from."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with answering(b'{"message": "no"}', 404, x_amzn_ErrorType="UnknownOperationException", Content_Length="17") as url:
        client = AwsClient(endpoint_url=url, region="us-east-1")
        with pytest.raises(AwsInvalidError, match="UnknownOperationException: no"):
            await client.call("DescribeEventConfigurations")
