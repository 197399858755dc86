#include "proxy/redirect_listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/listener.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/exchange_fixture.h"

#define TURNS  2000
#define HEADER "PROXY TCP4 192.0.2.9 198.51.100.1 1 2\r\n"
#define ASK    "GET /a?b HTTP/1.1\r\nHost: a.example:80\r\n\r\n"

struct bed {
	struct exchange_fixture f;
	struct redirect_listener *redirects;
	struct config_listen listen; /* what is wanted */
};

static int setup(void **state)
{
	struct bed *bed = mem_alloc(sizeof(*bed));

	exchange_fixture_init(&bed->f, FIXTURE_SETTINGS);
	bed->f.control.loop = bed->f.worker.loop;
	bed->f.control.snapshot = bed->f.worker.snapshot;
	bed->f.control.log = bed->f.worker.shared.log;
	bed->redirects = redirect_listener_new(&bed->f.control);
	*state = bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	redirect_listener_free(bed->redirects);
	exchange_fixture_done(&bed->f);
	mem_free(bed);
	return 0;
}

/* A port that nobody has: it was one a moment ago. */
static struct addr free_address(void)
{
	struct addr any;
	struct addr bound;
	struct err e;
	int fd;

	assert_true(addr_from_ip(STR("127.0.0.1"), 0, &any));
	fd = listener_bind(&any, false, &e);
	assert_true(fd >= 0);
	listener_bound_address(fd, &bound);
	(void)close(fd);
	return bound;
}

static void want(struct bed *bed, const struct addr *address)
{
	bed->listen.has_redirect_address = address != NULL;
	if (address)
		bed->listen.redirect_address = *address;
}

static struct redirect_change prepare(struct bed *bed)
{
	struct redirect_change change;
	struct err e;

	if (redirect_listener_prepare(bed->redirects, &bed->listen, &change, &e) < 0)
		fail_msg("%s", e.text);
	return change;
}

static void put_in_force(struct bed *bed, const struct addr *address)
{
	struct redirect_change change;

	want(bed, address);
	change = prepare(bed);
	redirect_listener_commit(bed->redirects, &bed->listen, &change);
}

static void turn(struct bed *bed)
{
	for (int i = 0; i < TURNS; i++)
		loop_turn(bed->f.worker.loop, false);
}

/* -1: nobody listens. */
static int dial(const struct addr *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, &address->any, addr_len(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* What comes for these bytes until the connection ends; "..." if it does not. */
static void ask(struct bed *bed, int fd, const char *bytes, char *to, size_t size)
{
	size_t len = 0;
	ssize_t got = -1;

	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	turn(bed);
	while (len + 1 < size && (got = recv(fd, to + len, size - len - 1, MSG_DONTWAIT)) > 0)
		len += (size_t)got;
	to[len] = '\0';
	if (got < 0 && errno == EAGAIN)
		(void)snprintf(to, size, "...");
	(void)close(fd);
	turn(bed);
}

static void expect_redirect(struct bed *bed, const struct addr *address, const char *before)
{
	struct buf bytes = BUF_INIT(1024);
	char text[4096];
	char *whole;

	(void)buf_printf(&bytes, "%s" ASK, before);
	whole = buf_take_string(&bytes);
	ask(bed, dial(address), whole, text, sizeof(text));
	mem_free(whole);
	assert_true(str_starts_with(str_from(text), STR("HTTP/1.1 301 Moved Permanently\r\n"
							"location: https://a.example/a?b\r\n")));
}

static void test_changes(void **state)
{
	struct bed *bed = *state;
	struct addr first = free_address();
	struct addr second = free_address();

	assert_false(prepare(bed).is_one);
	put_in_force(bed, &first);
	expect_redirect(bed, &first, "");
	assert_false(prepare(bed).is_one);
	put_in_force(bed, &second);
	expect_redirect(bed, &second, "");
	clock_fake_advance_ms(LISTENER_RETIRE_MS);
	turn(bed);
	assert_int_equal(dial(&first), -1);
	put_in_force(bed, NULL);
	clock_fake_advance_ms(LISTENER_RETIRE_MS);
	turn(bed);
	assert_int_equal(dial(&second), -1);
	assert_false(prepare(bed).is_one);
}

/* What was prepared and is not wanted leaves all as it was. */
static void test_discard(void **state)
{
	struct bed *bed = *state;
	struct addr first = free_address();
	struct addr second = free_address();
	struct redirect_change change;

	put_in_force(bed, &first);
	want(bed, &second);
	change = prepare(bed);
	assert_true(change.is_one && change.socket >= 0);
	redirect_change_discard(&change);
	redirect_change_discard(&change);
	assert_int_equal(dial(&second), -1);
	expect_redirect(bed, &first, "");
}

static void test_address_in_use(void **state)
{
	struct bed *bed = *state;
	struct addr address = free_address();
	struct redirect_change change = { 0 };
	struct err e = { 0 };
	int fd = listener_bind(&address, false, &e);

	assert_true(fd >= 0);
	want(bed, &address);
	assert_int_equal(redirect_listener_prepare(bed->redirects, &bed->listen, &change, &e), -1);
	assert_true(
		str_starts_with(str_from(e.text), STR("http_redirect_addr: cannot listen on ")));
	assert_false(change.is_one);
	(void)close(fd);
}

static void test_header(void **state)
{
	struct bed *bed = *state;
	struct addr address = free_address();
	char text[4096];

	exchange_fixture_reload(&bed->f, "use_proxy_protocol: true\n" FIXTURE_SETTINGS);
	bed->f.control.snapshot = bed->f.worker.snapshot;
	put_in_force(bed, &address);
	expect_redirect(bed, &address, HEADER);
	(void)exchange_fixture_log(&bed->f);
	ask(bed, dial(&address), ASK, text, sizeof(text));
	assert_string_equal(text, "");
	assert_non_null(strstr(exchange_fixture_log(&bed->f), "\"error\":\"PROXY protocol: "));
}

/* Whoever says nothing, or stops in the middle, is not waited for. */
static void test_time_limit(void **state)
{
	static const char *const beginnings[] = { "", "GET / HTTP/1.1\r\nHo" };
	static const char *const ends[] = { "", "HTTP/1.1 408 Request Timeout\r\n" };
	struct bed *bed = *state;
	struct addr address = free_address();

	put_in_force(bed, &address);
	for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
		int fd = dial(&address);
		char text[4096] = "";

		assert_int_equal(write(fd, beginnings[i], strlen(beginnings[i])),
				 strlen(beginnings[i]));
		turn(bed);
		clock_fake_advance_ms(REDIRECT_TIMEOUT_MS - 1);
		turn(bed);
		assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
		clock_fake_advance_ms(1);
		turn(bed);
		assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) >= 0);
		assert_true(str_starts_with(str_from(text), str_from(ends[i])));
		(void)close(fd);
		turn(bed);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_changes), TEST(test_discard),    TEST(test_address_in_use),
		TEST(test_header),  TEST(test_time_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
