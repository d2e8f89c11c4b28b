"""The account and the region that an ARN names."""

NO_ACCOUNT = "000000000000"
"""The account in ARNs that jobindex and emulators make up."""


def region_and_account(arn: str) -> tuple[str, str]:
    """Return the region and the account in an ARN; empty texts if it is too short."""
    _, _, _, region, account, *_ = f"{arn}:::::".split(":")
    return region, account
