"""ONNX Runtime and OpenVINO, on models of one standard operator (Attention, LinearAttention)."""
import numpy
import onnx
import onnxruntime
import openvino
import torch
from onnx import TensorProto, helper

from .problem import Call, Problem, peer

RULES = {"linear_attention": "linear", "retnet": "gated", "gla": "gated", "delta_rule": "delta",
         "gated_delta_rule": "gated_delta", "kda": "gated_delta"}
LINEAR = " ".join(RULES)
ATTENTION = "softmax_attention bidirectional_attention"


def make_model(problem: Problem) -> tuple[onnx.ModelProto, dict[str, numpy.ndarray]]:
    """The model and its inputs, [B, T, H * feature] as both operators take them."""
    sizes = problem.sizes()
    tokens, heads = sizes["T"], sizes["H"]
    feeds = {name: tensor.reshape(1, tokens, -1).numpy() for name, tensor in problem.inputs.items() if tensor.dim() > 2}
    if problem.mixer in RULES:
        if problem.mixer == "retnet":
            gamma = problem.inputs["log_gamma"].reshape(-1)
            feeds["g"] = gamma.expand(1, tokens, heads).contiguous().numpy()
        names = ["q", "k", "v", "", "g" if "g" in feeds else "", "beta" if "beta" in feeds else ""]
        while not names[-1]:
            names.pop()
        node = helper.make_node("LinearAttention", names, ["o", "state"], update_rule=RULES[problem.mixer],
                                q_num_heads=heads, kv_num_heads=heads, scale=sizes["K"] ** -0.5)
    else:
        node = helper.make_node("Attention", ["q", "k", "v"], ["o"], q_num_heads=heads, kv_num_heads=heads,
                                is_causal=int(problem.mixer == "softmax_attention"))
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
              for name, array in feeds.items() if name in node.input]
    outputs = [helper.make_tensor_value_info("o", TensorProto.FLOAT, (1, tokens, heads * sizes["V"]))]
    opset = 27 if problem.mixer in RULES else 23
    model = helper.make_model(helper.make_graph([node], problem.mixer, inputs, outputs),
                              opset_imports=[helper.make_opsetid("", opset)], ir_version=11)
    return model, {name: array for name, array in feeds.items() if name in node.input}


def unpack(problem: Problem, output: numpy.ndarray) -> torch.Tensor:
    sizes = problem.sizes()
    return torch.from_numpy(output).reshape(1, sizes["T"], sizes["H"], sizes["V"])


@peer("ONNX Runtime", "onnxruntime", f"{LINEAR} {ATTENTION}")
def onnx_runtime(problem: Problem) -> Call:
    model, feeds = make_model(problem)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: unpack(problem, session.run(["o"], feeds)[0])


# OpenVINO 2026.4 does not convert LinearAttention yet.
@peer("OpenVINO", "openvino", ATTENTION)
def open_vino(problem: Problem) -> Call:
    model, feeds = make_model(problem)
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"})
    compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU")
    request = compiled.create_infer_request()
    return lambda: unpack(problem, request.infer(feeds, share_inputs=True)["o"])
