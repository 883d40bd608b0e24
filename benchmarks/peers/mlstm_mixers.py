"""mlstm_kernels: its chunkwise form in plain torch."""
from mlstm_kernels.torch.chunkwise.native import mlstm_chunkwise__native_autograd

from .problem import Call, Problem, peer


@peer("mlstm_kernels chunkwise", "mlstm-kernels", "mlstm", heads_first=True)
def chunkwise(problem: Problem) -> Call:
    arguments = problem.heads_first("q", "k", "v", "i", "f")
    return lambda: mlstm_chunkwise__native_autograd(*arguments)
