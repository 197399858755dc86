#include "proxy/metrics_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(struct buf *out, const char *text)
{
	assert_false(out->is_overflown);
	assert_int_equal(out->len, strlen(text));
	assert_memory_equal(out->data, text, out->len);
	buf_done(out);
}

static void test_family_and_samples(void **state)
{
	struct buf out = BUF_INIT(4096);
	const struct metrics_label labels[] = { { "route", STR("redis") },
						{ "direction", STR("received") },
						{ 0 } };

	metrics_family(&out, "x_total", "counter", "Things.");
	metrics_sample(&out, "x_total", "", NULL, 7);
	metrics_sample(&out, "x_total", "", labels, UINT64_MAX);
	expect(&out, "# HELP x_total Things.\n# TYPE x_total counter\nx_total 7\n"
		     "x_total{route=\"redis\",direction=\"received\"} 18446744073709551615\n");
}

static void test_seconds(void **state)
{
	struct buf out = BUF_INIT(4096);

	metrics_sample_seconds(&out, "t", "_sum", 1000000);
	metrics_sample_seconds(&out, "t", "_sum", 12);
	expect(&out, "t_sum 1.000000\nt_sum 0.000012\n");
}

static void test_label_values_are_escaped(void **state)
{
	struct buf out = BUF_INIT(4096);
	const struct metrics_label labels[] = { { "r", STR("a\"b\\c\nd\xff\xc3\xa9") }, { 0 } };

	metrics_sample(&out, "n", "", labels, 0);
	expect(&out, "n{r=\"a\\\"b\\\\c\\nd?\xc3\xa9\"} 0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_family_and_samples),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_label_values_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
