/*
 * LD_PRELOAD: shifts the wall clock by CLOCK_OFFSET seconds, and nothing else: monotonic time, sleeps and waits stay
 * as they are, which under libfaketime 0.9.10 they do not (time.sleep).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long offset(void) {
  const char *seconds = getenv("CLOCK_OFFSET");
  return seconds ? atol(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, time);
  if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += offset();
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

/* A deadline of the wall clock, as the kernel has it; a small one is of the monotonic clock. */
static const struct timespec *back(const struct timespec *deadline, struct timespec *shifted) {
  if (!deadline || deadline->tv_sec < 1000000000L) return deadline;
  *shifted = *deadline;
  shifted->tv_sec -= offset();
  return shifted;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
  static int (*real)(sem_t *, const struct timespec *);
  struct timespec shifted;
  if (!real) real = dlsym(RTLD_NEXT, "sem_timedwait");
  return real(semaphore, back(deadline, &shifted));
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  struct timespec shifted;
  if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2"); /* of two, the one in use */
  return real(condition, mutex, back(deadline, &shifted));
}
