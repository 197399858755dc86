/*
 * load.c - the client of the benchmarks: TLS to a proxy, through which it gives orders to bench-server
 *
 *	bench-load --port P [--name SNI] [--connect HOST:PORT [--token TOKEN]] [--suite NAME] MODE [values]
 *
 *	down BYTES         receive so much over one tunnel
 *	up BYTES           send so much over one tunnel
 *	echo N SECONDS     N tunnels, one small message at a time on each
 *	open N SECONDS     N at a time: open a tunnel, exchange a byte, close it
 *	idle N             open N tunnels, use each once, say so, and hold them until the end of standard input
 *
 * With --connect a CONNECT comes first on every connection, with --token it shows that session. TLS 1.3 with one suite
 * (AES-128-GCM unless told otherwise) and X25519, never resumed. The result is one line: the number of things done and the microseconds it took. All connections of echo are driven
 * by one thread and one epoll instance; the other modes use blocking sockets, in threads where they do several.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

struct load {
	SSL_CTX *tls;
	uint16_t port;
	const char *name;
	const char *suite;
	const char *connect; /* NULL: no CONNECT */
	const char *token;   /* NULL: none */
	uint64_t end_us;
	atomic_ulong done;
};

struct tunnel {
	SSL *ssl;
	int fd;
	int received; /* of the message under way */
};

static noreturn void die_tls(const char *what)
{
	ERR_print_errors_fp(stderr);
	die("%s failed: %s", what, strerror(errno));
}

static void write_all(SSL *ssl, const void *data, size_t len)
{
	size_t written;

	if (SSL_write_ex(ssl, data, len, &written) != 1 || written != len)
		die_tls("writing");
}

static void read_all(SSL *ssl, void *data, size_t len)
{
	size_t got;

	for (size_t at = 0; at < len; at += got)
		if (SSL_read_ex(ssl, (char *)data + at, len - at, &got) != 1)
			die_tls("reading");
}

/* Byte by byte up to the blank line, so that nothing behind it is taken. */
static void ask_for_tunnel(const struct load *load, SSL *ssl)
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
	write_all(ssl, request, (size_t)n);
	do {
		read_all(ssl, head + len, 1);
		len++;
	} while (len < sizeof(head) && (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0));
	if (len < 13 || memcmp(head, "HTTP/1.1 200 ", 13) != 0)
		die("no tunnel: %.*s", (int)len, head);
}

static struct tunnel open_tunnel(const struct load *load, struct order order)
{
	struct tunnel t = { .fd = connect_loopback(load->port), .ssl = SSL_new(load->tls) };
	uint8_t bytes[ORDER_SIZE];

	SSL_set_fd(t.ssl, t.fd);
	SSL_set_tlsext_host_name(t.ssl, load->name);
	if (SSL_connect(t.ssl) != 1)
		die_tls("the handshake");
	if (load->connect)
		ask_for_tunnel(load, t.ssl);
	order_write(&order, bytes);
	write_all(t.ssl, bytes, sizeof(bytes));
	return t;
}

static void close_tunnel(struct tunnel *t)
{
	SSL_shutdown(t->ssl);
	SSL_free(t->ssl);
	close(t->fd);
}

static void report(uint64_t done, uint64_t begin_us)
{
	printf("%llu %llu\n", (unsigned long long)done, (unsigned long long)(now_us() - begin_us));
	fflush(stdout);
}

/* ---- bulk ---- */

static void run_down(struct load *load, uint64_t bytes)
{
	struct tunnel t = open_tunnel(load, (struct order){ .kind = ORDER_SOURCE, .bytes = bytes });
	char *buffer = malloc(BUFFER_SIZE);
	uint64_t begin = now_us();
	uint64_t received = 0;
	size_t n;

	while (received < bytes) {
		if (SSL_read_ex(t.ssl, buffer, BUFFER_SIZE, &n) != 1)
			die_tls("reading");
		received += n;
	}
	report(received, begin);
	free(buffer);
	close_tunnel(&t);
}

static void run_up(struct load *load, uint64_t bytes)
{
	struct tunnel t = open_tunnel(load, (struct order){ .kind = ORDER_SINK, .bytes = bytes });
	char *buffer = calloc(1, BUFFER_SIZE);
	uint64_t begin = now_us();
	char answer;

	for (uint64_t left = bytes; left > 0;) {
		size_t n = left < BUFFER_SIZE ? (size_t)left : BUFFER_SIZE;

		write_all(t.ssl, buffer, n);
		left -= n;
	}
	read_all(t.ssl, &answer, 1);
	report(bytes, begin);
	free(buffer);
	close_tunnel(&t);
}

/* ---- echo ---- */

static void send_message(struct tunnel *t)
{
	static const char message[MESSAGE_SIZE];

	t->received = 0;
	write_all(t->ssl, message, sizeof(message)); /* the socket's buffer is empty: it fits */
}

