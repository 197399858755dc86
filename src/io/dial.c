/*
 * RFC 8305 without its resolution delay: both families are asked at once, their addresses are put in alternating
 * order, and an attempt starts when the previous one has failed or has been silent for DIAL_STAGGER_MS. The first that
 * connects wins and the others are closed.
 */

#include "io/dial.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/stream_tcp.h"

#define TARGET_TEXT_MAX 320

struct attempt {
	struct watch watch;
	struct dial *dial;
	struct addr address;
	int fd; /* -1: not started or over */
};

struct dial {
	struct loop *loop;
	struct resolver_query *query;
	struct timer deadline;
	struct timer stagger;
	struct attempt attempts[RESOLVER_ADDRESSES_MAX];
	size_t count;
	size_t started;
	size_t running;
	uint64_t timeout_ms;
	enum dial_family family;
	uint16_t port;
	bool is_over;
	struct err err;               /* the most telling failure so far */
	char target[TARGET_TEXT_MAX]; /* "host:port" for texts */
	void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
			const struct err *e);
	void *arg;
};

static void close_attempt(struct attempt *a)
{
	if (a->fd < 0)
		return;
	watch_close(&a->watch);
	close(a->fd);
	a->fd = -1;
	a->dial->running--;
}

static void release(struct dial *d)
{
	d->is_over = true;
	resolver_query_cancel(TAKE(d->query));
	timer_cancel(&d->deadline);
	timer_cancel(&d->stagger);
	for (size_t i = 0; i < d->started; i++)
		close_attempt(&d->attempts[i]);
	loop_free_later(d->loop, d);
}

static void finish_failed(struct dial *d)
{
	release(d);
	d->on_done(d->arg, NULL, NULL, &d->err);
}

/* A refusal says that the host is there and the service is not: nothing later is more telling. */
static void note_failure(struct dial *d, int errnum)
{
	if (d->err.kind != ERR_REFUSED)
		err_errno(&d->err, errnum, "connecting to %s", d->target);
}

static void finish_connected(struct dial *d, struct attempt *a)
{
	struct addr peer = a->address;
	struct stream *stream = NULL;
	int fd = a->fd;

	watch_close(&a->watch);
	a->fd = -1;
	d->running--;
	stream = stream_tcp_open(d->loop, fd, &d->err);
	if (!stream) {
		err_wrap(&d->err, "connecting to %s", d->target);
		finish_failed(d);
		return;
	}
	release(d);
	d->on_done(d->arg, stream, &peer, NULL);
}

static void start_next(struct dial *d);

static void attempt_failed(struct attempt *a, int errnum)
{
	struct dial *d = a->dial;

	close_attempt(a);
	note_failure(d, errnum);
	start_next(d);
}

static void on_attempt_ready(struct watch *watch, unsigned events)
{
	struct attempt *a = container_of(watch, struct attempt, watch);
	struct addr peer = { 0 };
	socklen_t peer_len = sizeof(peer);
	int errnum = 0;
	socklen_t len = sizeof(errnum);

	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0)
		errnum = errno;
	if (errnum != 0) {
		attempt_failed(a, errnum);
		return;
	}
	if (getpeername(a->fd, &peer.any, &peer_len) < 0) {
		watch_want(watch, WATCH_WRITE);
		return;
	}
	finish_connected(a->dial, a);
}

