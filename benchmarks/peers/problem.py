"""What is measured, and who can be asked to do the same."""
import dataclasses
import typing

import torch

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


@dataclasses.dataclass
class Problem:
    """One call. Inputs and outputs are [B, T, H, feature...], parameters [feature...]."""

    mixer: str
    shape: str
    dtype: str
    inputs: dict[str, torch.Tensor]

    def sizes(self) -> dict[str, int]:
        return {name: int(size) for name, size in (part.split("=") for part in self.shape.split(","))}

    def get(self, *names: str) -> list[torch.Tensor]:
        return [self.inputs[name] for name in names]

    def heads_first(self, *names: str) -> list[torch.Tensor]:
        """Inputs as [B, H, T, feature...], contiguous: copied before anything is timed."""
        return [self.inputs[name].transpose(1, 2).contiguous() for name in names]


# Runs once and returns the output in the layout that the peer works in.
Call = typing.Callable[[], torch.Tensor]


@dataclasses.dataclass
class Peer:
    """A function of another library. `prepare` does everything that a user does once."""

    name: str
    library: str
    mixers: tuple[str, ...]
    dtypes: tuple[str, ...]
    prepare: typing.Callable[[Problem], Call]
    # Where the output has its heads: [B, T, H, V] or [B, H, T, V].
    heads_first: bool = False

    def answers(self, problem: Problem) -> bool:
        return problem.mixer in self.mixers and problem.dtype in self.dtypes


PEERS: list[Peer] = []


def peer(name: str, library: str, mixers: str, dtypes: str = "f32", heads_first: bool = False):
    """Registers the decorated `prepare`; mixers and dtypes are separated by blanks."""

    def register(prepare):
        PEERS.append(Peer(name, library, tuple(mixers.split()), tuple(dtypes.split()), prepare, heads_first))
        return prepare

    return register
