/*===- Kernel.c - A kernel of devices, written by hand --------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "Kernel.h"
#include <stddef.h>

/* The layout of a call that the IR below reads in bytes. */
_Static_assert(offsetof(mixwright_device_call, heads) == 8 &&
                   offsetof(mixwright_device_call, instances) == 24 &&
                   sizeof(mixwright_device_call) == 72 && sizeof(mixwright_device_space) == 24 &&
                   MIXWRIGHT_DEVICE_TENSORS(1) == 96 && sizeof(mixwright_device_tensor) == 64 &&
                   offsetof(mixwright_device_tensor, strides) == 32,
               "the device call has another layout");

/* @at: the address of element (t, k) of tensor n in the instance of this block. @row, @column: the
 * element that is this thread's, the row in the whole sequence. */
#define BODY                                                                                       \
  "define internal i64 @number(ptr %call, i64 %byte) {\n"                                          \
  "  %at = getelementptr i8, ptr %call, i64 %byte\n"                                               \
  "  %value = load i64, ptr %at, align 8\n"                                                        \
  "  ret i64 %value\n"                                                                             \
  "}\n"                                                                                            \
  "define internal ptr @at(ptr %call, i64 %n, i64 %instance, i64 %t, i64 %k) {\n"                  \
  "  %offset = mul i64 %n, 64\n"                                                                   \
  "  %tensor = getelementptr i8, ptr %call, i64 %offset\n"                                         \
  "  %heads = call i64 @number(ptr %call, i64 8)\n"                                                \
  "  %b = udiv i64 %instance, %heads\n"                                                            \
  "  %h = urem i64 %instance, %heads\n"                                                            \
  "  %data = call i64 @number(ptr %tensor, i64 96)\n"                                              \
  "  %batch_stride = call i64 @number(ptr %tensor, i64 104)\n"                                     \
  "  %head_stride = call i64 @number(ptr %tensor, i64 112)\n"                                      \
  "  %head_group = call i64 @number(ptr %tensor, i64 120)\n"                                       \
  "  %stride = call i64 @number(ptr %tensor, i64 128)\n"                                           \
  "  %own = udiv i64 %h, %head_group\n"                                                            \
  "  %from_batch = mul i64 %b, %batch_stride\n"                                                    \
  "  %from_head = mul i64 %own, %head_stride\n"                                                    \
  "  %from_row = mul i64 %t, %stride\n"                                                            \
  "  %sum = add i64 %from_batch, %from_head\n"                                                     \
  "  %sum2 = add i64 %sum, %from_row\n"                                                            \
  "  %sum3 = add i64 %sum2, %k\n"                                                                  \
  "  %base = inttoptr i64 %data to ptr\n"                                                          \
  "  %element = getelementptr float, ptr %base, i64 %sum3\n"                                       \
  "  ret ptr %element\n"                                                                           \
  "}\n"                                                                                            \
  "define internal void @run(ptr %call, i32 %tid32, i32 %block32, i1 %adds) {\n"                   \
  "  %tid = zext i32 %tid32 to i64\n"                                                              \
  "  %block = zext i32 %block32 to i64\n"                                                          \
  "  %instances = call i64 @number(ptr %call, i64 24)\n"                                           \
  "  %token_block = udiv i64 %block, %instances\n"                                                 \
  "  %instance = urem i64 %block, %instances\n"                                                    \
  "  %first = mul i64 %token_block, 4\n"                                                           \
  "  %row = udiv i64 %tid, 4\n"                                                                    \
  "  %k = urem i64 %tid, 4\n"                                                                      \
  "  %t = add i64 %first, %row\n"                                                                  \
  "  %tokens = call i64 @number(ptr %call, i64 72)\n"                                              \
  "  %in_tensor = icmp ult i64 %t, %tokens\n"                                                      \
  "  %in_block = icmp ult i64 %row, 4\n"                                                           \
  "  %is_mine = and i1 %in_tensor, %in_block\n"                                                    \
  "  br i1 %is_mine, label %work, label %end\n"                                                    \
  "work:\n"                                                                                        \
  "  br i1 %adds, label %add, label %double\n"                                                     \
  "double:\n"                                                                                      \
  "  %x = call ptr @at(ptr %call, i64 0, i64 %instance, i64 %t, i64 %k)\n"                         \
  "  %to_w = call ptr @at(ptr %call, i64 3, i64 %instance, i64 %t, i64 %k)\n"                      \
  "  %value = load float, ptr %x, align 4\n"                                                       \
  "  %twice = fadd float %value, %value\n"                                                         \
  "  store float %twice, ptr %to_w, align 4\n"                                                     \
  "  ret void\n"                                                                                   \
  "add:\n"                                                                                         \
  "  %w = call ptr @at(ptr %call, i64 3, i64 %instance, i64 %t, i64 %k)\n"                         \
  "  %o = call ptr @at(ptr %call, i64 2, i64 %instance, i64 %t, i64 %k)\n"                         \
  "  %doubled = load float, ptr %w, align 4\n"                                                     \
  "  %state = call i64 @number(ptr %call, i64 160)\n"                                              \
  "  %is_absent = icmp eq i64 %state, 0\n"                                                         \
  "  br i1 %is_absent, label %store, label %load\n"                                                \
  "load:\n"                                                                                        \
  "  %s = call ptr @at(ptr %call, i64 1, i64 %instance, i64 0, i64 %k)\n"                          \
  "  %given = load float, ptr %s, align 4\n"                                                       \
  "  br label %store\n"                                                                            \
  "store:\n"                                                                                       \
  "  %initial = phi float [ 1.0, %add ], [ %given, %load ]\n"                                      \
  "  %result = fadd float %doubled, %initial\n"                                                    \
  "  store float %result, ptr %o, align 4\n"                                                       \
  "  ret void\n"                                                                                   \
  "end:\n"                                                                                         \
  "  ret void\n"                                                                                   \
  "}\n"

