/*
 * preload.c - loaded into a gateway by LD_PRELOAD: tells whoever asks what its heap holds and how often it has taken a lock
 *
 * A thread of its own listens on the Unix socket that BENCH_PRELOAD names, and answers each connection with one line:
 * the bytes that are allocated and not freed, of all arenas and mappings (mallinfo2), and the number of calls of the functions
 * below since the start. What malloc keeps for itself (free chunks, pages it has not given back) is not in the first, and
 * that is why it is steadier than what the kernel counts. Locks inside the C library are not in the second: malloc's
 * arenas have one each.
 */

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX 64

/* The functions that are counted have no place to be given one. */
static atomic_ulong locks_taken;

/* What is below us in the order of symbols; asked each time, the cost is not what is measured. */
#define COUNT_LOCKS(function, type)                                                                \
	__attribute__((visibility("default"))) int function(type *lock)                            \
	{                                                                                          \
		int (*next)(type *) = (int (*)(type *))dlsym(RTLD_NEXT, #function);                \
                                                                                                   \
		atomic_fetch_add_explicit(&locks_taken, 1, memory_order_relaxed);                  \
		return next(lock);                                                                 \
	}

COUNT_LOCKS(pthread_mutex_lock, pthread_mutex_t)
COUNT_LOCKS(pthread_mutex_trylock, pthread_mutex_t)
COUNT_LOCKS(pthread_rwlock_rdlock, pthread_rwlock_t)
COUNT_LOCKS(pthread_rwlock_wrlock, pthread_rwlock_t)
COUNT_LOCKS(pthread_spin_lock, pthread_spinlock_t)

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, strlen(path));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		return -1;
	return fd;
}

static void *answer_all(void *arg)
{
	int listener = *(int *)arg;

	free(arg);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		struct mallinfo2 info = mallinfo2();
		char answer[ANSWER_MAX];
		int len = snprintf(answer, sizeof(answer), "%zu %lu\n", info.uordblks + info.hblkhd,
				   atomic_load(&locks_taken));

		if (fd < 0)
			return NULL;
		(void)send(fd, answer, (size_t)len, MSG_NOSIGNAL);
		close(fd);
	}
}

/* Signals are for the gateway's threads, and its children are started without us. */
__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("BENCH_PRELOAD");
	int *listener = malloc(sizeof(*listener));
	sigset_t all, before;
	pthread_t thread;

	unsetenv("LD_PRELOAD");
	if (!path || !listener || (*listener = listen_at(path)) < 0) {
		fputs("bench: the preloaded library has nowhere to listen\n", stderr);
		exit(1);
	}
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (pthread_create(&thread, NULL, answer_all, listener) != 0)
		exit(1);
	pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
