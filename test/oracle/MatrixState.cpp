//===- MatrixState.cpp - Oracles of mixers with a matrix state --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each function is the loop over tokens of the paper it names. States are K x V.
//
//===----------------------------------------------------------------------===//

#include "Oracle.h"
#include <cmath>
#include <functional>

using namespace oracle;

namespace {

using Vector = std::vector<double>;

/// Row `t` of a two-dimensional argument.
Vector row(Tensor &tensor, int64_t t) {
  int64_t width = tensor.shape[1];
  return Vector(tensor.data.begin() + t * width, tensor.data.begin() + (t + 1) * width);
}

Vector map(const Vector &x, const std::function<double(double)> &fn) {
  Vector result;
  for (double value : x)
    result.push_back(fn(value));
  return result;
}

Vector times(double factor, const Vector &x) {
  return map(x, [&](double value) { return factor * value; });
}

Vector times(const Vector &x, const Vector &y) {
  Vector result;
  for (size_t n = 0; n < x.size(); ++n)
    result.push_back(x[n] * y[n]);
  return result;
}

Vector minus(const Vector &x, const Vector &y) {
  Vector result;
  for (size_t n = 0; n < x.size(); ++n)
    result.push_back(x[n] - y[n]);
  return result;
}

Vector plus(const Vector &x, const Vector &y) {
  Vector result;
  for (size_t n = 0; n < x.size(); ++n)
    result.push_back(x[n] + y[n]);
  return result;
}

double dot(const Vector &x, const Vector &y) {
  double sum = 0.0;
  for (size_t n = 0; n < x.size(); ++n)
    sum += x[n] * y[n];
  return sum;
}

Vector exp(const Vector &x) {
  return map(x, [](double value) { return std::exp(value); });
}

/// S^T x
Vector read(Tensor &S, const Vector &x) {
  Vector result(S.shape[1], 0.0);
  for (int64_t k = 0; k < S.shape[0]; ++k)
    for (int64_t v = 0; v < S.shape[1]; ++v)
      result[v] += S(k, v) * x[k];
  return result;
}

/// S <- diag(decay) S
void decayRows(Tensor &S, const Vector &decay) {
  for (int64_t k = 0; k < S.shape[0]; ++k)
    for (int64_t v = 0; v < S.shape[1]; ++v)
      S(k, v) *= decay[k];
}

void decayAll(Tensor &S, double decay) { decayRows(S, Vector(S.shape[0], decay)); }

/// S <- S + k v^T
void write(Tensor &S, const Vector &key, const Vector &value) {
  for (int64_t k = 0; k < S.shape[0]; ++k)
    for (int64_t v = 0; v < S.shape[1]; ++v)
      S(k, v) += key[k] * value[v];
}

/// S <- S + beta k (v - S^T k)^T: Widrow and Hoff's delta rule.
void deltaWrite(Tensor &S, const Vector &k, const Vector &v, double beta) {
  write(S, times(beta, k), minus(v, read(S, k)));
}

void setRow(Tensor &output, int64_t t, const Vector &value) {
  for (size_t v = 0; v < value.size(); ++v)
    output(t, v) = value[v];
}

double rootScale(Call &call) { return 1.0 / std::sqrt(double(call.size("K"))); }

/// Runs `step` for every token, then o_t = S^T q_t / sqrt(K).
void runThenRead(Call &call, const std::function<void(int64_t, Tensor &)> &step) {
  Tensor &S = call.state("S");
  for (int64_t t = 0; t < call.size("T"); ++t) {
    step(t, S);
    setRow(call.out("o"), t, times(rootScale(call), read(S, row(call.in("q"), t))));
  }
}

// Katharopoulos et al., "Transformers are RNNs", 2006.16236, identity feature map.
void linearAttention(Call &call) {
  runThenRead(call,
              [&](int64_t t, Tensor &S) { write(S, row(call.in("k"), t), row(call.in("v"), t)); });
}

// Sun et al., "Retentive Network", 2307.08621: one decay for all tokens.
void retnet(Call &call) {
  runThenRead(call, [&](int64_t t, Tensor &S) {
    decayAll(S, std::exp(call.in("log_gamma")()));
    write(S, row(call.in("k"), t), row(call.in("v"), t));
  });
}

// Yang et al., "Gated Linear Attention Transformers", 2312.06635.
void gla(Call &call) {
  runThenRead(call, [&](int64_t t, Tensor &S) {
    decayRows(S, exp(row(call.in("g"), t)));
    write(S, row(call.in("k"), t), row(call.in("v"), t));
  });
}

// Qin et al., "HGRN2", 2404.07904: the key is one minus the forget gate.
void hgrn2(Call &call) {
  runThenRead(call, [&](int64_t t, Tensor &S) {
    Vector decay = exp(row(call.in("g"), t));
    decayRows(S, decay);
    write(S, map(decay, [](double f) { return 1.0 - f; }), row(call.in("v"), t));
  });
}

// Katharopoulos et al., as above with the feature map elu(x) + 1 and the normaliser.
double featureMap(double x) { return x > 0.0 ? x + 1.0 : std::exp(x); }
void linearAttentionNormalized(Call &call) {
  Tensor &S = call.state("S"), &z = call.state("z");
  for (int64_t t = 0; t < call.size("T"); ++t) {
    Vector k = map(row(call.in("k"), t), featureMap), q = map(row(call.in("q"), t), featureMap);
    write(S, k, row(call.in("v"), t));
    z.data = plus(z.data, k);
    setRow(call.out("o"), t, times(1.0 / (dot(q, z.data) + 1e-6), read(S, q)));
  }
}

// Dao and Gu, "Transformers are SSMs", 2405.21060: S = exp(dt A) S + B (dt x)^T,
// y = S^T C + D x, one A and D per head.
void mamba2(Call &call) {
  Tensor &S = call.state("S");
  for (int64_t t = 0; t < call.size("T"); ++t) {
    double dt = call.in("dt")(t);
    Vector x = row(call.in("x"), t);
    decayAll(S, std::exp(dt * call.in("A")()));
    write(S, row(call.in("B"), t), times(dt, x));
    Vector y = read(S, row(call.in("C"), t));
    setRow(call.out("y"), t, plus(y, times(call.in("Dskip")(), x)));
  }
}

// Yang et al., "Parallelizing Linear Transformers with the Delta Rule", 2406.06484.
void deltaRule(Call &call) {
  runThenRead(call, [&](int64_t t, Tensor &S) {
    deltaWrite(S, row(call.in("k"), t), row(call.in("v"), t), call.in("beta")(t));
  });
}

// Yang et al., "Gated Delta Networks", 2412.06464: decay, then a delta step.
void gatedDeltaRule(Call &call) {
  runThenRead(call, [&](int64_t t, Tensor &S) {
    decayAll(S, std::exp(call.in("g")(t)));
    deltaWrite(S, row(call.in("k"), t), row(call.in("v"), t), call.in("beta")(t));
  });
}

// Kimi Team, "Kimi Linear", 2510.26692: as above with a decay per key channel.
void kda(Call &call) {
  runThenRead(call, [&](int64_t t, Tensor &S) {
    decayRows(S, exp(row(call.in("g"), t)));
    deltaWrite(S, row(call.in("k"), t), row(call.in("v"), t), call.in("beta")(t));
  });
}

// Hu et al., "Comba", 2506.02475: the error is read with p before the decay.
void comba(Call &call) {
  runThenRead(call, [&](int64_t t, Tensor &S) {
    Vector error = minus(row(call.in("v"), t), read(S, row(call.in("p"), t)));
    decayAll(S, std::exp(call.in("g")(t)));
    write(S, row(call.in("k"), t), times(call.in("beta")(t), error));
  });
}

// Siems et al., "DeltaProduct", 2502.10297, gated, two steps: one decay per token, then
// a delta step with each key.
void gatedDeltaProduct(Call &call) {
  runThenRead(call, [&](int64_t t, Tensor &S) {
    decayAll(S, std::exp(call.in("g")(t)));
    deltaWrite(S, row(call.in("k1"), t), row(call.in("v1"), t), call.in("beta1")(t));
    deltaWrite(S, row(call.in("k2"), t), row(call.in("v2"), t), call.in("beta2")(t));
  });
}

// Behrouz et al., "Titans", 2501.00663, with a linear memory and one token per step.
void titans(Call &call) {
  Tensor &P = call.state("P"), &M = call.state("M");
  for (int64_t t = 0; t < call.size("T"); ++t) {
    Vector k = row(call.in("k"), t);
    Vector error = minus(read(M, k), row(call.in("v"), t));
    decayAll(P, call.in("eta")(t));
    write(P, times(-call.in("theta")(t), k), error);
    decayAll(M, 1.0 - call.in("alpha")(t));
    M.data = plus(M.data, P.data);
    setRow(call.out("o"), t, read(M, row(call.in("q"), t)));
  }
}

// Peng et al., "Eagle and Finch", 2404.05892: the state before the token's own write
// is read, and the token itself enters with the bonus u.
void rwkv6(Call &call) {
  Tensor &S = call.state("S");
  for (int64_t t = 0; t < call.size("T"); ++t) {
    Vector r = row(call.in("r"), t), k = row(call.in("k"), t), v = row(call.in("v"), t);
    Vector past = read(S, r);
    double bonus = dot(r, times(call.in("u").data, k));
    setRow(call.out("o"), t, plus(past, times(bonus, v)));
    decayRows(S, exp(row(call.in("w"), t)));
    write(S, k, v);
  }
}

// Peng et al., "RWKV-7 Goose", 2503.14456:
// S = (diag(e^w) - (kappa a) kappa^T) S + k v^T, o = S^T r.
void rwkv7(Call &call) {
  Tensor &S = call.state("S");
  for (int64_t t = 0; t < call.size("T"); ++t) {
    Vector kappa = row(call.in("kappa"), t), a = row(call.in("a"), t);
    Vector removed = read(S, kappa);
    decayRows(S, exp(row(call.in("w"), t)));
    write(S, times(-1.0, times(kappa, a)), removed);
    write(S, row(call.in("k"), t), row(call.in("v"), t));
    setRow(call.out("o"), t, read(S, row(call.in("r"), t)));
  }
}

// Beck et al., "xLSTM", 2405.04517, with the stabiliser m of its appendix.
void mlstm(Call &call) {
  Tensor &C = call.state("C"), &n = call.state("n");
  double &m = call.state("m")();
  for (int64_t t = 0; t < call.size("T"); ++t) {
    Vector k = row(call.in("k"), t), q = times(rootScale(call), row(call.in("q"), t));
    double logForget = -std::log1p(std::exp(-call.in("f")(t))), input = call.in("i")(t);
    double next = std::fmax(logForget + m, input);
    double forget = std::exp(logForget + m - next), gain = std::exp(input - next);
    m = next;
    decayAll(C, forget);
    write(C, times(gain, k), row(call.in("v"), t));
    n.data = plus(times(forget, n.data), times(gain, k));
    double normaliser = std::fmax(std::fabs(dot(n.data, q)), std::exp(-m)) + 1e-6;
    setRow(call.out("h"), t, times(1.0 / normaliser, read(C, q)));
  }
}

// Zhang et al., "Gated Slot Attention", 2409.07146: keys and values are written to M slots,
// which are then attended to. Hk is K x M, Hv is M x V.
void gsa(Call &call) {
  Tensor &Hk = call.state("Hk"), &Hv = call.state("Hv");
  for (int64_t t = 0; t < call.size("T"); ++t) {
    Vector decay = exp(row(call.in("g"), t));
    Vector slot = map(decay, [](double f) { return 1.0 - f; });
    for (int64_t k = 0; k < Hk.shape[0]; ++k)
      for (int64_t m = 0; m < Hk.shape[1]; ++m)
        Hk(k, m) *= decay[m];
    write(Hk, row(call.in("k"), t), slot);
    Vector weights = exp(times(rootScale(call), read(Hk, row(call.in("q"), t))));
    double sum = dot(weights, Vector(weights.size(), 1.0));
    decayRows(Hv, decay);
    write(Hv, slot, row(call.in("v"), t));
    setRow(call.out("o"), t, times(1.0 / sum, read(Hv, weights)));
  }
}

/// (x - mean) / deviation, and the deviation.
std::pair<Vector, double> standardise(const Vector &x) {
  double mean = dot(x, Vector(x.size(), 1.0)) / x.size();
  Vector centered = map(x, [&](double value) { return value - mean; });
  double deviation = std::sqrt(dot(centered, centered) / x.size() + 1e-6);
  return {times(1.0 / deviation, centered), deviation};
}

// Sun et al., "Learning to (Learn at Test Time)", 2407.04620, the linear model with
// mini-batches of 16. Gradients are taken at the start (W, b) of the mini-batch.
void tttLinear(Call &call) {
  const int64_t batch = 16;
  Tensor &W = call.state("W"), &b = call.state("b");
  Tensor &dW = call.state("dW"), &db = call.state("db");
  Tensor startW = W, startB = b;
  Vector &w = call.in("w").data, &c = call.in("c").data;
  for (int64_t t = 0; t < call.size("T"); ++t) {
    if (t % batch == 0) {
      startW = W, startB = b;
      dW.data.assign(dW.data.size(), 0.0);
      db.data.assign(db.data.size(), 0.0);
    }
    Vector k = row(call.in("k"), t);
    auto [x, deviation] = standardise(plus(read(startW, k), startB.data));
    // The gradient of |w x + c - target|^2 / 2 by the input of the normalisation.
    Vector target = row(call.in("target"), t);
    Vector error = times(w, minus(plus(times(w, x), c), target));
    double V = error.size(), sum = dot(error, Vector(error.size(), 1.0)), along = dot(error, x);
    Vector gradient;
    for (size_t v = 0; v < error.size(); ++v)
      gradient.push_back((V * error[v] - sum - x[v] * along) / (V * deviation));
    write(dW, k, gradient);
    db.data = plus(db.data, gradient);
    // The learning rate of this token scales all steps of its mini-batch so far.
    double eta = call.in("eta")(t);
    W.data = minus(startW.data, times(eta, dW.data));
    b.data = minus(startB.data, times(eta, db.data));
    Vector z = plus(times(rootScale(call), read(W, row(call.in("q"), t))), b.data);
    Vector norm = plus(times(w, standardise(z).first), c);
    setRow(call.out("o"), t, plus(z, norm));
  }
}

} // namespace