/* Returns 0 or an errno. */
static int start_attempt(struct dial *d, struct attempt *a)
{
	struct err e = { 0 };

	a->dial = d;
	a->fd = socket(a->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		return errno;
	d->running++;
	if (connect(a->fd, &a->address.any, addr_len(&a->address)) < 0 && errno != EINPROGRESS)
		return errno;
	if (watch_open(&a->watch, d->loop, a->fd, on_attempt_ready, &e) < 0)
		return errno;
	watch_want(&a->watch, WATCH_WRITE);
	return 0;
}

static void on_stagger(struct timer *timer)
{
	start_next(container_of(timer, struct dial, stagger));
}

/* Starts the next address; those that fail at once are passed over. */
static void start_next(struct dial *d)
{
	timer_cancel(&d->stagger);
	while (d->started < d->count) {
		struct attempt *a = &d->attempts[d->started++];
		int errnum = start_attempt(d, a);

		if (errnum != 0) {
			close_attempt(a);
			note_failure(d, errnum);
			continue;
		}
		if (d->started < d->count)
			timer_start(&d->stagger, d->loop, loop_now_ms(d->loop) + DIAL_STAGGER_MS,
				    on_stagger);
		return;
	}
	if (d->running == 0)
		finish_failed(d);
}

static size_t next_of_family(const struct resolver_answer *answer, size_t at, int family)
{
	while (at < answer->count && answer->addresses[at].any.sa_family != family)
		at++;
	return at;
}

/*
 * Alternates the families, IPv4 first, keeping the order within each. Of a name that has both only one counts where one is
 * preferred; where it is alone allowed, the resolver has asked for no other.
 */
static void put_in_order(struct dial *d, const struct resolver_answer *answer)
{
	static const int families[2] = { AF_INET, AF_INET6 };
	size_t at[2] = { next_of_family(answer, 0, AF_INET), next_of_family(answer, 0, AF_INET6) };

	if (d->family == DIAL_IP4_ELSE && at[0] < answer->count)
		at[1] = answer->count;
	if (d->family == DIAL_IP6_ELSE && at[1] < answer->count)
		at[0] = answer->count;

	for (unsigned turn = 0; at[0] < answer->count || at[1] < answer->count; turn ^= 1) {
		struct attempt *a = &d->attempts[d->count];

		if (at[turn] >= answer->count)
			continue;
		*a = (struct attempt){ .fd = -1, .address = answer->addresses[at[turn]] };
		addr_set_port(&a->address, d->port);
		d->count++;
		at[turn] = next_of_family(answer, at[turn] + 1, families[turn]);
	}
}

static void on_resolved(void *arg, const struct resolver_answer *answer, const struct err *e)
{
	struct dial *d = arg;

	d->query = NULL;
	if (!answer) {
		d->err = *e;
		err_wrap(&d->err, "connecting to %s", d->target);
		finish_failed(d);
		return;
	}
	put_in_order(d, answer);
	start_next(d);
}

static void on_deadline(struct timer *timer)
{
	struct dial *d = container_of(timer, struct dial, deadline);
	const char *what = d->query ? "no answer from the name service within" : "no answer within";

	if (d->timeout_ms % 1000 == 0)
		err_set(&d->err, ERR_TIMEOUT, "%s %llu s", what,
			(unsigned long long)(d->timeout_ms / 1000));
	else
		err_set(&d->err, ERR_TIMEOUT, "%s %llu ms", what,
			(unsigned long long)d->timeout_ms);
	err_wrap(&d->err, "connecting to %s", d->target);
	finish_failed(d);
}

struct dial *dial_start(struct loop *loop, struct resolver *resolver,
			const struct dial_target *target,
			void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
					const struct err *e),
			void *arg)
{
	struct dial *d = mem_alloc(sizeof(*d));
	bool has_colon = str_find(target->host, ':') < target->host.len;

	d->loop = loop;
	d->timeout_ms = target->timeout_ms ? target->timeout_ms : DIAL_TIMEOUT_MS;
	d->family = target->family;
	d->port = target->port;
	d->on_done = on_done;
	d->arg = arg;
	(void)snprintf(d->target, sizeof(d->target), has_colon ? "[%.*s]:%u" : "%.*s:%u",
		       STR_FMT(str_first(target->host, TARGET_TEXT_MAX - 16)),
		       (unsigned)target->port);
	d->query = resolver_query_start(resolver, target->host, dial_families(target->family),
					on_resolved, d);
	timer_start(&d->deadline, loop, loop_now_ms(loop) + d->timeout_ms, on_deadline);
	return d;
}

void dial_cancel(struct dial *d)
{
	/* From inside on_done there is nothing left to cancel. */
	if (d && !d->is_over)
		release(d);
}
