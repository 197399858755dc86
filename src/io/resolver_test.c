#include "io/resolver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "io/loop.h"
#include "io/resolver_cache.h"
#include "tests/support/clock_fake.h"
#include "tests/support/dns_fake.h"

#define TURNS_MAX 200000

static const struct dns_fake_name names[] = {
	{ .name = "both.example.test",
	  .addresses = { "192.0.2.1", "2001:db8::1", "192.0.2.2" },
	  .ttl_s = 60 },
	{ .name = "four.example.test", .addresses = { "192.0.2.4" }, .ttl_s = 0 },
	{ .name = "long.example.test", .addresses = { "192.0.2.5" }, .ttl_s = 1000000 },
	{ .name = "empty.example.test", .addresses = { NULL }, .ttl_s = 60 },
	{ .name = "tcp.example.test",
	  .addresses = { "192.0.2.6", "2001:db8::6" },
	  .ttl_s = 60,
	  .is_truncated = true },
	{ .name = "many.example.test",
	  .addresses = { "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5",
			 "192.0.2.6", "192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10",
			 "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14", "192.0.2.15",
			 "192.0.2.16", "192.0.2.17", "192.0.2.18", "192.0.2.19" },
	  .ttl_s = 60 },
	{ .name = "silent.example.test", .is_silent = true },
	{ 0 },
};

struct bed {
	struct loop *loop;
	struct dns_fake *dns;
	struct resolver *resolver;
	unsigned done;
	bool has_answer;
	bool frees_resolver;
	int family; /* 0: both */
	struct resolver_answer answer;
	struct err err;
};

static void on_done(void *arg, const struct resolver_answer *answer, const struct err *e)
{
	struct bed *bed = arg;

	assert_int_equal(answer == NULL, e != NULL);
	bed->done++;
	bed->has_answer = answer != NULL;
	if (answer)
		bed->answer = *answer;
	else
		bed->err = *e;
	if (bed->frees_resolver)
		resolver_free(TAKE(bed->resolver));
}

static void prepare(struct bed *bed)
{
	struct addr server = { 0 };
	struct err e = { 0 };

	*bed = (struct bed){ .loop = loop_new() };
	bed->dns = dns_fake_open(bed->loop, names);
	dns_fake_address(bed->dns, &server);
	bed->resolver = resolver_new(bed->loop, &e);
	assert_non_null(bed->resolver);
	assert_int_equal(resolver_use_server(bed->resolver, &server, &e), 0);
}

static void finish(struct bed *bed)
{
	resolver_free(bed->resolver);
	dns_fake_close(bed->dns);
	loop_turn(bed->loop, false);
	loop_free(bed->loop);
}

static void ask(struct bed *bed, const char *host)
{
	unsigned done = bed->done;

	(void)resolver_query_start(bed->resolver, str_from(host), bed->family, on_done, bed);
	assert_int_equal(bed->done, done);
	for (int i = 0; i < TURNS_MAX && bed->done == done; i++)
		loop_turn(bed->loop, false);
	assert_int_equal(bed->done, done + 1);
}

static bool has_address(const struct bed *bed, const char *ip)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < bed->answer.count; i++) {
		assert_int_equal(addr_port(&bed->answer.addresses[i]), 0);
		addr_format_ip(&bed->answer.addresses[i], text);
		if (strcmp(text, ip) == 0)
			return true;
	}
	return false;
}

static void test_known_without_asking(void **state)
{
	static const struct {
		const char *host;
		const char *ip;
		size_t count;
	} cases[] = {
		{ "192.0.2.7", "192.0.2.7", 1 },     { "2001:db8::7", "2001:db8::7", 1 },
		{ "localhost", "127.0.0.1", 2 },     { "LOCALHOST", "::1", 2 },
		{ "a.b.localhost", "127.0.0.1", 2 }, { "localhost.", "127.0.0.1", 2 },
	};
	struct bed bed;

	prepare(&bed);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&bed, cases[i].host);
		assert_true(bed.has_answer);
		assert_int_equal(bed.answer.count, cases[i].count);
		assert_true(has_address(&bed, cases[i].ip));
	}
	assert_int_equal(dns_fake_questions(bed.dns), 0);
	finish(&bed);
}

