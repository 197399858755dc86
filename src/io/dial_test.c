#include "io/dial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/dns_fake.h"

#define TURNS_MAX 20000
#define FILLERS   4

static const struct dns_fake_name names[] = {
	{ .name = "pair.example.test", .addresses = { "127.0.0.1", "127.0.0.2" }, .ttl_s = 60 },
	{ .name = "families.example.test", .addresses = { "127.0.0.1", "::1" }, .ttl_s = 60 },
	{ .name = "silent.example.test", .is_silent = true },
	{ 0 },
};

/* A port where something listens on one address, and another address that never answers. */
struct place {
	int listening;
	int hole;
	int fillers[FILLERS];
	uint16_t port;
};

struct bed {
	struct loop *loop;
	struct dns_fake *dns;
	struct resolver *resolver;
	struct dial *dial;
	unsigned done;
	bool cancels_inside;
	struct stream *stream;
	struct addr peer;
	struct err err;
};

static void on_done(void *arg, struct stream *stream, const struct addr *peer, const struct err *e)
{
	struct bed *bed = arg;

	assert_int_equal(stream == NULL, e != NULL);
	bed->done++;
	bed->stream = stream;
	if (stream)
		bed->peer = *peer;
	else
		bed->err = *e;
	if (bed->cancels_inside)
		dial_cancel(bed->dial);
}

static void prepare(struct bed *bed)
{
	struct addr server = { 0 };

	*bed = (struct bed){ .loop = loop_new() };
	bed->dns = dns_fake_open(bed->loop, names);
	dns_fake_address(bed->dns, &server);
	bed->resolver = resolver_new(bed->loop, NULL);
	assert_non_null(bed->resolver);
	assert_int_equal(resolver_use_server(bed->resolver, &server, NULL), 0);
}

static void finish(struct bed *bed)
{
	stream_close(bed->stream, STREAM_CLOSE_NORMAL);
	resolver_free(bed->resolver);
	dns_fake_close(bed->dns);
	loop_turn(bed->loop, false);
	loop_free(bed->loop);
}

static void turn_until_done(struct bed *bed, int turns)
{
	for (int i = 0; i < turns && bed->done == 0; i++)
		loop_turn(bed->loop, false);
}

static void start(struct bed *bed, const char *host, uint16_t port, enum dial_family family)
{
	struct dial_target target = {
		.host = str_from(host),
		.port = port,
		.timeout_ms = 10000,
		.family = family,
	};

	bed->dial = dial_start(bed->loop, bed->resolver, &target, on_done, bed);
	assert_int_equal(bed->done, 0);
}

static int listen_on(const char *ip, uint16_t *port, int backlog)
{
	struct addr address = { 0 };
	socklen_t len = sizeof(address);
	int fd = -1;

	assert_true(addr_from_ip(str_from(ip), *port, &address));
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, &address.any, addr_len(&address)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, &address.any, &len), 0);
	*port = addr_port(&address);
	return fd;
}

/* A full accept queue: the kernel drops what else wants to connect. */
static void fill(struct place *p, const char *ip)
{
	struct addr address = { 0 };

	assert_true(addr_from_ip(str_from(ip), p->port, &address));
	for (int i = 0; i < FILLERS; i++) {
		p->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(p->fillers[i], &address.any, addr_len(&address));
	}
}

static void place_open(struct place *p)
{
	*p = (struct place){ 0 };
	p->hole = listen_on("127.0.0.1", &p->port, 0);
	p->listening = listen_on("127.0.0.2", &p->port, 10);
	fill(p, "127.0.0.1");
}

static void place_close(struct place *p)
{
	close(p->listening);
	close(p->hole);
	for (int i = 0; i < FILLERS; i++)
		close(p->fillers[i]);
}

