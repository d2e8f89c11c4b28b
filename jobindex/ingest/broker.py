"""How to reach a broker, apart from what speaks to it: commands that only read the settings start at once."""

import ssl
from dataclasses import dataclass, field
from typing import Literal

from jobindex.addresses import authority

Protocol = Literal["5", "3.1.1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """How to reach a broker, and as whom."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    protocol: Protocol = "5"

    def __str__(self) -> str:
        return f"{'mqtt' if self.tls is None else 'mqtts'}://{authority(self.host, self.port)}"
