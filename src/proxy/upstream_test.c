/*
 * upstream_test.c - from an allowed request to a connected target: one after the other, limits, and a new configuration in
 * between (protocol.md 1.8; extensions.md 6)
 */

#include "proxy/upstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>

#include <cmocka.h>

#include "base/log_file.h"
#include "base/mem.h"
#include "tests/support/clock_fake.h"
#include "tests/support/exchange_fixture.h"

#define COMMON                                                                                     \
	"databroker_storage_type: memory\n" FIXTURE_LOGIN FIXTURE_USERS "routes:\n"                \
	"- from: tcp+https://x.example.com:1\n"                                                    \
	"  allow_public_unauthenticated_access: true\n"
#define COMMON_FOR_ALICE                                                                           \
	"databroker_storage_type: memory\n" FIXTURE_LOGIN FIXTURE_USERS "routes:\n"                \
	"- from: tcp+https://x.example.com:1\n"                                                    \
	"  allowed_users: [alice@example.com]\n"
#define TWO   COMMON "  to: ['tcp://10.0.0.1:1', 'tcp://10.0.0.2:2']\n"
#define THREE COMMON "  to: ['tcp://10.0.0.3:3', 'tcp://10.0.0.2:2', 'tcp://10.0.0.1:1']\n"
#define OTHER COMMON "  to: 'tcp://10.0.0.9:9'\n"
#define ASK   "CONNECT x.example.com:1 HTTP/1.1\r\nHost: x.example.com:1\r\n\r\n"

static void expect_dialed(struct exchange_fixture *f, const char *text)
{
	assert_int_equal(f->dialed.len, strlen(text));
	assert_memory_equal(f->dialed.data, text, strlen(text));
}

static void expect_refusal(struct exchange_fixture *f, const char *reason)
{
	exchange_fixture_settle(f);
	assert_int_equal(f->answer_count, 1);
	assert_int_equal(f->status, 503);
	assert_true(str_equal(exchange_fixture_header(f, "x-pomerium-reason"), str_from(reason)));
}

static struct route *only_route(struct exchange_fixture *f)
{
	return &f->worker.snapshot->routes.routes[0];
}

static struct route_state *state_of(struct exchange_fixture *f)
{
	return only_route(f)->state;
}

static void expect_counts(struct exchange_fixture *f, uint64_t admitted, uint64_t pending)
{
	struct route_state *state = state_of(f);
	uint64_t connections = 0;
	uint64_t dials = 0;

	for (size_t i = 0; i < state->target_count; i++) {
		connections += atomic_load(&state->targets[i].connections);
		dials += atomic_load(&state->targets[i].dials);
	}
	assert_int_equal(atomic_load(&state->admitted), admitted);
	assert_int_equal(atomic_load(&state->pending), pending);
	assert_int_equal(atomic_load(&state->tunnels_active), admitted - pending);
	assert_int_equal(connections, admitted);
	assert_int_equal(dials, pending);
}

static void test_the_next_one_after_a_failure(void **state)
{
	struct exchange_fixture f;

	exchange_fixture_init(&f, TWO);
	exchange_fixture_send(&f, STR(ASK "early"));
	expect_dialed(&f, "10.0.0.1:1\n");
	assert_int_equal(f.dial_timeout_ms, UPSTREAM_TIMEOUT_MS / 2);
	expect_counts(&f, 1, 1);
	clock_fake_advance_ms(1000);
	exchange_fixture_dial_fails(&f, ERR_TIMEOUT);
	expect_dialed(&f, "10.0.0.1:1\n10.0.0.2:2\n");
	assert_int_equal(f.dial_timeout_ms, UPSTREAM_TIMEOUT_MS - 1000);
	expect_counts(&f, 1, 1);
	assert_int_equal(atomic_load(&state_of(&f)->targets[0].connections), 0);
	exchange_fixture_dial_connects(&f);
	assert_int_equal(f.status, 200);
	expect_counts(&f, 1, 0);
	assert_int_equal(atomic_load(&state_of(&f)->targets[1].connections), 1);
	assert_non_null(strstr(exchange_fixture_log(&f), "upstream not reachable"));
	exchange_abort(exchange_fixture_only(&f), "client-reset");
	expect_counts(&f, 0, 0);
	assert_int_equal(atomic_load(&state_of(&f)->tunnels_opened), 1);
	exchange_fixture_done(&f);
}

