"""torch: scaled_dot_product_attention (its CPU flash kernel) and FlexAttention, compiled."""
import torch
from torch.nn.attention import flex_attention as flex
from torch.nn.functional import scaled_dot_product_attention

from .problem import Call, Problem, peer


@peer("torch SDPA", "torch", "softmax_attention bidirectional_attention", "f32 bf16 f16", heads_first=True)
def sdpa(problem: Problem) -> Call:
    q, k, v = problem.heads_first("q", "k", "v")
    causal = problem.mixer == "softmax_attention"
    return lambda: scaled_dot_product_attention(q, k, v, is_causal=causal)


def causal(b, h, i, j):
    return j <= i


def windowed(b, h, i, j):
    return (j <= i) & (i - j < 512)


def capped(score, b, h, i, j):
    return 50.0 * torch.tanh(score / 50.0)


@peer(
    "torch FlexAttention",
    "torch",
    "softmax_attention bidirectional_attention local_attention alibi_attention forgetting_attention",
    "f32 bf16",
    heads_first=True,
)
def flex_attention(problem: Problem) -> Call:
    q, k, v = problem.heads_first("q", "k", "v")
    length = q.shape[2]
    modifier, mask = None, causal
    if problem.mixer == "bidirectional_attention":
        mask = None
    elif problem.mixer == "local_attention":
        modifier, mask = capped, windowed
    elif problem.mixer == "alibi_attention":
        slope = problem.inputs["slope"].reshape(())
        modifier = lambda score, b, h, i, j: score - slope * (i - j)  # noqa: E731
    elif problem.mixer == "forgetting_attention":
        (log_f,) = problem.heads_first("log_f")
        total = log_f.cumsum(-1)
        modifier = lambda score, b, h, i, j: score + total[b, h, i] - total[b, h, j]  # noqa: E731
    block_mask = mask and flex.create_block_mask(mask, None, None, length, length, device="cpu")
    compiled = torch.compile(flex.flex_attention, dynamic=False)
    return lambda: compiled(q, k, v, score_mod=modifier, block_mask=block_mask)
