//===- Attention.cpp - Oracles of softmax-like mixers -----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Oracle.h"
#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

using namespace oracle;

/// q_i . k_j / sqrt(K)
static double score(Call &call, int64_t i, int64_t j) {
  double sum = 0.0;
  for (int64_t k = 0; k < call.size("K"); ++k)
    sum += call.in("q")(i, k) * call.in("k")(j, k);
  return sum / std::sqrt(double(call.size("K")));
}

/// o_i = sum_j p_ij v_j, p_i = softmax over the keys j that have a logit, with exp(extra)
/// as one more term of the denominator. The direct formula in double precision, after
/// the largest logit is taken off.
static void attend(Call &call, std::function<std::optional<double>(int64_t, int64_t)> logit,
                   std::optional<double> extra = std::nullopt) {
  int64_t keys = call.in("v").shape[0];
  for (int64_t i = 0; i < call.size("T"); ++i) {
    std::vector<std::pair<int64_t, double>> logits;
    double max = extra.value_or(-INFINITY);
    for (int64_t j = 0; j < keys; ++j)
      if (std::optional<double> s = logit(i, j)) {
        logits.push_back({j, *s});
        max = std::fmax(max, *s);
      }
    double denominator = extra ? std::exp(*extra - max) : 0.0;
    for (auto [j, s] : logits)
      denominator += std::exp(s - max);
    for (auto [j, s] : logits)
      for (int64_t v = 0; v < call.size("V"); ++v)
        call.out("o")(i, v) += std::exp(s - max) / denominator * call.in("v")(j, v);
  }
}

// Vaswani et al., "Attention Is All You Need", 1706.03762.
static void softmaxAttention(Call &call) {
  attend(call, [&](int64_t i, int64_t j) {
    return j <= i ? std::optional(score(call, i, j)) : std::nullopt;
  });
}

static void bidirectionalAttention(Call &call) {
  attend(call, [&](int64_t i, int64_t j) { return std::optional(score(call, i, j)); });
}

// Sliding window: `window` keys including the own; softcap of Gemma 2: cap tanh(s / cap).
static constexpr int64_t kWindow = 17;
static constexpr double kCap = 3.0;
static void localAttention(Call &call) {
  attend(call, [&](int64_t i, int64_t j) -> std::optional<double> {
    if (j > i || i - j >= kWindow)
      return std::nullopt;
    return kCap * std::tanh(score(call, i, j) / kCap);
  });
}

// Press et al., "Train Short, Test Long", 2108.12409: bias -slope (i - j).
static void alibiAttention(Call &call) {
  attend(call, [&](int64_t i, int64_t j) -> std::optional<double> {
    if (j > i)
      return std::nullopt;
    return score(call, i, j) - call.in("slope")() * double(i - j);
  });
}

// A learned logit per head that only enters the denominator (gpt-oss).
static void sinkAttention(Call &call) {
  attend(
      call,
      [&](int64_t i, int64_t j) {
        return j <= i ? std::optional(score(call, i, j)) : std::nullopt;
      },
      call.in("sink")());
}

// Ramapuram et al., "Theory, Analysis, and Best Practices for Sigmoid Self-Attention",
// 2409.04431: p_ij = sigmoid(s_ij + b), no normaliser.
static void sigmoidAttention(Call &call) {
  for (int64_t i = 0; i < call.size("T"); ++i)
    for (int64_t j = 0; j <= i; ++j) {
      double p = 1.0 / (1.0 + std::exp(-(score(call, i, j) + call.in("bias")())));
      for (int64_t v = 0; v < call.size("V"); ++v)
        call.out("o")(i, v) += p * call.in("v")(j, v);
    }
}

// Tan et al., "Scaling Stick-Breaking Attention", 2410.17980: the key j < i gets the share
// sigmoid(s_ij) of what the keys after it left.
static void stickBreakingAttention(Call &call) {
  for (int64_t i = 0; i < call.size("T"); ++i) {
    double left = 1.0;
    for (int64_t j = i - 1; j >= 0; --j) {
      double share = 1.0 / (1.0 + std::exp(-score(call, i, j)));
      for (int64_t v = 0; v < call.size("V"); ++v)
        call.out("o")(i, v) += share * left * call.in("v")(j, v);
      left *= 1.0 - share;
    }
  }
}