std::vector<Mixer> oracle::matrixStateMixers() {
  const Argument q = {"q", {"T", "K"}}, k = {"k", {"T", "K"}}, v = {"v", {"T", "V"}};
  const Argument key = {"k", {"T", "K"}, Draw::Unit};
  const Argument g = {"g", {"T"}, Draw::LogDecay}, gK = {"g", {"T", "K"}, Draw::LogDecay};
  const Argument beta = {"beta", {"T"}, Draw::Fraction};
  const std::vector<Argument> o = {{"o", {"T", "V"}}}, S = {{"S", {"K", "V"}}};
  return {
      {"linear_attention", {q, k, v}, o, S, {}, linearAttention},
      {"retnet", {q, k, v, {"log_gamma", {}, Draw::LogDecay}}, o, S, {}, retnet},
      {"gla", {q, k, v, gK}, o, S, {}, gla},
      {"hgrn2", {q, v, gK}, o, S, {}, hgrn2},
      {"linear_attention_normalized",
       {q, k, v},
       o,
       {{"S", {"K", "V"}}, {"z", {"K"}, Draw::Positive}},
       {},
       linearAttentionNormalized},
      {"mamba2",
       {{"x", {"T", "P"}},
        {"dt", {"T"}, Draw::Positive},
        {"B", {"T", "N"}},
        {"C", {"T", "N"}},
        {"A", {}, Draw::LogDecay},
        {"Dskip", {}}},
       {{"y", {"T", "P"}}},
       {{"S", {"N", "P"}}},
       {},
       mamba2},
      {"delta_rule", {q, key, v, beta}, o, S, {}, deltaRule},
      {"gated_delta_rule", {q, key, v, g, beta}, o, S, {}, gatedDeltaRule},
      {"kda", {q, key, v, gK, beta}, o, S, {}, kda},
      {"comba", {q, key, {"p", {"T", "K"}, Draw::Unit}, v, g, beta}, o, S, {}, comba},
      {"gated_delta_product",
       {q,
        {"k1", {"T", "K"}, Draw::Unit},
        {"k2", {"T", "K"}, Draw::Unit},
        {"v1", {"T", "V"}},
        {"v2", {"T", "V"}},
        g,
        {"beta1", {"T"}, Draw::Fraction},
        {"beta2", {"T"}, Draw::Fraction}},
       o,
       S,
       {},
       gatedDeltaProduct},
      {"titans",
       {q,
        key,
        v,
        {"eta", {"T"}, Draw::Fraction},
        {"theta", {"T"}, Draw::Fraction},
        {"alpha", {"T"}, Draw::Fraction}},
       o,
       {{"P", {"K", "V"}}, {"M", {"K", "V"}}},
       {},
       titans},
      {"rwkv6",
       {{"r", {"T", "K"}}, k, v, {"w", {"T", "K"}, Draw::LogDecay}, {"u", {"K"}}},
       o,
       S,
       {},
       rwkv6},
      {"rwkv7",
       {{"r", {"T", "K"}},
        {"w", {"T", "K"}, Draw::LogDecay},
        k,
        v,
        {"kappa", {"T", "K"}, Draw::Unit},
        {"a", {"T", "K"}, Draw::Fraction}},
       o,
       S,
       {},
       rwkv7},
      {"gsa",
       {q, k, v, {"g", {"T", "M"}, Draw::LogDecay}},
       o,
       {{"Hk", {"K", "M"}}, {"Hv", {"M", "V"}}},
       {},
       gsa},
      {"ttt_linear",
       {q,
        k,
        {"target", {"T", "V"}},
        {"eta", {"T"}, Draw::Fraction},
        {"w", {"V"}},
        {"c", {"V"}},
        {"W0", {"K", "V"}},
        {"b0", {"V"}}},
       o,
       {{"W", {"K", "V"}, Draw::Normal, 0.0, "W0"},
        {"b", {"V"}, Draw::Normal, 0.0, "b0"},
        {"dW", {"K", "V"}},
        {"db", {"V"}}},
       {},
       tttLinear,
       {},
       /*canBeCut=*/false},
      {"mlstm",
       {q, k, v, {"i", {"T"}}, {"f", {"T"}}},
       {{"h", {"T", "V"}}},
       {{"m", {}}, {"C", {"K", "V"}}, {"n", {"K"}}},
       {},
       mlstm},
  };
}
