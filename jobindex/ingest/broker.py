"""A broker's address. It imports no MQTT client, so commands that only read settings start fast."""

import ssl
from dataclasses import dataclass, field
from typing import Literal

from jobindex.addresses import authority

Protocol = Literal["5", "3.1.1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """The address and the credentials of a broker."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    protocol: Protocol = "5"

    def __str__(self) -> str:
        return f"{'mqtt' if self.tls is None else 'mqtts'}://{authority(self.host, self.port)}"
