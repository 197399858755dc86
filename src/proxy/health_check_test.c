#include "proxy/health_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "proxy/snapshot.h"
#include "tests/support/clock_fake.h"

#define TURNS    400
#define LOG_MAX  65536
#define SECRET   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SETTINGS "shared_secret: " SECRET "\ncookie_secret: " SECRET "\n"
#define CHECK    "health_checks: [{timeout: 5s, interval: 10s, %s, tcp_health_check: {%s}}]"

/* A server that the test plays by hand. */
struct peer {
	int listening;
	int accepted; /* -1: nobody is connected */
	uint16_t port;
};

struct bed {
	struct loop *loop;
	struct log *log;
	int log_fd;
	char log_text[LOG_MAX];
	struct health_checks *checks;
	struct snapshot *snapshot;
	struct peer peer;
};

static void peer_open(struct peer *p)
{
	struct addr address = { 0 };
	socklen_t len = sizeof(address);

	assert_true(addr_from_ip(STR("127.0.0.1"), p->port, &address));
	p->accepted = -1;
	p->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(
		setsockopt(p->listening, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
	assert_int_equal(bind(p->listening, &address.any, addr_len(&address)), 0);
	assert_int_equal(listen(p->listening, 10), 0);
	assert_int_equal(getsockname(p->listening, &address.any, &len), 0);
	p->port = addr_port(&address);
}

static void peer_close(struct peer *p)
{
	if (p->accepted >= 0)
		close(p->accepted);
	p->accepted = -1;
	if (p->listening >= 0)
		close(p->listening);
	p->listening = -1;
}

static void bed_load(struct bed *bed, const char *to, const char *more)
{
	struct buf text = BUF_INIT(LOG_MAX);
	struct report report = { 0 };
	struct config *config = NULL;
	struct snapshot *before = bed->snapshot;
	struct err e = { 0 };

	(void)buf_printf(&text,
			 SETTINGS "routes:\n- {from: 'tcp+https://r.example.com:1', to: %s,\n"
				  "   allow_any_authenticated_user: true%s%s}\n",
			 to, more ? ",\n   " : "", more ? more : "");
	if (config_parse(buf_view(&text), "c.yaml", &config, &report, &e) < 0)
		fail_msg("%s", e.text);
	bed->snapshot = snapshot_new(config, before, &report);
	if (!bed->snapshot)
		fail_msg("%s", report.problems[0].text);
	report_done(&report);
	buf_done(&text);
	health_checks_set(bed->checks, bed->snapshot);
	snapshot_unref(before);
}

static void bed_turn(struct bed *bed)
{
	for (int i = 0; i < TURNS; i++)
		loop_turn(bed->loop, false);
}

/* Time goes by; whoever connects is let in. */
static void bed_advance(struct bed *bed, uint64_t ms)
{
	clock_fake_advance_ms(ms);
	bed_turn(bed);
	if (bed->peer.listening >= 0 && bed->peer.accepted < 0)
		bed->peer.accepted = accept(bed->peer.listening, NULL, NULL);
	bed_turn(bed);
}

/* Lets the next check find an open door, or none. */
static void bed_round(struct bed *bed, bool is_open)
{
	if (is_open && bed->peer.listening < 0)
		peer_open(&bed->peer);
	if (!is_open)
		peer_close(&bed->peer);
	bed_advance(bed, 11000);
	if (bed->peer.accepted >= 0)
		close(bed->peer.accepted);
	bed->peer.accepted = -1;
}

static bool is_down(const struct bed *bed, size_t index)
{
	return atomic_load(&bed->snapshot->routes.routes[0].state->targets[index].is_down);
}

static void bed_open(struct bed *bed, const char *more, const char *talk)
{
	char to[64];
	char check[512];

	*bed = (struct bed){ .loop = loop_new() };
	bed->log_fd = memfd_create("log", MFD_CLOEXEC);
	bed->log = log_new(bed->log_fd, LOG_JSON, LOG_DIRECT, LOG_INFO);
	bed->checks = health_checks_new(bed->loop, bed->log);
	peer_open(&bed->peer);
	(void)snprintf(to, sizeof(to), "'tcp://127.0.0.1:%u'", bed->peer.port);
	(void)snprintf(check, sizeof(check), CHECK, more, talk);
	bed_load(bed, to, check);
}

static const char *bed_log(struct bed *bed)
{
	ssize_t len = pread(bed->log_fd, bed->log_text, sizeof(bed->log_text) - 1, 0);

	assert_true(len >= 0);
	bed->log_text[len] = '\0';
	return bed->log_text;
}

static size_t bed_log_count(struct bed *bed, const char *what)
{
	size_t count = 0;

	for (const char *at = bed_log(bed); (at = strstr(at, what)) != NULL; at++)
		count++;
	return count;
}

static void bed_close(struct bed *bed)
{
	health_checks_free(bed->checks);
	bed_turn(bed);
	peer_close(&bed->peer);
	loop_free(bed->loop);
	snapshot_unref(bed->snapshot);
	log_free(bed->log);
	close(bed->log_fd);
}

#define THRESHOLDS "unhealthy_threshold: 3, healthy_threshold: 2"

static void test_thresholds(void **state)
{
	/* 1: the door is open; what is known after each round. */
	static const struct {
		bool is_open;
		bool is_down;
	} rounds[] = {
		{ true, false },  { false, false }, { false, false }, { true, false },
		{ false, false }, { false, false }, { false, true },  { false, true },
		{ true, true },   { false, true },  { true, true },   { true, false },
	};
	struct bed bed;

	bed_open(&bed, THRESHOLDS, "");
	for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
		bed_round(&bed, rounds[i].is_open);
		if (is_down(&bed, 0) != rounds[i].is_down)
			fail_msg("round %zu", i);
	}
	assert_int_equal(bed_log_count(&bed, "target is down"), 1);
	assert_int_equal(bed_log_count(&bed, "target is up again"), 1);
	assert_non_null(strstr(bed_log(&bed), "refused"));
	bed_close(&bed);
}

/* Who has never been seen well gets no second chance before the first tunnel. */
static void test_first_result_counts(void **state)
{
	struct bed bed;

	bed_open(&bed, THRESHOLDS, "");
	bed_round(&bed, false);
	assert_true(is_down(&bed, 0));
	bed_close(&bed);
}

static void test_talk(void **state)
{
	static const struct {
		const char *answers[3];
		bool ends;
		bool is_down;
	} cases[] = {
		{ { "+PONG", "x", "END" }, false, false },
		{ { "noise +PO", "NG noise E", "ND noise" }, false, false },
		{ { "END+PONG" }, true, true }, /* the wrong order */
		{ { "+PONG" }, true, true },    /* it ends too early */
		{ { "+PONG" }, false, true },   /* it says no more */
		{ { "" }, false, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bed bed;
		char asked[16] = { 0 };

		bed_open(&bed, THRESHOLDS,
			 "send: {text: 50494e470a}, receive: [{text: 2b504f4e47}, {text: 454e44}]");
		bed_advance(&bed, 1000);
		assert_true(bed.peer.accepted >= 0);
		assert_int_equal(read(bed.peer.accepted, asked, sizeof(asked)), 5);
		assert_string_equal(asked, "PING\n");
		for (size_t k = 0; k < ARRAY_LEN(cases[i].answers) && cases[i].answers[k]; k++) {
			const char *answer = cases[i].answers[k];

			assert_int_equal(write(bed.peer.accepted, answer, strlen(answer)),
					 strlen(answer));
			bed_turn(&bed);
		}
		if (cases[i].ends)
			assert_int_equal(shutdown(bed.peer.accepted, SHUT_WR), 0);
		bed_turn(&bed);
		clock_fake_advance_ms(5000);
		bed_turn(&bed);
		if (is_down(&bed, 0) != cases[i].is_down)
			fail_msg("case %zu: %s", i, bed_log(&bed));
		bed_close(&bed);
	}
}

static void test_proxy_header_names_nobody(void **state)
{
	char got[64] = { 0 };
	char to[64];
	struct bed bed;

	bed_open(&bed, THRESHOLDS, "");
	(void)snprintf(to, sizeof(to), "'tcp://127.0.0.1:%u'", bed.peer.port);
	bed_load(&bed, to,
		 "upstream_proxy_protocol: v1, health_checks: [{tcp_health_check: {send: {text: "
		 "41}}}]");
	bed_advance(&bed, 1000);
	assert_int_equal(read(bed.peer.accepted, got, sizeof(got)), 16);
	assert_string_equal(got, "PROXY UNKNOWN\r\nA");
	bed_close(&bed);
}

/* What was found stays, and a check that is under way goes on, when something else changes. */
static void test_reload(void **state)
{
	char to[64];
	char check[512];
	struct bed bed;

	bed_open(&bed, THRESHOLDS, "receive: [{text: 41}]");
	bed_advance(&bed, 1000);
	assert_true(bed.peer.accepted >= 0);
	(void)snprintf(to, sizeof(to), "'tcp://127.0.0.1:%u'", bed.peer.port);
	(void)snprintf(check, sizeof(check), CHECK, THRESHOLDS, "receive: [{text: 41}]");
	for (int i = 0; i < 10; i++)
		bed_load(&bed, to, check);
	assert_int_equal(accept(bed.peer.listening, NULL, NULL), -1); /* no second one */
	assert_int_equal(errno, EAGAIN);
	clock_fake_advance_ms(5000); /* of the first, which began before */
	bed_turn(&bed);
	assert_true(is_down(&bed, 0));

	/* Other checks: what was found holds until they have found something. */
	bed_load(&bed, to, "health_checks: [{tcp_health_check: {}}]");
	assert_true(is_down(&bed, 0));
	bed_round(&bed, true);
	assert_false(is_down(&bed, 0));
	bed_round(&bed, false);
	bed_round(&bed, false);
	assert_true(is_down(&bed, 0));

	/* None at all: nobody is down, and nothing runs. */
	bed_load(&bed, to, NULL);
	assert_false(is_down(&bed, 0));
	peer_open(&bed.peer);
	bed_advance(&bed, 100000);
	assert_int_equal(bed.peer.accepted, -1);
	bed_close(&bed);
}

static void test_several_checks_and_targets(void **state)
{
	char to[128];
	struct bed bed;

	bed_open(&bed, THRESHOLDS, "");
	(void)snprintf(to, sizeof(to), "['tcp://127.0.0.1:%u', 'tcp://127.0.0.1:1']",
		       bed.peer.port);
	bed_load(&bed, to,
		 "health_checks: [{tcp_health_check: {}},\n"
		 "     {timeout: 1s, tcp_health_check: {receive: [{text: 41}]}}]");
	bed_advance(&bed, 1000);
	bed_advance(&bed, 5000);
	assert_true(is_down(&bed, 0)); /* one of its two checks says so */
	assert_true(is_down(&bed, 1));
	assert_int_equal(bed_log_count(&bed, "\"target\":\"127.0.0.1:1\""), 1);
	bed_load(&bed, "'unix:///nowhere'", "health_checks: [{tcp_health_check: {}}]");
	bed_advance(&bed, 1000);
	assert_true(is_down(&bed, 0));
	assert_non_null(strstr(bed_log(&bed), "\"target\":\"unix:/nowhere\""));
	bed_close(&bed);
}

/* The moment it is freed may be any. */
static void test_free_at_every_step(void **state)
{
	for (int turns = 0; turns < 30; turns++) {
		struct bed bed;

		bed_open(&bed, THRESHOLDS, "send: {text: 41}, receive: [{text: 41}]");
		clock_fake_advance_ms(1000);
		for (int i = 0; i < turns; i++)
			loop_turn(bed.loop, false);
		bed_close(&bed);
	}
	health_checks_free(NULL);
	health_checks_set(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_first_result_counts),
		cmocka_unit_test(test_talk),
		cmocka_unit_test(test_proxy_header_names_nobody),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_several_checks_and_targets),
		cmocka_unit_test(test_free_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