static void test_connects(void **state)
{
	struct bed bed;
	uint16_t port = 0;
	int listening = listen_on("127.0.0.1", &port, 10);
	int accepted = -1;
	char text[8];

	prepare(&bed);
	bed.cancels_inside = true;
	start(&bed, "127.0.0.1", port, DIAL_BOTH);
	turn_until_done(&bed, TURNS_MAX);
	assert_non_null(bed.stream);
	assert_int_equal(addr_port(&bed.peer), port);
	accepted = accept(listening, NULL, NULL);
	assert_int_equal(stream_write(bed.stream, "hello", 5), 5);
	assert_int_equal(read(accepted, text, sizeof(text)), 5);
	close(accepted);
	close(listening);
	finish(&bed);
}

static void test_refused(void **state)
{
	struct bed bed;
	uint16_t port = 0;

	close(listen_on("127.0.0.1", &port, 10));
	prepare(&bed);
	start(&bed, "localhost", port, DIAL_BOTH);
	turn_until_done(&bed, TURNS_MAX);
	assert_int_equal(bed.done, 1);
	assert_null(bed.stream);
	assert_int_equal(bed.err.kind, ERR_REFUSED);
	assert_non_null(strstr(bed.err.text, "connecting to localhost:"));
	assert_non_null(strstr(bed.err.text, "refused"));
	finish(&bed);
}

static void test_second_address_after_a_refusal(void **state)
{
	struct bed bed;
	uint16_t port = 0;
	int listening = listen_on("127.0.0.2", &port, 10);

	prepare(&bed);
	/* No time passes: a refusal starts the next attempt at once. */
	start(&bed, "pair.example.test", port, DIAL_IP6_ELSE);
	turn_until_done(&bed, TURNS_MAX);
	assert_non_null(bed.stream);
	close(listening);
	finish(&bed);
}

static void test_second_address_after_silence(void **state)
{
	struct bed bed;
	struct place place;
	char text[ADDR_TEXT_MAX];

	place_open(&place);
	prepare(&bed);
	start(&bed, "pair.example.test", place.port, DIAL_BOTH);
	turn_until_done(&bed, 2000);
	assert_int_equal(bed.done, 0);
	clock_fake_advance_ms(DIAL_STAGGER_MS - 1);
	turn_until_done(&bed, 200);
	assert_int_equal(bed.done, 0);
	clock_fake_advance_ms(1);
	turn_until_done(&bed, TURNS_MAX);
	assert_non_null(bed.stream);
	addr_format_ip(&bed.peer, text);
	assert_string_equal(text, "127.0.0.2");
	place_close(&place);
	finish(&bed);
}

static void test_preferred_family_comes_first(void **state)
{
	static const struct {
		enum dial_family family;
		const char *ip;
	} cases[] = { { DIAL_BOTH, "127.0.0.1" }, { DIAL_IP6_ELSE, "::1" } };
	struct addr probe = { 0 };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has_ip6 = false;

	assert_true(addr_from_ip(STR("::1"), 0, &probe));
	has_ip6 = fd >= 0 && bind(fd, &probe.any, addr_len(&probe)) == 0;
	close(fd);
	/* Which family wins can only be seen where there are two: a machine may have IPv6 switched off. */
	if (!has_ip6)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bed bed;
		uint16_t port = 0;
		int ip4 = listen_on("127.0.0.1", &port, 10);
		int ip6 = listen_on("::1", &port, 10);
		char text[ADDR_TEXT_MAX];

		prepare(&bed);
		start(&bed, "families.example.test", port, cases[i].family);
		turn_until_done(&bed, TURNS_MAX);
		assert_non_null(bed.stream);
		addr_format_ip(&bed.peer, text);
		assert_string_equal(text, cases[i].ip);
		close(ip4);
		close(ip6);
		finish(&bed);
	}
}