static void test_each_at_most_once(void **state)
{
	struct exchange_fixture f;

	exchange_fixture_init(&f, TWO);
	exchange_fixture_send(&f, STR(ASK));
	exchange_fixture_dial_fails(&f, ERR_TIMEOUT);
	exchange_fixture_dial_fails(&f, ERR_REFUSED);
	expect_dialed(&f, "10.0.0.1:1\n10.0.0.2:2\n");
	expect_refusal(&f, "upstream-refused");
	expect_counts(&f, 0, 0);
	/* The next client begins with the other one. */
	exchange_fixture_send(&f, STR(ASK));
	expect_dialed(&f, "10.0.0.1:1\n10.0.0.2:2\n10.0.0.2:2\n");
	exchange_fixture_done(&f);
}

static void test_all_of_it_has_an_end(void **state)
{
	struct exchange_fixture f;

	exchange_fixture_init(&f, TWO);
	exchange_fixture_send(&f, STR(ASK));
	clock_fake_advance_ms(UPSTREAM_TIMEOUT_MS);
	exchange_fixture_dial_fails(&f, ERR_TIMEOUT);
	expect_dialed(&f, "10.0.0.1:1\n");
	expect_refusal(&f, "upstream-timeout");
	exchange_fixture_done(&f);
}

static void test_a_client_that_leaves_between_two(void **state)
{
	struct exchange_fixture f;

	exchange_fixture_init(&f, TWO);
	exchange_fixture_send(&f, STR(ASK));
	exchange_fixture_dial_fails(&f, ERR_REFUSED);
	exchange_abort(exchange_fixture_only(&f), "client-closed");
	assert_int_equal(f.dials_cancelled, 1);
	expect_counts(&f, 0, 0);
	exchange_fixture_done(&f);
}

