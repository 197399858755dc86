/*
 * examples_test.c - the example files load without a remark, and full.yaml names every setting that works
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "config/config_testing.h"
#include "config/options.h"

static void test_examples_load(void **state)
{
	static const struct {
		const char *path;
		size_t routes;
		size_t users;
	} cases[] = {
		{ EXAMPLES_DIR "/redis.yaml", 1, 0 },
		{ EXAMPLES_DIR "/team.yaml", 3, 2 },
		{ EXAMPLES_DIR "/oidc.yaml", 2, 0 },
		{ EXAMPLES_DIR "/full.yaml", 7, 1 },
		{ EXAMPLES_DIR "/policy.yaml", 3, 3 },
		{ EXAMPLES_DIR "/mtls.yaml", 3, 1 },
		{ EXAMPLES_DIR "/load-balancer.yaml", 2, 1 },
		{ EXAMPLES_DIR "/upstreams.yaml", 4, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report report = { 0 };
		struct config *config = NULL;
		struct err e = { 0 };

		if (config_load(cases[i].path, &config, &report, &e) < 0 || report.count)
			fail_msg("%s", report.count ? report.problems[0].text : e.text);
		assert_int_equal(config->route_count, cases[i].routes);
		assert_int_equal(config->users.count, cases[i].users);
		config_free(config);
		report_done(&report);
	}
}

static void test_full_is_full(void **state)
{
	static const struct schema *const schemas[] = {
		&options_schema,     &route_schema,       &user_schema,
		&certificate_schema, &issuer_schema,      &client_certificates_schema,
		&breakers_schema,    &health_check_schema
	};
	struct buf text = BUF_INIT(100000);
	struct err e = { 0 };

	assert_int_equal(file_read(EXAMPLES_DIR "/full.yaml", &text, &e), 0);
	for (size_t s = 0; s < ARRAY_LEN(schemas); s++)
		for (size_t i = 0; i < schemas[s]->count; i++) {
			const struct setting *setting = &schemas[s]->settings[i];
			char key[100];

			(void)snprintf(key, sizeof(key), "%s:", setting->key);
			if (setting->status == SETTING_SUPPORTED &&
			    !str_contains(buf_view(&text), str_from(key)))
				fail_msg("%s is not in full.yaml", setting->key);
		}
	buf_done(&text);
}

/* The reference manual is made from them. */
static void test_tables_are_in_order(void **state)
{
	static const struct schema *const schemas[] = {
		&options_schema,      &route_schema,
		&user_schema,         &certificate_schema,
		&issuer_schema,       &runtime_flags_schema,
		&breakers_schema,     &client_certificates_schema,
		&health_check_schema, &tcp_check_schema,
		&payload_schema
	};

	for (size_t s = 0; s < ARRAY_LEN(schemas); s++)
		for (size_t i = 0; i < schemas[s]->count; i++) {
			const struct setting *setting = &schemas[s]->settings[i];

			assert_non_null(setting->key);
			assert_true(setting->help && setting->help[0]);
			assert_ptr_equal(schema_find(schemas[s], str_from(setting->key)), setting);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples_load),
		cmocka_unit_test(test_full_is_full),
		cmocka_unit_test(test_tables_are_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