/* A name with both families where nothing listens on the one that counts: the other is no way out. */
static void test_only_the_family_that_counts(void **state)
{
	static const struct {
		enum dial_family family;
		const char *listens;
		bool connects;
	} cases[] = {
		{ DIAL_BOTH, "127.0.0.1", true },      { DIAL_IP4_ELSE, "127.0.0.1", true },
		{ DIAL_IP4_ONLY, "127.0.0.1", true },  { DIAL_IP6_ELSE, "127.0.0.1", false },
		{ DIAL_IP6_ONLY, "127.0.0.1", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bed bed;
		uint16_t port = 0;
		int listening = listen_on(cases[i].listens, &port, 10);

		prepare(&bed);
		start(&bed, "families.example.test", port, cases[i].family);
		turn_until_done(&bed, TURNS_MAX);
		assert_int_equal(bed.stream != NULL, cases[i].connects);
		/* Where there is no IPv6 at all it cannot even be refused. */
		if (!bed.stream)
			assert_true(bed.err.kind == ERR_REFUSED || bed.err.kind == ERR_UNREACHABLE);
		close(listening);
		finish(&bed);
	}
}

static void test_no_address_of_the_only_family(void **state)
{
	struct bed bed;

	prepare(&bed);
	start(&bed, "pair.example.test", 1, DIAL_IP6_ONLY);
	turn_until_done(&bed, TURNS_MAX);
	assert_int_equal(bed.err.kind, ERR_DNS);
	finish(&bed);

	/* The other one will do where it is merely preferred; a literal is what it is. */
	for (int i = 0; i < 2; i++) {
		uint16_t port = 0;
		int listening = listen_on("127.0.0.1", &port, 10);

		prepare(&bed);
		start(&bed, i == 0 ? "pair.example.test" : "127.0.0.1", port,
		      i == 0 ? DIAL_IP6_ELSE : DIAL_IP6_ONLY);
		turn_until_done(&bed, TURNS_MAX);
		assert_non_null(bed.stream);
		close(listening);
		finish(&bed);
	}
}

static void test_timeout(void **state)
{
	struct bed bed;
	struct place place;

	place_open(&place);
	prepare(&bed);
	start(&bed, "127.0.0.1", place.port, DIAL_BOTH);
	turn_until_done(&bed, 200);
	clock_fake_advance_ms(9999);
	turn_until_done(&bed, 200);
	assert_int_equal(bed.done, 0);
	clock_fake_advance_ms(1);
	turn_until_done(&bed, 200);
	assert_int_equal(bed.done, 1);
	assert_int_equal(bed.err.kind, ERR_TIMEOUT);
	assert_non_null(strstr(bed.err.text, "connecting to 127.0.0.1:"));
	assert_non_null(strstr(bed.err.text, ": no answer within 10 s"));
	place_close(&place);
	finish(&bed);
}

static void test_names(void **state)
{
	struct bed bed;

	prepare(&bed);
	start(&bed, "missing.example.test", 5432, DIAL_BOTH);
	turn_until_done(&bed, TURNS_MAX);
	assert_int_equal(bed.err.kind, ERR_DNS);
	assert_non_null(strstr(bed.err.text, "connecting to missing.example.test:5432: "));
	finish(&bed);

	prepare(&bed);
	start(&bed, "silent.example.test", 5432, DIAL_BOTH);
	clock_fake_advance_ms(10000);
	turn_until_done(&bed, 200);
	assert_int_equal(bed.err.kind, ERR_TIMEOUT);
	assert_non_null(strstr(bed.err.text, "name service"));
	finish(&bed);
}

/* Gives up after so many turns: during resolution, during the attempts, before the result. */
static void test_cancel_at_every_step(void **state)
{
	for (int turns = 0; turns < 40; turns++) {
		struct bed bed;
		struct place place;

		place_open(&place);
		prepare(&bed);
		start(&bed, "pair.example.test", place.port, DIAL_BOTH);
		turn_until_done(&bed, turns / 2);
		clock_fake_advance_ms(DIAL_STAGGER_MS);
		turn_until_done(&bed, (turns + 1) / 2);
		if (bed.done == 0) {
			dial_cancel(bed.dial);
			bed.done = 100;
		}
		for (int i = 0; i < 20; i++)
			loop_turn(bed.loop, false);
		assert_true(bed.done == 1 || bed.done == 100);
		place_close(&place);
		finish(&bed);
	}
	dial_cancel(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connects),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_second_address_after_a_refusal),
		cmocka_unit_test(test_second_address_after_silence),
		cmocka_unit_test(test_preferred_family_comes_first),
		cmocka_unit_test(test_only_the_family_that_counts),
		cmocka_unit_test(test_no_address_of_the_only_family),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cancel_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