static void test_limits(void **state)
{
	static const struct {
		const char *settings;
		const char *reason;
		bool while_dialing; /* the limit is for dials only */
	} cases[] = {
		{ TWO "  max_tunnels: 1\n", "overloaded", false },
		{ TWO "  circuit_breaker_thresholds: {max_connections: 1}\n", "upstream-limit",
		  false },
		{ TWO "  circuit_breaker_thresholds: {max_pending_requests: 1}\n", "upstream-limit",
		  true },
		{ "max_tunnels: 1\n" TWO, "overloaded", false },
		{ "circuit_breaker_thresholds: {max_connections: 1}\n" TWO, "upstream-limit",
		  false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct exchange_fixture f;
		struct exchange second;

		exchange_fixture_init(&f, cases[i].settings);
		exchange_fixture_send(&f, STR(ASK));
		exchange_fixture_begin(&f, &second, ASK);
		second.route = only_route(&f);
		assert_int_not_equal(upstream_admit(&second), UPSTREAM_ADMITTED);
		expect_counts(&f, 1, 1);
		exchange_fixture_end(&second);

		exchange_fixture_dial_connects(&f);
		expect_counts(&f, 1, 0);
		exchange_fixture_send(&f, STR(ASK));
		if (cases[i].while_dialing) {
			exchange_abort(f.connection.exchange, "client-closed");
		} else {
			expect_refusal(&f, cases[i].reason);
			expect_counts(&f, 1, 0);
		}
		exchange_abort(exchange_fixture_only(&f), "client-reset");
		expect_counts(&f, 0, 0);
		exchange_fixture_send(&f, STR(ASK)); /* there is room again */
		expect_counts(&f, 1, 1);
		assert_int_equal(atomic_load(&f.control.admission.tunnels), 1);
		exchange_fixture_done(&f);
	}
}

/* What recheck.c does with an exchange that may stay. */
static void move_to(struct exchange *x, struct snapshot *snapshot)
{
	snapshot_ref(snapshot);
	snapshot_unref(x->snapshot);
	x->snapshot = snapshot;
	x->route = &snapshot->routes.routes[0];
}

static void test_keep(void **state)
{
	struct route_state *before;
	struct exchange_fixture f;
	struct exchange *x;
	char address[UPSTREAM_TEXT_MAX];

	exchange_fixture_init(&f, TWO);
	exchange_fixture_send(&f, STR(ASK));
	exchange_fixture_dial_connects(&f);
	x = exchange_fixture_only(&f);
	before = route_state_ref(state_of(&f));

	/* The same route in another snapshot has the same state: nothing to do. */
	exchange_fixture_reload(&f, TWO);
	assert_ptr_equal(state_of(&f), before);
	assert_true(upstream_keep(x, only_route(&f)));
	move_to(x, f.worker.snapshot);
	expect_counts(&f, 1, 0);

	/* Its target is among others now, at another place. */
	exchange_fixture_reload(&f, THREE);
	assert_ptr_not_equal(state_of(&f), before);
	assert_true(upstream_keep(x, only_route(&f)));
	move_to(x, f.worker.snapshot);
	expect_counts(&f, 1, 0);
	assert_int_equal(x->upstream.target, 2);
	assert_int_equal(atomic_load(&state_of(&f)->targets[2].connections), 1);
	assert_int_equal(atomic_load(&before->admitted), 0);
	assert_int_equal(atomic_load(&before->tunnels_active), 0);
	assert_int_equal(atomic_load(&before->targets[0].connections), 0);
	upstream_address_format(x, address);
	assert_string_equal(address, "10.0.0.5:6379"); /* the fake's */

	/* It is not: nothing has changed, and the tunnel ends as what it was. */
	exchange_fixture_reload(&f, OTHER);
	assert_false(upstream_keep(x, only_route(&f)));
	expect_counts(&f, 0, 0);
	assert_int_equal(atomic_load(&x->upstream.state->admitted), 1);
	route_state_unref(before);
	exchange_fixture_done(&f);
}

/* It is being connected when the new configuration comes, fails, and everything of the new route is tried. */
static void test_keep_while_dialing(void **state)
{
	struct exchange_fixture f;
	struct exchange *x;

	exchange_fixture_init(&f, TWO);
	exchange_fixture_send(&f, STR(ASK));
	x = exchange_fixture_only(&f);
	exchange_fixture_reload(&f, THREE);
	assert_true(upstream_keep(x, only_route(&f)));
	move_to(x, f.worker.snapshot);
	expect_counts(&f, 1, 1);
	for (int i = 0; i < 3; i++)
		exchange_fixture_dial_fails(&f, ERR_REFUSED);
	expect_dialed(&f, "10.0.0.1:1\n10.0.0.3:3\n10.0.0.2:2\n");
	expect_refusal(&f, "upstream-refused");
	expect_counts(&f, 0, 0);
	exchange_fixture_done(&f);
}

/* Where it was connected to is no target any more when the answer is due: it is connected anew, and nobody notices. */
static void test_target_goes_while_it_is_dialed(void **state)
{
	struct exchange_fixture f;

	exchange_fixture_init(&f, TWO);
	exchange_fixture_send(&f, STR(ASK "early"));
	exchange_fixture_reload(&f, OTHER);
	exchange_fixture_dial_connects(&f);
	expect_dialed(&f, "10.0.0.1:1\n10.0.0.9:9\n");
	assert_int_equal(f.answer_count, 0);
	expect_counts(&f, 1, 1);
	assert_int_equal(atomic_load(&f.control.admission.tunnels), 1);
	stream_close(TAKE(f.upstream),
		     STREAM_CLOSE_NORMAL); /* the other end of the first connection */
	exchange_fixture_dial_connects(&f);
	assert_int_equal(f.status, 200);
	expect_counts(&f, 1, 0);
	exchange_abort(exchange_fixture_only(&f), "client-reset");
	expect_counts(&f, 0, 0);
	assert_int_equal(atomic_load(&f.control.admission.tunnels), 0);
	exchange_fixture_done(&f);
}

/* The same, and the new route is not for everybody; or there is none. */
static void test_route_goes_while_it_is_dialed(void **state)
{
	static const struct {
		const char *settings;
		int status;
	} cases[] = {
		{ COMMON_FOR_ALICE "  to: 'tcp://10.0.0.9:9'\n", 302 },
		{ "databroker_storage_type: memory\n" FIXTURE_LOGIN FIXTURE_USERS FIXTURE_ROUTES,
		  404 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct exchange_fixture f;

		exchange_fixture_init(&f, TWO);
		exchange_fixture_send(&f, STR(ASK));
		exchange_fixture_reload(&f, cases[i].settings);
		exchange_fixture_dial_connects(&f);
		expect_dialed(&f, "10.0.0.1:1\n");
		assert_int_equal(f.answer_count, 1);
		assert_true(f.status == cases[i].status || (i == 0 && f.status == 403));
		assert_int_equal(atomic_load(&f.control.admission.tunnels), 0);
		exchange_fixture_done(&f);
	}
}

/* Nobody has a place yet, so there is nothing that could not be kept. */
static void test_keep_before_there_is_a_place(void **state)
{
	struct exchange_fixture f;
	struct exchange x;

	exchange_fixture_init(&f, TWO);
	exchange_fixture_begin(&f, &x, ASK);
	x.route = only_route(&f);
	assert_true(upstream_keep(&x, only_route(&f)));
	upstream_release(&x);
	exchange_fixture_end(&x);
	exchange_fixture_done(&f);
}

static void ignore_problem(void *arg, const struct err *e)
{
}

/* A file whose disk is full, with as much waiting for it as may be. */
static struct log_file *make_full_file(void)
{
	struct log_file *file = log_file_new(ignore_problem, NULL, NULL);
	char *line = mem_alloc(LOG_FILE_MARK);

	memset(line, '\n', LOG_FILE_MARK);
	assert_non_null(file);
	log_file_use(file, open("/dev/full", O_WRONLY | O_CLOEXEC));
	log_file_append(file, str_of(line, LOG_FILE_MARK));
	assert_true(log_file_is_full(file));
	mem_free(line);
	return file;
}

/* No tunnel without a record of it, unless the operator says that records matter less. */
static void test_records_that_cannot_be_written(void **state)
{
	struct log_file *file = make_full_file();
	struct exchange_fixture f;

	exchange_fixture_init(&f, TWO);
	f.worker.shared.audit_file = file;
	exchange_fixture_send(&f, STR(ASK));
	expect_refusal(&f, "overloaded");
	expect_dialed(&f, "");
	exchange_fixture_reload(&f, "audit_overflow: drop\n" TWO);
	exchange_fixture_send(&f, STR(ASK));
	exchange_fixture_dial_connects(&f);
	assert_int_equal(f.status, 200);
	exchange_fixture_done(&f);
	log_file_free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_next_one_after_a_failure),
		cmocka_unit_test(test_each_at_most_once),
		cmocka_unit_test(test_all_of_it_has_an_end),
		cmocka_unit_test(test_a_client_that_leaves_between_two),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_keep_while_dialing),
		cmocka_unit_test(test_target_goes_while_it_is_dialed),
		cmocka_unit_test(test_route_goes_while_it_is_dialed),
		cmocka_unit_test(test_keep_before_there_is_a_place),
		cmocka_unit_test(test_records_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