// Lin et al., "Forgetting Transformer", 2503.02130: the decays of the tokens j + 1 .. i.
static void forgettingAttention(Call &call) {
  attend(call, [&](int64_t i, int64_t j) -> std::optional<double> {
    if (j > i)
      return std::nullopt;
    double bias = 0.0;
    for (int64_t s = j + 1; s <= i; ++s)
      bias += call.in("log_f")(s);
    return score(call, i, j) + bias;
  });
}

// Attention within a document of a packed sequence.
static void documentAttention(Call &call) {
  attend(call, [&](int64_t i, int64_t j) -> std::optional<double> {
    if (j > i || call.in("doc")(i) != call.in("doc")(j))
      return std::nullopt;
    return score(call, i, j);
  });
}

// Attention from one sequence to all of another one.
static void crossAttention(Call &call) {
  attend(call, [&](int64_t i, int64_t j) { return std::optional(score(call, i, j)); });
}

// Raffel et al., "T5", 1910.10683, causal: a bias per bucket of the distance, exact below half
// of the buckets and logarithmic up to a distance of 128. No scale.
static constexpr int64_t kBuckets = 32;
static void relativeBiasAttention(Call &call) {
  attend(call, [&](int64_t i, int64_t j) -> std::optional<double> {
    if (j > i)
      return std::nullopt;
    int64_t distance = i - j, exact = kBuckets / 2, bucket = distance;
    if (distance >= exact) {
      double far = std::log(double(distance) / exact) / std::log(128.0 / exact);
      bucket = std::min<int64_t>(kBuckets - 1, exact + int64_t(far * (kBuckets - exact)));
    }
    return score(call, i, j) * std::sqrt(double(call.size("K"))) + call.in("E")(bucket);
  });
}

// Ye et al., "Differential Transformer", 2410.05258, without its norm of the output.
static void differentialAttention(Call &call) {
  Call first = call, second = call;
  first.inputs["q"] = call.in("q1"), first.inputs["k"] = call.in("k1");
  second.inputs["q"] = call.in("q2"), second.inputs["k"] = call.in("k2");
  softmaxAttention(first);
  softmaxAttention(second);
  for (size_t n = 0; n < call.out("o").data.size(); ++n)
    call.out("o").data[n] = first.out("o").data[n] - call.in("lambda")() * second.out("o").data[n];
}

// Arora et al., "Based", 2402.18668: the Taylor series 1 + s + s^2 / 2 instead of exp(s).
static void based(Call &call) {
  for (int64_t i = 0; i < call.size("T"); ++i) {
    double normaliser = 1e-6;
    for (int64_t j = 0; j <= i; ++j) {
      double s = score(call, i, j), weight = 1.0 + s + s * s / 2.0;
      normaliser += weight;
      for (int64_t v = 0; v < call.size("V"); ++v)
        call.out("o")(i, v) += weight * call.in("v")(j, v);
    }
    for (int64_t v = 0; v < call.size("V"); ++v)
      call.out("o")(i, v) /= normaliser;
  }
}

static constexpr int64_t kBlock = 16;

// Lu et al., "MoBA", 2502.13189: the own block, and the earlier blocks whose mean keys have
// the largest products with the query.
static constexpr int64_t kChosen = 2;
static void moba(Call &call) {
  int64_t tokens = call.size("T"), K = call.size("K");
  auto &q = call.in("q"), &k = call.in("k");
  auto isChosen = [&](int64_t i, int64_t block) {
    std::vector<double> scores;
    for (int64_t b = 0; b < i / kBlock; ++b) {
      double sum = 0.0;
      for (int64_t j = b * kBlock; j < (b + 1) * kBlock; ++j)
        for (int64_t d = 0; d < K; ++d)
          sum += q(i, d) * k(j, d);
      scores.push_back(sum / kBlock);
    }
    int64_t better = 0;
    for (double score : scores)
      better += score > scores[block];
    return better < kChosen;
  };
  std::vector<std::vector<bool>> chosen(tokens);
  for (int64_t i = 0; i < tokens; ++i)
    for (int64_t b = 0; b <= i / kBlock; ++b)
      chosen[i].push_back(b == i / kBlock || isChosen(i, b));
  attend(call, [&](int64_t i, int64_t j) -> std::optional<double> {
    if (j > i || !chosen[i][j / kBlock])
      return std::nullopt;
    return score(call, i, j);
  });
}