static void test_both_families(void **state)
{
	struct bed bed;

	prepare(&bed);
	ask(&bed, "Both.Example.TEST");
	assert_true(bed.has_answer);
	assert_int_equal(bed.answer.count, 3);
	assert_true(has_address(&bed, "192.0.2.1"));
	assert_true(has_address(&bed, "192.0.2.2"));
	assert_true(has_address(&bed, "2001:db8::1"));
	finish(&bed);
}

static void test_one_family(void **state)
{
	static const struct {
		const char *host;
		int family;
		const char *ip;
		size_t count;
	} cases[] = {
		{ "both.example.test", AF_INET, "192.0.2.2", 2 },
		{ "both.example.test", AF_INET6, "2001:db8::1", 1 },
		{ "both.example.test", AF_UNSPEC, "192.0.2.1", 3 },
		{ "four.example.test", AF_INET6, NULL, 0 },
		{ "localhost", AF_INET, "127.0.0.1", 1 },
		{ "localhost", AF_INET6, "::1", 1 },
		{ "2001:db8::7", AF_INET, "2001:db8::7", 1 },
	};
	struct bed bed;

	prepare(&bed);
	/* Twice: what is kept for one family is no answer for another. */
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		size_t n = i % ARRAY_LEN(cases);

		bed.family = cases[n].family;
		ask(&bed, cases[n].host);
		assert_int_equal(bed.has_answer, cases[n].ip != NULL);
		if (!cases[n].ip)
			continue;
		assert_int_equal(bed.answer.count, cases[n].count);
		assert_true(has_address(&bed, cases[n].ip));
	}
	finish(&bed);
}

static void test_tcp_after_truncation(void **state)
{
	struct bed bed;

	prepare(&bed);
	ask(&bed, "tcp.example.test");
	assert_true(bed.has_answer);
	assert_int_equal(bed.answer.count, 2);
	assert_true(has_address(&bed, "2001:db8::6"));
	finish(&bed);
}

static void test_more_addresses_than_fit(void **state)
{
	struct bed bed;

	prepare(&bed);
	ask(&bed, "many.example.test");
	assert_true(bed.has_answer);
	assert_int_equal(bed.answer.count, RESOLVER_ADDRESSES_MAX);
	finish(&bed);
}

static void test_answers_are_kept_for_their_time(void **state)
{
	static const struct {
		const char *host;
		uint64_t kept_ms;
	} cases[] = {
		{ "both.example.test", 60 * 1000 },
		{ "four.example.test", RESOLVER_TTL_MIN_S * 1000 },
		{ "long.example.test", RESOLVER_TTL_MAX_S * 1000 },
	};
	struct bed bed;

	prepare(&bed);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned questions = 0;
		size_t count = 0;

		ask(&bed, cases[i].host);
		assert_true(bed.has_answer);
		count = bed.answer.count;
		questions = dns_fake_questions(bed.dns);
		clock_fake_advance_ms(cases[i].kept_ms - 1);
		ask(&bed, cases[i].host);
		assert_int_equal(bed.answer.count, count);
		assert_int_equal(dns_fake_questions(bed.dns), questions);
		clock_fake_advance_ms(1);
		ask(&bed, cases[i].host);
		assert_int_equal(bed.answer.count, count);
		assert_true(dns_fake_questions(bed.dns) > questions);
	}
	finish(&bed);
}

static void test_failures_name_the_host_and_are_not_kept(void **state)
{
	static const char *const hosts[] = { "missing.example.test", "empty.example.test" };
	struct bed bed;

	prepare(&bed);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		unsigned questions = 0;

		ask(&bed, hosts[i]);
		assert_false(bed.has_answer);
		assert_int_equal(bed.err.kind, ERR_DNS);
		assert_non_null(strstr(bed.err.text, hosts[i]));
		questions = dns_fake_questions(bed.dns);
		ask(&bed, hosts[i]);
		assert_false(bed.has_answer);
		assert_true(dns_fake_questions(bed.dns) > questions);
	}
	finish(&bed);
}

