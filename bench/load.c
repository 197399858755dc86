/*
 * load.c - the client of the benchmarks: TLS to a proxy, through which it gives orders to bench-server
 *
 *	bench-load --port P [--name SNI] [--connect HOST:PORT [--token TOKEN]] [--suite NAME] [--plain yes] [--piece BYTES]
 *		[--resume yes] [--count N] [--rate N] MODE [values]
 *
 *	down BYTES N       receive so much, over N tunnels together
 *	up BYTES N         send so much, over N tunnels together
 *	echo N SECONDS     N tunnels, one small message at a time on each
 *	open N SECONDS     N at a time: open a tunnel, exchange a byte, close it
 *	idle N             open N tunnels, use each once, say so, and hold them until the end of standard input
 *
 * With --connect a CONNECT comes first on every connection, with --token it shows that session. TLS 1.3 with one suite
 * (AES-128-GCM unless told otherwise) and X25519; resumed only with --resume, which takes the newest ticket of the thread. With
 * --plain there is no TLS at all. --piece is how much is written at once: a TLS record each, or a write of the server each.
 *
 * --count ends echo and open after so many messages or tunnels, however long that takes. With --rate open begins so many per
 * second, and no more.
 *
 * The result is one line: the number of things done and the microseconds it took; echo adds the microseconds within which
 * 50, 99 and 99.9 % of the messages came back, open adds how many were resumed. All connections of echo are driven by one
 * thread and one epoll instance; the other modes use blocking sockets, in threads where they do several.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "bench/common.h"

#define BUFFER_SIZE  (256 * 1024)
#define MESSAGE_SIZE 64
#define EVENTS_MAX   64
#define REQUEST_MAX  8192
#define LATENCY_MAX  (1 << 20) /* microseconds; what takes longer counts as this */

struct load {
	SSL_CTX *tls;
	uint16_t port;
	const char *name;
	const char *suite;
	const char *connect; /* NULL: no CONNECT */
	const char *token;   /* NULL: none */
	size_t piece;
	uint64_t bytes; /* for each tunnel */
	bool plain;
	bool resume;
	uint64_t end_us;
	uint64_t begin_us;
	uint64_t rate;       /* 0: as fast as it goes */
	uint64_t most;       /* messages or tunnels, then it ends */
	uint32_t *latencies; /* how many messages took so many microseconds */
	atomic_ulong begun;  /* with a rate */
	atomic_ulong done;
	atomic_ulong resumed;
};

struct tunnel {
	SSL *ssl; /* NULL: plain */
	int fd;
	int received; /* of the message under way */
	uint64_t sent_us;
};

static noreturn void die_tls(const char *what)
{
	ERR_print_errors_fp(stderr);
	die("%s failed: %s", what, strerror(errno));
}

static void write_all(const struct tunnel *t, const void *data, size_t len)
{
	size_t written;

	if (!t->ssl) {
		for (size_t at = 0; at < len; at += written) {
			ssize_t n = send(t->fd, (const char *)data + at, len - at, MSG_NOSIGNAL);

			if (n <= 0)
				die("writing failed: %s", strerror(errno));
			written = (size_t)n;
		}
		return;
	}
	if (SSL_write_ex(t->ssl, data, len, &written) != 1 || written != len)
		die_tls("writing");
}

