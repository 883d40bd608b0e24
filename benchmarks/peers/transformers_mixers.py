"""transformers: what a model runs on a CPU where no kernel package is installed."""
import inspect

import torch
from transformers.models.mamba.modeling_mamba import mamba_selective_scan
from transformers.models.qwen3_next.modeling_qwen3_next import (
    torch_chunk_gated_delta_rule,
    torch_recurrent_gated_delta_rule,
)

from .problem import Call, Problem, peer

# Without the wrappers that prefer a package of GPU kernels, if one is installed.
torch_chunk_gated_delta_rule = inspect.unwrap(torch_chunk_gated_delta_rule)
torch_recurrent_gated_delta_rule = inspect.unwrap(torch_recurrent_gated_delta_rule)
mamba_selective_scan = inspect.unwrap(mamba_selective_scan)


@peer("transformers chunked", "transformers", "gated_delta_rule")
def chunked(problem: Problem) -> Call:
    q, k, v, g, beta = problem.get("q", "k", "v", "g", "beta")
    return lambda: torch_chunk_gated_delta_rule(q, k, v, g, beta)[0]


@peer("transformers recurrent", "transformers", "gated_delta_rule")
def recurrent(problem: Problem) -> Call:
    q, k, v, g, beta = problem.get("q", "k", "v", "g", "beta")
    return lambda: torch_recurrent_gated_delta_rule(q, k, v, g, beta)[0]


@peer("transformers", "transformers", "selective_scan")
def selective_scan(problem: Problem) -> Call:
    # One head: channels and time are the last dimensions of this function.
    x, dt, b, c = (problem.inputs[name][:, :, 0].transpose(1, 2).contiguous() for name in ("x", "dt", "B", "C"))
    a, skip = problem.get("A", "Dskip")

    def call() -> torch.Tensor:
        return mamba_selective_scan(x, dt, a, b, c, skip).transpose(1, 2).unsqueeze(2)

    return call
