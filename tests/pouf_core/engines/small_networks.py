"""Small networks that engines run, and what they are run on."""

import torch
from torch import nn

from pouf_core.engines.frozen import FrozenNetwork

FLOAT = torch.float32


class Convolutions(nn.Sequential):
    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Words(nn.Module):
    """Attends to no padding, whatever the length."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(50, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0)

    def forward(self, tokens):
        live = tokens != 0
        hidden = self.layer(self.embedding(tokens), src_key_padding_mask=~live)
        return (hidden * live[..., None]).sum(dim=1) / live.sum(dim=1, keepdim=True)


class ConstantLength(Words):
    """Takes the length that it is traced with for a constant."""

    def forward(self, tokens):
        weights = torch.tensor([1.0 + i * (len(tokens[0]) % 3) for i in range(len(tokens[0]))])[:2]
        return (self.embedding(tokens)[:, :2] * weights[:, None]).flatten(1)


class OneBranch(Words):
    """Reads frequent words in another way, which tracing cannot see."""

    def forward(self, tokens):
        features = super().forward(tokens)
        return features.flip(1) if int(tokens.max()) > 20 else features


def pictures(count, side=12, seed=1):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def words(count, length, largest=50, seed=1):
    return torch.randint(1, largest, (count, length), generator=torch.Generator().manual_seed(seed))


def convolutions(network=None):
    return FrozenNetwork(
        (network or Convolutions()).eval(), lambda: pictures(2, seed=0), (-1, 3, 12, 12), lambda: "weights", "the test"
    )


def texts(network):
    return FrozenNetwork(network.eval(), lambda: words(2, 4, 20), (-1, -1), lambda: "weights", "the test")