#define CUDA_KERNEL(NAME, ADDS, CHIP)                                                              \
  "define ptx_kernel void @" NAME                                                                  \
  "(ptr byval({ [44 x i64] }) align 8 %call) \"target-cpu\"=\"" CHIP "\" {\n"                      \
  "  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n"                                           \
  "  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()\n"                                       \
  "  call void @run(ptr %call, i32 %tid, i32 %block, i1 " ADDS ")\n"                               \
  "  ret void\n"                                                                                   \
  "}\n"

#define CUDA_IMAGE(CHIP)                                                                           \
  "target triple = \"nvptx64-nvidia-cuda\"\n"                                                      \
  "declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n"                                                 \
  "declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()\n" BODY CUDA_KERNEL("double", "false", CHIP)     \
      CUDA_KERNEL("add", "true", CHIP)

#define HIP_KERNEL(NAME, ADDS)                                                                     \
  "define amdgpu_kernel void @" NAME                                                               \
  "(ptr addrspace(4) byref({ [44 x i64] }) align 8 %constant) \"target-cpu\"=\"gfx942\" {\n"       \
  "  %call = addrspacecast ptr addrspace(4) %constant to ptr\n"                                    \
  "  %tid = call i32 @llvm.amdgcn.workitem.id.x()\n"                                               \
  "  %block = call i32 @llvm.amdgcn.workgroup.id.x()\n"                                            \
  "  call void @run(ptr %call, i32 %tid, i32 %block, i1 " ADDS ")\n"                               \
  "  ret void\n"                                                                                   \
  "}\n"

static const char sm_80[] = CUDA_IMAGE("sm_80"), sm_90[] = CUDA_IMAGE("sm_90"),
                  sm_90a[] = CUDA_IMAGE("sm_90a");
static const char gfx942[] =
    "target triple = \"amdgcn-amd-amdhsa\"\n"
    "declare i32 @llvm.amdgcn.workitem.id.x()\n"
    "declare i32 @llvm.amdgcn.workgroup.id.x()\n" BODY HIP_KERNEL("double", "false")
        HIP_KERNEL("add", "true");

enum { CUDA = 2, ROCM = 10 };
static const mixwright_image images[] = {{CUDA, 80, 1, sizeof sm_80 - 1, sm_80, NULL},
                                         {CUDA, 90, 1, sizeof sm_90 - 1, sm_90, NULL},
                                         {CUDA, 90, 0, sizeof sm_90a - 1, sm_90a, NULL},
                                         {ROCM, 0, 0, sizeof gfx942 - 1, gfx942, NULL}};

#define SPACE(name, index) {name, -1, index}
#define FEATURE {"K", TWICE_K, -1}
#define ARG(named, of_kind, rank_of, ...)                                                          \
  {                                                                                                \
    .name = named, .kind = of_kind, .dtype = MIXWRIGHT_F32, .rank = rank_of, .dims = {             \
      __VA_ARGS__                                                                                  \
    }                                                                                              \
  }

static const mixwright_space spaces[] = {{"T", -1, 0}};

static const mixwright_arg args[] = {ARG("x", MIXWRIGHT_INPUT, 2, SPACE("T", 0), FEATURE),
                                     ARG("S", MIXWRIGHT_STATE_IN, 1, FEATURE),
                                     ARG("o", MIXWRIGHT_OUTPUT, 2, SPACE("T", 0), FEATURE),
                                     ARG("w", MIXWRIGHT_WORKSPACE, 2, SPACE("T", 0), FEATURE)};

#define PHASE(name)                                                                                \
  {.feature_blocks = 1,                                                                            \
   .space = 0,                                                                                     \
   .rows = TWICE_ROWS,                                                                             \
   .scratch_bytes = TWICE_SHARED_BYTES,                                                            \
   .heads_of = -1,                                                                                 \
   .threads = 32,                                                                                  \
   .function = name}

static const mixwright_phase phases[] = {PHASE("double"), PHASE("add")};

#define KERNEL(chip, image_of, after)                                                              \
  {.abi_version = MIXWRIGHT_ABI_VERSION,                                                           \
   .mixer = "twice",                                                                               \
   .form = "chunked",                                                                              \
   .target = chip,                                                                                 \
   .num_spaces = 1,                                                                                \
   .spaces = spaces,                                                                               \
   .num_args = 4,                                                                                  \
   .args = args,                                                                                   \
   .num_phases = 2,                                                                                \
   .phases = phases,                                                                               \
   .cache_block = 1,                                                                               \
   .image = image_of,                                                                              \
   .next = after}

static const mixwright_kernel others[] = {KERNEL("sm_90", &images[1], &others[1]),
                                          KERNEL("sm_90a", &images[2], &others[2]),
                                          KERNEL("gfx942", &images[3], NULL)};
const mixwright_kernel twice = KERNEL("sm_80", &images[0], &others[0]);
