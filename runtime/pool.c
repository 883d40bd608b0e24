/*===- pool.c - Threads that wait for tasks -------------------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* One job at a time. The caller writes the job, opens the gate, raises the
|* generation (which is what workers wait for) and takes part. Who finds no task
|* left leaves. The caller then closes the gate and waits for those that came in:
|* a worker that wakes too late finds the gate closed and never delays anyone.
|*
|* Every thread has a share of the tasks, the same one in every job of as many, so that
|* what a task left in the caches of its processor is there when it runs again: a state
|* that is updated for every token. Who is done with its share helps with the others'.
|*
\*===----------------------------------------------------------------------===*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "runtime/internal.h"
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* About 30 us on current hardware: longer than the gap between two phases. */
#define SPIN_ROUNDS 2000

#define GATE_CLOSED 0x80000000u

/* The tasks of one thread that nobody has taken yet: [next, end). */
typedef struct {
  _Alignas(64) atomic_int_fast64_t next;
  int64_t end;
} share;

typedef struct {
  mixwright_pool *pool;
  int share; /* its number; the caller's is 0 */
  pthread_t thread;
} worker;

typedef struct {
  int64_t count, grain;
  mixwright_range_fn body;
  void *data;
  fenv_t environment; /* rounding and denormals as on the caller's thread */
} job;

struct mixwright_pool {
  int num_workers;
  worker *workers;
  share *shares;        /* of the caller and of every worker */
  pid_t owner;          /* threads do not survive fork */
  pthread_mutex_t busy; /* held during a job */
  job current;

  _Alignas(64) atomic_uint generation;
  _Alignas(64) atomic_uint gate; /* workers that came in, and GATE_CLOSED */
  _Alignas(64) atomic_uint left; /* workers that have left again */

  _Alignas(64) pthread_mutex_t parking;
  pthread_cond_t work_arrived, worker_left;
  atomic_uint parked; /* workers that wait for work_arrived */
  atomic_int caller_parked;
  atomic_int stop;
};

static inline void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void run_share(const job *current, share *from) {
  for (;;) {
    int64_t begin = atomic_fetch_add(&from->next, current->grain);
    if (begin >= from->end)
      return;
    int64_t end = from->end - begin < current->grain ? from->end : begin + current->grain;
    current->body(current->data, begin, end);
  }
}

/* Its own share, then what is left of the others'. */
static void run_tasks(mixwright_pool *pool, int own) {
  int shares = pool->num_workers + 1;
  for (int n = 0; n < shares; ++n)
    run_share(&pool->current, &pool->shares[(own + n) % shares]);
}

static void share_tasks(mixwright_pool *pool, int64_t count) {
  int64_t shares = pool->num_workers + 1, each = count / shares, rest = count % shares;
  int64_t begin = 0;
  for (int64_t n = 0; n < shares; ++n) {
    atomic_store(&pool->shares[n].next, begin);
    begin += each + (n < rest);
    pool->shares[n].end = begin;
  }
}

static void wait_for_generation(mixwright_pool *pool, unsigned seen) {
  for (int round = 0; round < SPIN_ROUNDS; ++round) {
    if (atomic_load(&pool->generation) != seen)
      return;
    pause_briefly();
  }
  pthread_mutex_lock(&pool->parking);
  atomic_fetch_add(&pool->parked, 1);
  while (atomic_load(&pool->generation) == seen)
    pthread_cond_wait(&pool->work_arrived, &pool->parking);
  atomic_fetch_sub(&pool->parked, 1);
  pthread_mutex_unlock(&pool->parking);
}

static void *work(void *argument) {
  const worker *self = argument;
  mixwright_pool *pool = self->pool;
  unsigned seen = 0;
  for (;;) {
    wait_for_generation(pool, seen);
    seen = atomic_load(&pool->generation);
    if (atomic_load(&pool->stop))
      return NULL;
    if (atomic_fetch_add(&pool->gate, 1) & GATE_CLOSED)
      continue;
    fesetenv(&pool->current.environment);
    run_tasks(pool, self->share);
    atomic_fetch_add(&pool->left, 1);
    if (atomic_load(&pool->caller_parked)) {
      pthread_mutex_lock(&pool->parking);
      pthread_cond_signal(&pool->worker_left);
      pthread_mutex_unlock(&pool->parking);
    }
  }
}

static void raise_generation(mixwright_pool *pool) {
  atomic_fetch_add(&pool->generation, 1);
  if (atomic_load(&pool->parked) == 0)
    return;
  pthread_mutex_lock(&pool->parking);
  pthread_cond_broadcast(&pool->work_arrived);
  pthread_mutex_unlock(&pool->parking);
}

static void wait_for_workers(mixwright_pool *pool) {
  unsigned entered = atomic_fetch_or(&pool->gate, GATE_CLOSED);
  for (int round = 0; round < SPIN_ROUNDS; ++round) {
    if (atomic_load(&pool->left) == entered)
      return;
    pause_briefly();
  }
  pthread_mutex_lock(&pool->parking);
  atomic_store(&pool->caller_parked, 1);
  while (atomic_load(&pool->left) != entered)
    pthread_cond_wait(&pool->worker_left, &pool->parking);
  atomic_store(&pool->caller_parked, 0);
  pthread_mutex_unlock(&pool->parking);
}

