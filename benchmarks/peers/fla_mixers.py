"""FLA's implementations in plain torch: its fast ones are Triton kernels for GPUs."""
import warnings

from .problem import Call, Problem, peer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fla.ops.comba.naive import naive_chunk_comba
    from fla.ops.delta_rule.naive import delta_rule_chunkwise
    from fla.ops.hgrn.naive import naive_recurrent_hgrn
    from fla.ops.kda.naive import naive_chunk_kda
    from fla.ops.linear_attn.naive import naive_chunk_linear_attn
    from fla.ops.simple_gla.naive import naive_chunk_simple_gla


def first(result):
    return result[0] if isinstance(result, tuple) else result


@peer("FLA, torch code", "fla-core", "kda")
def kda(problem: Problem) -> Call:
    arguments = problem.get("q", "k", "v", "g", "beta")
    return lambda: first(naive_chunk_kda(*arguments))


@peer("FLA, torch code", "fla-core", "comba")
def comba(problem: Problem) -> Call:
    arguments = problem.get("q", "k", "v", "p", "g", "beta")
    return lambda: first(naive_chunk_comba(*arguments))


@peer("FLA, torch code", "fla-core", "delta_rule", heads_first=True)
def delta_rule(problem: Problem) -> Call:
    arguments = problem.heads_first("q", "k", "v", "beta")
    return lambda: first(delta_rule_chunkwise(*arguments))


@peer("FLA, torch code", "fla-core", "linear_attention")
def linear_attention(problem: Problem) -> Call:
    arguments = problem.get("q", "k", "v")
    return lambda: first(naive_chunk_linear_attn(*arguments))


@peer("FLA, torch code", "fla-core", "retnet")
def retnet(problem: Problem) -> Call:
    q, k, v = problem.get("q", "k", "v")
    gamma = problem.inputs["log_gamma"].reshape(-1).expand(*q.shape[:3]).contiguous()
    return lambda: first(naive_chunk_simple_gla(q, k, v, gamma))


@peer("FLA, torch code", "fla-core", "hgrn")
def hgrn(problem: Problem) -> Call:
    x, g = (tensor[:, :, 0].contiguous() for tensor in problem.get("x", "g"))
    return lambda: first(naive_recurrent_hgrn(x, g)).unsqueeze(2)