/* 0: not now, of a socket that does not block. */
static size_t read_some(const struct tunnel *t, void *data, size_t len)
{
	size_t got = 0;

	if (!t->ssl) {
		ssize_t n = recv(t->fd, data, len, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			die("reading failed: %s", n ? strerror(errno) : "the end");
		return n > 0 ? (size_t)n : 0;
	}
	if (SSL_read_ex(t->ssl, data, len, &got) != 1 &&
	    SSL_get_error(t->ssl, 0) != SSL_ERROR_WANT_READ)
		die_tls("reading");
	return got;
}

static void read_all(const struct tunnel *t, void *data, size_t len)
{
	for (size_t at = 0; at < len;)
		at += read_some(t, (char *)data + at, len - at);
}

/* Byte by byte up to the blank line, so that nothing behind it is taken. */
static void ask_for_tunnel(const struct load *load, const struct tunnel *t)
{
	char request[REQUEST_MAX];
	char head[4096];
	size_t len = 0;
	int n = snprintf(request, sizeof(request), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n",
			 load->connect, load->connect,
			 load->token ? "Authorization: Pomerium " : "",
			 load->token ? load->token : "", load->token ? "\r\n" : "");

	if (n >= REQUEST_MAX)
		die("the token is too long");
	write_all(t, request, (size_t)n);
	do {
		read_all(t, head + len, 1);
		len++;
	} while (len < sizeof(head) && (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0));
	if (len < 13 || memcmp(head, "HTTP/1.", 7) != 0 || memcmp(head + 8, " 200 ", 5) != 0)
		die("no tunnel: %.*s", (int)len, head);
}

static void begin_tls(const struct load *load, struct tunnel *t, SSL_SESSION *session)
{
	t->ssl = SSL_new(load->tls);
	SSL_set_fd(t->ssl, t->fd);
	SSL_set_tlsext_host_name(t->ssl, load->name);
	if (session)
		SSL_set_session(t->ssl, session);
	if (SSL_connect(t->ssl) != 1)
		die_tls("the handshake");
}

/* session may be NULL: a full handshake */
static struct tunnel resume_tunnel(const struct load *load, struct order order,
				   SSL_SESSION *session)
{
	struct tunnel t = { .fd = connect_loopback(load->port) };
	uint8_t bytes[ORDER_SIZE];

	if (!load->plain)
		begin_tls(load, &t, session);
	if (load->connect)
		ask_for_tunnel(load, &t);
	order_write(&order, bytes);
	write_all(&t, bytes, sizeof(bytes));
	return t;
}

static struct tunnel open_tunnel(const struct load *load, struct order order)
{
	return resume_tunnel(load, order, NULL);
}

static void close_tunnel(struct tunnel *t)
{
	if (t->ssl)
		SSL_shutdown(t->ssl);
	SSL_free(t->ssl);
	close(t->fd);
}

/* The caller ends the line. */
static void report(uint64_t done, uint64_t begin_us)
{
	printf("%llu %llu", (unsigned long long)done, (unsigned long long)(now_us() - begin_us));
}

static void end_report(void)
{
	putchar('\n');
	fflush(stdout);
}

static void run_threads(struct load *load, size_t count, void *(*run)(void *))
{
	pthread_t *threads = calloc(count, sizeof(*threads));

	for (size_t i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, run, load) != 0)
			die("no thread");
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

/* ---- bulk ---- */

static void *receive_bulk(void *arg)
{
	struct load *load = arg;
	enum order_kind kind = load->piece == BUFFER_SIZE ? ORDER_SOURCE : ORDER_TRICKLE;
	struct tunnel t = open_tunnel(load, (struct order){ .kind = kind, .bytes = load->bytes });
	char *buffer = malloc(BUFFER_SIZE);

	for (uint64_t received = 0; received < load->bytes;)
		received += read_some(&t, buffer, BUFFER_SIZE);
	free(buffer);
	close_tunnel(&t);
	return NULL;
}

static void *send_bulk(void *arg)
{
	struct load *load = arg;
	struct tunnel t = open_tunnel(load,
				      (struct order){ .kind = ORDER_SINK, .bytes = load->bytes });
	char *buffer = calloc(1, BUFFER_SIZE);
	char answer;

	for (uint64_t left = load->bytes; left > 0;) {
		size_t n = left < load->piece ? (size_t)left : load->piece;

		write_all(&t, buffer, n);
		left -= n;
	}
	read_all(&t, &answer, 1);
	free(buffer);
	close_tunnel(&t);
	return NULL;
}

static void run_bulk(struct load *load, void *(*run)(void *), uint64_t bytes, size_t count)
{
	uint64_t begin = now_us();

	if (count == 0)
		die("how many tunnels?");
	load->bytes = bytes / count;
	run_threads(load, count, run);
	report(load->bytes * count, begin);
	end_report();
}

/* ---- echo ---- */

static void send_message(struct tunnel *t)
{
	static const char message[MESSAGE_SIZE];

	t->received = 0;
	t->sent_us = now_us();
	write_all(t, message, sizeof(message)); /* the socket's buffer is empty: it fits */
}

static void note_latency(struct load *load, uint64_t us)
{
	load->latencies[us < LATENCY_MAX ? us : LATENCY_MAX - 1]++;
}

/* Within how many microseconds that part of the messages came back. */
static unsigned latency_of(const struct load *load, double part)
{
	double left = part * (double)load->done;
	unsigned us = 0;

	for (; us < LATENCY_MAX - 1 && left > load->latencies[us]; us++)
		left -= load->latencies[us];
	return us;
}

/* Counts the messages that have come back whole, and sends the next. */
static void on_echo(struct load *load, struct tunnel *t)
{
	char buffer[MESSAGE_SIZE];
	size_t n;

	while ((n = read_some(t, buffer, (size_t)(MESSAGE_SIZE - t->received))) > 0) {
		t->received += (int)n;
		if (t->received < MESSAGE_SIZE)
			continue;
		load->done++;
		note_latency(load, now_us() - t->sent_us);
		if (load->done < load->most)
			send_message(t);
	}
}

static void run_echo(struct load *load, size_t count, uint64_t seconds)
{
	struct tunnel *tunnels = calloc(count, sizeof(*tunnels));
	struct epoll_event events[EVENTS_MAX];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t begin;

	load->latencies = calloc(LATENCY_MAX, sizeof(*load->latencies));
	for (size_t i = 0; i < count; i++) {
		tunnels[i] = open_tunnel(load, (struct order){ .kind = ORDER_ECHO });
		fcntl(tunnels[i].fd, F_SETFL, O_NONBLOCK);
		events[0] = (struct epoll_event){ .events = EPOLLIN, .data.ptr = &tunnels[i] };
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, tunnels[i].fd, &events[0]) < 0)
			die("epoll: %s", strerror(errno));
	}
	puts("open"); /* what it took to get here is not what is measured */
	fflush(stdout);
	begin = now_us();
	load->end_us = begin + seconds * 1000000;
	for (size_t i = 0; i < count; i++)
		send_message(&tunnels[i]);
	while (now_us() < load->end_us && load->done < load->most) {
		int ready = epoll_wait(epoll, events, EVENTS_MAX, 100);

		for (int i = 0; i < ready; i++)
			on_echo(load, events[i].data.ptr);
	}
	report(load->done, begin);
	printf(" %u %u %u", latency_of(load, 0.5), latency_of(load, 0.99), latency_of(load, 0.999));
	end_report();
	for (size_t i = 0; i < count; i++)
		close_tunnel(&tunnels[i]);
	free(load->latencies);
	free(tunnels);
	close(epoll);
}