// A depthwise causal convolution over tokens, w_0 for the token itself.
static void shortConvolution(Call &call) {
  for (int64_t t = 0; t < call.size("T"); ++t)
    for (int64_t n = 0; n < std::min(call.size("W"), t + 1); ++n)
      for (int64_t d = 0; d < call.size("D"); ++d)
        call.out("y")(t, d) += call.in("w")(n, d) * call.in("x")(t - n, d);
}

// Ren et al., "Combiner", 2107.05768, fixed factorisation: a token attends to its own
// block directly, and to each earlier block through one summary. With R a block,
// k_R and q_R the elementwise maxima, v_R = sum over R of softmax(q_R . k_j) v_j.
static void combinerFixed(Call &call) {
  int64_t tokens = call.size("T"), K = call.size("K"), V = call.size("V");
  int64_t blocks = (tokens + kBlock - 1) / kBlock;
  double scale = 1.0 / std::sqrt(double(K));
  auto &q = call.in("q"), &k = call.in("k"), &v = call.in("v");
  std::vector<std::vector<double>> kR(blocks, std::vector<double>(K, -INFINITY)), qR = kR;
  std::vector<std::vector<double>> vR(blocks, std::vector<double>(V, 0.0));
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t d = 0; d < K; ++d) {
      kR[t / kBlock][d] = std::fmax(kR[t / kBlock][d], k(t, d));
      qR[t / kBlock][d] = std::fmax(qR[t / kBlock][d], q(t, d));
    }
  for (int64_t b = 0; b < blocks; ++b) {
    double denominator = 0.0;
    for (int64_t j = b * kBlock; j < std::min(tokens, (b + 1) * kBlock); ++j) {
      double dot = 0.0;
      for (int64_t d = 0; d < K; ++d)
        dot += qR[b][d] * k(j, d);
      double weight = std::exp(scale * dot);
      denominator += weight;
      for (int64_t d = 0; d < V; ++d)
        vR[b][d] += weight * v(j, d);
    }
    for (double &x : vR[b])
      x /= denominator;
  }
  for (int64_t i = 0; i < tokens; ++i) {
    double denominator = 0.0;
    std::vector<double> sum(V, 0.0);
    for (int64_t j = i / kBlock * kBlock; j <= i; ++j) {
      double weight = std::exp(score(call, i, j));
      denominator += weight;
      for (int64_t d = 0; d < V; ++d)
        sum[d] += weight * v(j, d);
    }
    for (int64_t b = 0; b < i / kBlock; ++b) {
      double dot = 0.0;
      for (int64_t d = 0; d < K; ++d)
        dot += q(i, d) * kR[b][d];
      double weight = std::exp(scale * dot);
      denominator += weight;
      for (int64_t d = 0; d < V; ++d)
        sum[d] += weight * vR[b][d];
    }
    for (int64_t d = 0; d < V; ++d)
      call.out("o")(i, d) = sum[d] / denominator;
  }
}

// Chen, "Extractors", 2308.07661, SHE with the factor of 2311.12678:
// y_t = (x_t W_adj) * (1 / sqrt(t)) sum over i <= t of x_i W_i, t counted from 1.
static void extractorShe(Call &call) {
  int64_t D = call.size("D"), E = call.size("E");
  auto &x = call.in("x"), &W = call.in("W"), &adjust = call.in("Wadj");
  std::vector<double> sum(E, 0.0);
  for (int64_t t = 0; t < call.size("T"); ++t)
    for (int64_t e = 0; e < E; ++e) {
      double gate = 0.0;
      for (int64_t d = 0; d < D; ++d) {
        sum[e] += x(t, d) * W(t, d, e);
        gate += x(t, d) * adjust(d, e);
      }
      call.out("y")(t, e) = gate * sum[e] / std::sqrt(double(t + 1));
    }
}