void mw_pool_run(mixwright_pool *pool, int64_t count, int64_t grain, mixwright_range_fn body,
                 void *data) {
  if (count <= 0)
    return;
  if (!pool || pool->num_workers == 0 || count <= grain || pool->owner != getpid() ||
      pthread_mutex_trylock(&pool->busy) != 0) {
    body(data, 0, count);
    return;
  }
  pool->current = (job){.count = count, .grain = grain, .body = body, .data = data};
  fegetenv(&pool->current.environment);
  share_tasks(pool, count);
  atomic_store(&pool->left, 0);
  atomic_store(&pool->gate, 0);
  raise_generation(pool);
  run_tasks(pool, 0);
  wait_for_workers(pool);
  pthread_mutex_unlock(&pool->busy);
}

static int count_processors(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return CPU_COUNT(&set);
#endif
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count < 1 ? 1 : (int)count;
}

static void stop_workers(mixwright_pool *pool) {
  atomic_store(&pool->stop, 1);
  raise_generation(pool);
  for (int n = 0; n < pool->num_workers; ++n)
    pthread_join(pool->workers[n].thread, NULL);
}

mixwright_status mixwright_pool_create(int threads, mixwright_pool **result) {
  if (!result)
    return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, "pool: the address of the result is null");
  *result = NULL;
  if (threads < 0)
    return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, "pool: %d threads; expected 0 (all) or more",
                   threads);
  if (threads == 0)
    threads = count_processors();

  void *memory;
  if (posix_memalign(&memory, _Alignof(mixwright_pool), sizeof(mixwright_pool)) != 0)
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "pool: no memory");
  mixwright_pool *pool = memory;
  *pool = (mixwright_pool){.owner = getpid()};
  pool->workers = calloc((size_t)threads, sizeof *pool->workers);
  void *shares = NULL;
  if (!pool->workers ||
      posix_memalign(&shares, _Alignof(share), (size_t)threads * sizeof(share)) != 0) {
    free(pool->workers);
    free(pool);
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "pool: no memory for %d threads", threads);
  }
  pool->shares = shares;
  pthread_mutex_init(&pool->busy, NULL);
  pthread_mutex_init(&pool->parking, NULL);
  pthread_cond_init(&pool->work_arrived, NULL);
  pthread_cond_init(&pool->worker_left, NULL);
  atomic_store(&pool->gate, GATE_CLOSED);
  for (; pool->num_workers < threads - 1; ++pool->num_workers) {
    worker *next = &pool->workers[pool->num_workers];
    *next = (worker){.pool = pool, .share = pool->num_workers + 1};
    if (pthread_create(&next->thread, NULL, work, next) == 0)
      continue;
    int started = pool->num_workers + 1;
    mixwright_pool_destroy(pool);
    return mw_fail(MIXWRIGHT_THREAD_ERROR, "pool: the system gave %d of %d threads", started,
                   threads);
  }
  *result = pool;
  return MIXWRIGHT_OK;
}

void mixwright_pool_destroy(mixwright_pool *pool) {
  if (!pool)
    return;
  if (pool->owner == getpid())
    stop_workers(pool);
  pthread_cond_destroy(&pool->worker_left);
  pthread_cond_destroy(&pool->work_arrived);
  pthread_mutex_destroy(&pool->parking);
  pthread_mutex_destroy(&pool->busy);
  free(pool->shares);
  free(pool->workers);
  free(pool);
}

int mixwright_pool_threads(const mixwright_pool *pool) { return pool ? pool->num_workers + 1 : 1; }

/*===----------------------------------------------------------------------===*\
|* What exists once
\*===----------------------------------------------------------------------===*/

static mixwright_pool *default_pool;

static void start_default_pool(void) { mixwright_pool_create(0, &default_pool); }

mixwright_pool *mw_default_pool(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_default_pool);
  return default_pool;
}

typedef struct {
  size_t bytes;
  void *memory;
} scratch;

static pthread_key_t scratch_key;
static int scratch_key_works;

static void free_scratch(void *argument) {
  scratch *own = argument;
  free(own->memory);
  free(own);
}

static void create_scratch_key(void) {
  scratch_key_works = pthread_key_create(&scratch_key, free_scratch) == 0;
}

void *mw_thread_scratch(size_t bytes) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, create_scratch_key);
  if (!scratch_key_works)
    return NULL;
  scratch *own = pthread_getspecific(scratch_key);
  if (!own) {
    own = calloc(1, sizeof *own);
    if (!own || pthread_setspecific(scratch_key, own) != 0) {
      free(own);
      return NULL;
    }
  }
  if (own->bytes < bytes) {
    free(own->memory);
    *own = (scratch){0, NULL};
    if (posix_memalign(&own->memory, MW_ALIGNMENT, bytes) != 0) {
      own->memory = NULL;
      return NULL;
    }
    own->bytes = bytes;
  }
  return own->memory;
}