/* ---- opening ---- */

static void wait_for_turn(struct load *load)
{
	uint64_t due_us, at_us;

	if (!load->rate)
		return;
	due_us = load->begin_us + load->begun++ * 1000000 / load->rate;
	at_us = now_us();
	if (due_us > at_us)
		usleep((useconds_t)(due_us - at_us));
}

static void *open_and_close(void *arg)
{
	struct load *load = arg;
	SSL_SESSION *session = NULL;
	char byte = 'x';

	while (now_us() < load->end_us && load->done < load->most) {
		struct tunnel t;

		wait_for_turn(load);
		t = resume_tunnel(load, (struct order){ .kind = ORDER_ECHO }, session);
		write_all(&t, &byte, 1);
		read_all(&t, &byte, 1);
		if (t.ssl && SSL_session_reused(t.ssl))
			load->resumed++;
		SSL_SESSION_free(session);
		session = t.ssl && load->resume ? SSL_get1_session(t.ssl) : NULL;
		close_tunnel(&t);
		load->done++;
	}
	SSL_SESSION_free(session);
	return NULL;
}

static void run_open(struct load *load, size_t count, uint64_t seconds)
{
	load->begin_us = now_us();
	load->end_us = load->begin_us + seconds * 1000000;
	run_threads(load, count, open_and_close);
	report(load->done, load->begin_us);
	printf(" %lu", load->resumed);
	end_report();
}

