"""What is trained: the head, low-rank updates (LoRA) of the encoder's matrices, its biases and norms, the mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from minilm_mlm.batches import IGNORED, Batch
from pouf_core.families.language.minilm_mlm import MASK_VECTOR


class LowRankLinear(nn.Module):
    """A linear layer with a frozen matrix [out, in] and a low-rank update up [out, r] times down [r, in], at first 0.

    The matrix gets no gradient, which saves a quarter of the time of a step.
    """

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.register_buffer("frozen", linear.weight.detach())
        self.bias = linear.bias
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        self.down = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        change = functional.linear(functional.linear(inputs, self.down), self.up)
        return functional.linear(inputs, self.frozen, self.bias) + change


class MaskedLM(nn.Module):
    """A BertForMaskedLM in training: a vector of its own for the mask, logits at hidden tokens only.

    Word embeddings stay frozen. The mask's vector is given in place of its row, so that no step needs a gradient of
    the whole vocabulary.

    Args:
        network: changed in place.
        mask: number of the mask token.
        rank: of the updates.
    """

    def __init__(self, network: Any, mask: int, rank: int) -> None:
        super().__init__()
        self.network = network.eval()  # no dropout: hardly any text is seen twice
        self._mask = mask
        embeddings = network.bert.embeddings
        for table in (embeddings.word_embeddings, embeddings.position_embeddings, embeddings.token_type_embeddings):
            table.requires_grad_(False)
        self.mask_vector = nn.Parameter(embeddings.word_embeddings.weight[mask].detach().clone())
        encoder = network.bert.encoder
        for name, module in list(encoder.named_modules()):
            if isinstance(module, nn.Linear):
                encoder.set_submodule(name, LowRankLinear(module, rank))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits [M, V] at the M hidden tokens of a batch, and those tokens [M]."""
        embedded = self.network.bert.embeddings.word_embeddings(batch.ids)
        embedded = torch.where((batch.ids == self._mask).unsqueeze(-1), self.mask_vector, embedded)
        outputs = self.network.bert(inputs_embeds=embedded, attention_mask=batch.attention)
        asked = batch.targets != IGNORED
        return self.network.cls.predictions(outputs.last_hidden_state[asked]), batch.targets[asked]

    def trained_tensors(self) -> dict[str, Tensor]:
        """What training changes, under the names that `pouf_core.families.language.minilm_mlm` reads."""
        tensors = {MASK_VECTOR: self.mask_vector}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                layer, _, part = name.rpartition(".")
                tensors[f"{layer}.weight.{part}" if part in ("up", "down") else name] = parameter
        return {name: tensor.detach() for name, tensor in tensors.items()}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `trained_tensors` gave."""
        for name, tensor in self.trained_tensors().items():  # these share the parameters' memory
            tensor.copy_(tensors[name])
