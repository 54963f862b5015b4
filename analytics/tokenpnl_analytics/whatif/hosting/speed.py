"""How fast one replica reads and writes, as a benchmark measured it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Speed:
    """Throughput of one replica.

    Attributes:
        read_per_s: input tokens that it reads per second (prefill).
        written_per_s: output tokens per second of a full batch (decode), batching and speculative decoding included.
        alone_per_s: output tokens per second of a single stream.
        most_at_once: requests that it decodes together.
    """

    read_per_s: float
    written_per_s: float
    alone_per_s: float
    most_at_once: int

    @property
    def full_batch_streams(self) -> float:
        """Return how many streams run at the speed of one alone before they slow each other down."""
        return self.written_per_s / self.alone_per_s

    def busy_s(self, read: float, written: float) -> float:
        """Return the seconds of a replica that so many tokens take, at full batch."""
        return read / self.read_per_s + written / self.written_per_s