static void run_idle(struct load *load, size_t count)
{
	struct tunnel *tunnels = calloc(count, sizeof(*tunnels));
	char message[1024] = { 0 };
	uint64_t begin = now_us();

	for (size_t i = 0; i < count; i++) {
		tunnels[i] = open_tunnel(load, (struct order){ .kind = ORDER_ECHO });
		write_all(&tunnels[i], message, sizeof(message));
		read_all(&tunnels[i], message, sizeof(message));
	}
	report(count, begin);
	end_report();
	while (getchar() != EOF)
		;
	for (size_t i = 0; i < count; i++)
		close_tunnel(&tunnels[i]);
	free(tunnels);
}

/* ---- the command line ---- */

static SSL_CTX *make_tls(const struct load *load)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	static const unsigned char alpn[] = "\x08http/1.1";

	if (!tls || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(tls, load->suite) != 1 ||
	    SSL_CTX_set1_groups_list(tls, "X25519") != 1 ||
	    SSL_CTX_set_alpn_protos(tls, alpn, sizeof(alpn) - 1) != 0)
		die_tls("setting up TLS");
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS); /* thousands of them idle in one process */
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	return tls;
}

static int read_flags(struct load *load, int argc, char **argv)
{
	int i = 1;

	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (strcmp(argv[i], "--port") == 0)
			load->port = (uint16_t)number(argv[i + 1]);
		else if (strcmp(argv[i], "--name") == 0)
			load->name = argv[i + 1];
		else if (strcmp(argv[i], "--connect") == 0)
			load->connect = argv[i + 1];
		else if (strcmp(argv[i], "--token") == 0)
			load->token = argv[i + 1];
		else if (strcmp(argv[i], "--suite") == 0)
			load->suite = argv[i + 1];
		else if (strcmp(argv[i], "--piece") == 0)
			load->piece = (size_t)number(argv[i + 1]);
		else if (strcmp(argv[i], "--count") == 0)
			load->most = number(argv[i + 1]);
		else if (strcmp(argv[i], "--rate") == 0)
			load->rate = number(argv[i + 1]);
		else if (strcmp(argv[i], "--plain") == 0)
			load->plain = true;
		else if (strcmp(argv[i], "--resume") == 0)
			load->resume = true;
		else
			die("unknown flag %s", argv[i]);
	}
	return i;
}

static void run(struct load *load, char **argv)
{
	const char *mode = argv[0] ? argv[0] : "";
	const char *second = argv[0] && argv[1] ? argv[2] : NULL;

	if (strcmp(mode, "down") == 0)
		run_bulk(load, receive_bulk, number(argv[1]), number(second));
	else if (strcmp(mode, "up") == 0)
		run_bulk(load, send_bulk, number(argv[1]), number(second));
	else if (strcmp(mode, "echo") == 0)
		run_echo(load, number(argv[1]), number(second));
	else if (strcmp(mode, "open") == 0)
		run_open(load, number(argv[1]), number(second));
	else if (strcmp(mode, "idle") == 0)
		run_idle(load, number(argv[1]));
	else
		die("unknown mode \"%s\", see the top of load.c", mode);
}

int main(int argc, char **argv)
{
	struct load load = {
		.name = "localhost",
		.suite = "TLS_AES_128_GCM_SHA256",
		.piece = BUFFER_SIZE,
		.most = UINT64_MAX,
	};
	int at = read_flags(&load, argc, argv);

	if (load.piece == 0 || load.piece > BUFFER_SIZE)
		die("a piece has 1 to %d bytes", BUFFER_SIZE);
	raise_descriptor_limit();
	signal(SIGPIPE, SIG_IGN); /* at the end the other side may be gone first */
	load.tls = make_tls(&load);
	run(&load, argv + at);
	SSL_CTX_free(load.tls);
	return 0;
}