// Qin et al., "cosFormer", 2202.08791, equations 8 to 10: all pairs of tokens, as they stand.
static constexpr int64_t kCosineSpan = 97;
static void cosformer(Call &call) {
  for (int64_t i = 0; i < call.size("T"); ++i) {
    double denominator = 1e-6;
    for (int64_t j = 0; j <= i; ++j) {
      double weight = 0.0;
      for (int64_t k = 0; k < call.size("K"); ++k)
        weight += std::fmax(call.in("q")(i, k), 0.0) * std::fmax(call.in("k")(j, k), 0.0);
      weight *= std::cos(std::acos(0.0) * double(i - j) / double(kCosineSpan));
      denominator += weight;
      for (int64_t v = 0; v < call.size("V"); ++v)
        call.out("o")(i, v) += weight * call.in("v")(j, v);
    }
    for (int64_t v = 0; v < call.size("V"); ++v)
      call.out("o")(i, v) /= denominator;
  }
}

std::vector<Mixer> oracle::attentionMixers() {
  const std::vector<Argument> qkv = {{"q", {"T", "K"}}, {"k", {"T", "K"}}, {"v", {"T", "V"}}};
  const std::vector<Argument> o = {{"o", {"T", "V"}}};
  auto with = [&](Argument extra) {
    std::vector<Argument> inputs = qkv;
    inputs.push_back(extra);
    return inputs;
  };
  return {
      {"softmax_attention", qkv, o, {}, {}, softmaxAttention},
      {"bidirectional_attention", qkv, o, {}, {}, bidirectionalAttention},
      {"local_attention",
       qkv,
       o,
       {},
       {{"window", std::to_string(kWindow)}, {"cap", "3.0"}},
       localAttention},
      {"alibi_attention", with({"slope", {}, Draw::Fraction}), o, {}, {}, alibiAttention},
      {"sink_attention", with({"sink", {}}), o, {}, {}, sinkAttention},
      {"sigmoid_attention", with({"bias", {}}), o, {}, {}, sigmoidAttention},
      {"cosformer", qkv, o, {}, {{"M", std::to_string(kCosineSpan)}}, cosformer},
      {"stick_breaking_attention", qkv, o, {}, {}, stickBreakingAttention},
      {"forgetting_attention",
       with({"log_f", {"T"}, Draw::LogDecay}),
       o,
       {},
       {},
       forgettingAttention},
      {"document_attention", with({"doc", {"T"}, Draw::Document}), o, {}, {}, documentAttention},
      {"cross_attention",
       {{"q", {"T", "K"}}, {"k", {"L", "K"}}, {"v", {"L", "V"}}},
       o,
       {},
       {},
       crossAttention},
      {"relative_bias_attention",
       with({"E", {"N"}}),
       o,
       {},
       {},
       relativeBiasAttention,
       {{"N", kBuckets}}},
      {"differential_attention",
       {{"q1", {"T", "K"}},
        {"k1", {"T", "K"}},
        {"q2", {"T", "K"}},
        {"k2", {"T", "K"}},
        {"v", {"T", "V"}},
        {"lambda", {}}},
       o,
       {},
       {},
       differentialAttention},
      {"based", qkv, o, {}, {}, based},
      {"moba",
       qkv,
       o,
       {},
       {{"block", std::to_string(kBlock)}, {"top", std::to_string(kChosen)}},
       moba},
      {"short_convolution",
       {{"x", {"T", "D"}}, {"w", {"W", "D"}}},
       {{"y", {"T", "D"}}},
       {},
       {},
       shortConvolution,
       {{"W", 4}}},
      {"combiner_fixed", qkv, o, {}, {{"block", std::to_string(kBlock)}}, combinerFixed},
      {"extractor_she",
       {{"x", {"T", "D"}}, {"W", {"L", "D", "E"}}, {"Wadj", {"D", "E"}}},
       {{"y", {"T", "E"}}},
       {},
       {},
       extractorShe},
  };
}
