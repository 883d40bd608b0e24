//===- Scans.cpp - Oracles of elementwise and max-stabilised scans ----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Oracle.h"
#include <cmath>

using namespace oracle;

// Qin et al., "HGRN", 2311.04823: h = e^g h + x.
static void hgrn(Call &call) {
  Tensor &h = call.state("h");
  for (int64_t t = 0; t < call.size("T"); ++t)
    for (int64_t d = 0; d < call.size("D"); ++d)
      call.out("o")(t, d) = h(d) = std::exp(call.in("g")(t, d)) * h(d) + call.in("x")(t, d);
}

// Gu and Dao, "Mamba", 2312.00752: h = exp(dt A) h + dt B x, y = C h + D x.
static void selectiveScan(Call &call) {
  Tensor &h = call.state("h");
  for (int64_t t = 0; t < call.size("T"); ++t)
    for (int64_t d = 0; d < call.size("D"); ++d) {
      double dt = call.in("dt")(t, d), x = call.in("x")(t, d);
      double y = call.in("Dskip")(d)*x;
      for (int64_t n = 0; n < call.size("N"); ++n) {
        h(d, n) = std::exp(dt * call.in("A")(d, n)) * h(d, n) + dt * call.in("B")(t, n) * x;
        y += call.in("C")(t, n) * h(d, n);
      }
      call.out("y")(t, d) = y;
    }
}

// Peng et al., "RWKV", 2305.13048, the numerically safe form of its appendix. The
// numerator and denominator are held relative to exp(top).
static void rwkv4(Call &call) {
  Tensor &num = call.state("num"), &den = call.state("den"), &top = call.state("top");
  for (int64_t t = 0; t < call.size("T"); ++t)
    for (int64_t d = 0; d < call.size("D"); ++d) {
      double k = call.in("k")(t, d), v = call.in("v")(t, d);
      double w = call.in("w")(d), u = call.in("u")(d);
      double max = std::fmax(u + k, top(d));
      double past = std::exp(top(d) - max), own = std::exp(u + k - max);
      call.out("o")(t, d) = (past * num(d) + own * v) / (past * den(d) + own);
      double next = std::fmax(w + top(d), k);
      past = std::exp(w + top(d) - next), own = std::exp(k - next);
      num(d) = past * num(d) + own * v;
      den(d) = past * den(d) + own;
      top(d) = next;
    }
}

// Feng et al., "Attention as an RNN", 2405.13956: a query that does not depend on the
// token; softmax over the tokens so far as a recurrence in (maximum, sum, weighted sum).
static void aaren(Call &call) {
  double &m = call.state("m")(), &u = call.state("u")();
  Tensor &w = call.state("w");
  for (int64_t t = 0; t < call.size("T"); ++t) {
    double score = 0.0;
    for (int64_t k = 0; k < call.size("K"); ++k)
      score += call.in("q")(k)*call.in("k")(t, k) / std::sqrt(double(call.size("K")));
    double next = std::fmax(m, score);
    double past = std::exp(m - next), own = std::exp(score - next);
    m = next;
    u = past * u + own;
    for (int64_t v = 0; v < call.size("V"); ++v) {
      w(v) = past * w(v) + own * call.in("v")(t, v);
      call.out("o")(t, v) = w(v) / u;
    }
  }
}

std::vector<Mixer> oracle::scanMixers() {
  return {
      {"hgrn",
       {{"x", {"T", "D"}}, {"g", {"T", "D"}, Draw::LogDecay}},
       {{"o", {"T", "D"}}},
       {{"h", {"D"}}},
       {},
       hgrn},
      {"selective_scan",
       {{"x", {"T", "D"}},
        {"dt", {"T", "D"}, Draw::Positive},
        {"B", {"T", "N"}},
        {"C", {"T", "N"}},
        {"A", {"D", "N"}, Draw::LogDecay},
        {"Dskip", {"D"}}},
       {{"y", {"T", "D"}}},
       {{"h", {"D", "N"}}},
       {},
       selectiveScan},
      {"rwkv4",
       {{"k", {"T", "D"}}, {"v", {"T", "D"}}, {"w", {"D"}, Draw::LogDecay}, {"u", {"D"}}},
       {{"o", {"T", "D"}}},
       {{"num", {"D"}}, {"den", {"D"}, Draw::Positive}, {"top", {"D"}, Draw::Normal, -1e38}},
       {},
       rwkv4},
      {"aaren",
       {{"q", {"K"}}, {"k", {"T", "K"}}, {"v", {"T", "V"}}},
       {{"o", {"T", "V"}}},
       {{"m", {}, Draw::Normal, -INFINITY}, {"u", {}, Draw::Positive}, {"w", {"V"}}},
       {},
       aaren},
  };
}