static void test_not_host_names(void **state)
{
	char too_long[300];
	struct bed bed;

	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	prepare(&bed);
	ask(&bed, "");
	assert_int_equal(bed.err.kind, ERR_DNS);
	ask(&bed, "b\xc3\xbc"
		  "cher.test");
	assert_int_equal(bed.err.kind, ERR_DNS);
	ask(&bed, "new\nline.test");
	assert_int_equal(bed.err.kind, ERR_DNS);
	ask(&bed, "double..dot.test");
	assert_int_equal(bed.err.kind, ERR_DNS);
	ask(&bed, too_long);
	assert_false(bed.has_answer);
	assert_int_equal(dns_fake_questions(bed.dns), 0);
	finish(&bed);
}

static void test_cancel_is_silence(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost", "both.example.test",
					     "missing.example.test", "silent.example.test" };
	struct bed bed;

	prepare(&bed);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		resolver_query_cancel(resolver_query_start(bed.resolver, str_from(hosts[i]),
							   AF_UNSPEC, on_done, &bed));
		for (int k = 0; k < 100; k++)
			loop_turn(bed.loop, false);
	}
	resolver_query_cancel(NULL);
	assert_int_equal(bed.done, 0);
	/* The answer that nobody wanted any more is a good answer all the same. */
	ask(&bed, "both.example.test");
	assert_true(bed.has_answer);
	finish(&bed);
}

static void test_free_with_questions_open(void **state)
{
	struct bed bed;

	prepare(&bed);
	(void)resolver_query_start(bed.resolver, STR("silent.example.test"), AF_UNSPEC, on_done,
				   &bed);
	(void)resolver_query_start(bed.resolver, STR("both.example.test"), AF_UNSPEC, on_done,
				   &bed);
	(void)resolver_query_start(bed.resolver, STR("127.0.0.1"), AF_UNSPEC, on_done, &bed);
	resolver_free(TAKE(bed.resolver));
	for (int i = 0; i < 100; i++)
		loop_turn(bed.loop, false);
	assert_int_equal(bed.done, 0);
	finish(&bed);
}

static void test_free_inside_on_done(void **state)
{
	struct bed bed;

	prepare(&bed);
	bed.frees_resolver = true;
	(void)resolver_query_start(bed.resolver, STR("silent.example.test"), AF_UNSPEC, on_done,
				   &bed);
	ask(&bed, "both.example.test");
	assert_null(bed.resolver);
	finish(&bed);
}

static void test_cache_makes_room(void **state)
{
	struct resolver_cache cache;
	struct resolver_answer answer = { .count = 1 };
	char host[32];

	resolver_cache_init(&cache);
	for (int i = 0; i < RESOLVER_CACHE_MAX + 10; i++) {
		(void)snprintf(host, sizeof(host), "host-%d", i);
		resolver_cache_put(&cache, str_from(host), AF_UNSPEC, &answer, 100);
		resolver_cache_put(&cache, str_from(host), AF_UNSPEC, &answer, 200);
	}
	assert_int_equal(cache.by_key.count, RESOLVER_CACHE_MAX);
	assert_null(resolver_cache_get(&cache, STR("host-9"), AF_UNSPEC, 0));
	assert_non_null(resolver_cache_get(&cache, STR("host-10"), AF_UNSPEC, 199));
	assert_null(resolver_cache_get(&cache, STR("host-10"), AF_UNSPEC, 200));
	assert_int_equal(cache.by_key.count, RESOLVER_CACHE_MAX - 1);
	resolver_cache_done(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_without_asking),
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_one_family),
		cmocka_unit_test(test_tcp_after_truncation),
		cmocka_unit_test(test_more_addresses_than_fit),
		cmocka_unit_test(test_answers_are_kept_for_their_time),
		cmocka_unit_test(test_failures_name_the_host_and_are_not_kept),
		cmocka_unit_test(test_not_host_names),
		cmocka_unit_test(test_cancel_is_silence),
		cmocka_unit_test(test_free_with_questions_open),
		cmocka_unit_test(test_free_inside_on_done),
		cmocka_unit_test(test_cache_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