/* Counts the messages that have come back whole, and sends the next. */
static void on_echo(struct load *load, struct tunnel *t)
{
	char buffer[MESSAGE_SIZE];
	int n;

	while ((n = SSL_read(t->ssl, buffer, MESSAGE_SIZE - t->received)) > 0) {
		t->received += n;
		if (t->received < MESSAGE_SIZE)
			continue;
		load->done++;
		send_message(t);
	}
	if (SSL_get_error(t->ssl, n) != SSL_ERROR_WANT_READ)
		die_tls("reading");
}

static void run_echo(struct load *load, size_t count, uint64_t seconds)
{
	struct tunnel *tunnels = calloc(count, sizeof(*tunnels));
	struct epoll_event events[EVENTS_MAX];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t begin;

	for (size_t i = 0; i < count; i++) {
		tunnels[i] = open_tunnel(load, (struct order){ .kind = ORDER_ECHO });
		fcntl(tunnels[i].fd, F_SETFL, O_NONBLOCK);
		events[0] = (struct epoll_event){ .events = EPOLLIN, .data.ptr = &tunnels[i] };
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, tunnels[i].fd, &events[0]) < 0)
			die("epoll: %s", strerror(errno));
	}
	begin = now_us();
	load->end_us = begin + seconds * 1000000;
	for (size_t i = 0; i < count; i++)
		send_message(&tunnels[i]);
	while (now_us() < load->end_us) {
		int ready = epoll_wait(epoll, events, EVENTS_MAX, 100);

		for (int i = 0; i < ready; i++)
			on_echo(load, events[i].data.ptr);
	}
	report(load->done, begin);
	for (size_t i = 0; i < count; i++)
		close_tunnel(&tunnels[i]);
	free(tunnels);
	close(epoll);
}

/* ---- opening ---- */

static void *open_and_close(void *arg)
{
	struct load *load = arg;
	char byte = 'x';

	while (now_us() < load->end_us) {
		struct tunnel t = open_tunnel(load, (struct order){ .kind = ORDER_ECHO });

		write_all(t.ssl, &byte, 1);
		read_all(t.ssl, &byte, 1);
		close_tunnel(&t);
		load->done++;
	}
	return NULL;
}

static void run_open(struct load *load, size_t count, uint64_t seconds)
{
	pthread_t *threads = calloc(count, sizeof(*threads));
	uint64_t begin = now_us();

	load->end_us = begin + seconds * 1000000;
	for (size_t i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, open_and_close, load) != 0)
			die("no thread");
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	report(load->done, begin);
	free(threads);
}

static void run_idle(struct load *load, size_t count)
{
	struct tunnel *tunnels = calloc(count, sizeof(*tunnels));
	char message[1024] = { 0 };
	uint64_t begin = now_us();

	for (size_t i = 0; i < count; i++) {
		tunnels[i] = open_tunnel(load, (struct order){ .kind = ORDER_ECHO });
		write_all(tunnels[i].ssl, message, sizeof(message));
		read_all(tunnels[i].ssl, message, sizeof(message));
	}
	report(count, begin);
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

static uint64_t number(int argc, char **argv, int index)
{
	char *end;
	uint64_t value;

	if (index >= argc)
		die("a value is missing, see the top of load.c");
	value = strtoull(argv[index], &end, 10);
	if (*end || end == argv[index])
		die("\"%s\" is not a number", argv[index]);
	return value;
}

static int read_flags(struct load *load, int argc, char **argv)
{
	int i = 1;

	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (strcmp(argv[i], "--port") == 0)
			load->port = (uint16_t)number(argc, argv, i + 1);
		else if (strcmp(argv[i], "--name") == 0)
			load->name = argv[i + 1];
		else if (strcmp(argv[i], "--connect") == 0)
			load->connect = argv[i + 1];
		else if (strcmp(argv[i], "--token") == 0)
			load->token = argv[i + 1];
		else if (strcmp(argv[i], "--suite") == 0)
			load->suite = argv[i + 1];
		else
			die("unknown flag %s", argv[i]);
	}
	return i;
}

static void run(struct load *load, int argc, char **argv, int at)
{
	const char *mode = at < argc ? argv[at] : "";

	if (strcmp(mode, "down") == 0)
		run_down(load, number(argc, argv, at + 1));
	else if (strcmp(mode, "up") == 0)
		run_up(load, number(argc, argv, at + 1));
	else if (strcmp(mode, "echo") == 0)
		run_echo(load, number(argc, argv, at + 1), number(argc, argv, at + 2));
	else if (strcmp(mode, "open") == 0)
		run_open(load, number(argc, argv, at + 1), number(argc, argv, at + 2));
	else if (strcmp(mode, "idle") == 0)
		run_idle(load, number(argc, argv, at + 1));
	else
		die("unknown mode \"%s\", see the top of load.c", mode);
}

int main(int argc, char **argv)
{
	struct load load = { .name = "localhost", .suite = "TLS_AES_128_GCM_SHA256" };
	int at = read_flags(&load, argc, argv);

	raise_descriptor_limit();
	load.tls = make_tls(&load);
	run(&load, argc, argv, at);
	SSL_CTX_free(load.tls);
	return 0;
}
