"""The way to a virtual device within this process."""

from drivers.scsi.transport import Buffer, Reply
from drivers.virtual.unit import Unit


class VirtualTransport:
    """Commands go straight to a unit."""

    def __init__(self, node: str, unit: Unit) -> None:
        """Lead to `unit`; `node` is what errors call it."""
        self.node = node
        self.unit = unit

    def execute(
        self,
        command: bytes,
        *,
        data_out: Buffer = b"",
        data_in: memoryview | None = None,
        timeout_s: float,  # noqa: ARG002 - as all transports
    ) -> Reply:
        """Send a command; the unit decides what takes too long."""
        room = 0 if data_in is None else len(data_in)
        answer = self.unit.execute(command, bytes(data_out), room)
        came = answer.data[:room]
        if data_in is not None:
            data_in[: len(came)] = came
        return Reply(answer.status, answer.sense, len(came) if room else len(data_out))

    def close(self) -> None:
        """Nothing is held."""
