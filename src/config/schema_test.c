/*
 * schema_test.c - every key of every table: what its status promises, and that a wrong form of value is told at its place
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"
#include "config/options.h"

/* What a value looks like that is not of that type, and what is said about it. */
static const struct form {
	enum setting_type type;
	const char *value;
	const char *sentence;
} forms[] = {
	{ SETTING_TEXT, "[x]", "must be a text, not a list" },
	{ SETTING_LIST, "{x: y}", "must be a text, not a mapping" },
	{ SETTING_TARGETS, "{x: y}", "must be a text, not a mapping" },
	{ SETTING_BOOL, "perhaps", "\"perhaps\" is not true or false" },
	{ SETTING_NUMBER, "many", "\"many\" is not a number" },
	{ SETTING_DURATION, "soon", "\"soon\" is not a duration (30s, 5m, 1h30m)" },
	{ SETTING_RECORD, "x", "must be a mapping (key: value)" },
	{ SETTING_RECORDS, "x", "must be a list" },
	{ SETTING_NAMED, "x", "must be a mapping of names to mappings" },
	{ SETTING_MAP, "x", "must be a mapping (key: value)" },
};

static const struct form *find_form(enum setting_type type)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (forms[i].type == type)
			return &forms[i];
	return NULL;
}

/* Where the keys of a table are written, and what is before their names in a message. */
struct place {
	const char *above;
	const char *path;
	unsigned line;
	unsigned column;
};

static const struct place top = { "", "", 1, 1 };
static const struct place route = { "routes:\n  - from: tcp+https://a:1\n    to: tcp://b\n    ",
				    "routes[0].", 4, 5 };
static const struct place flags = { "runtime_flags:\n  ", "runtime_flags.", 2, 3 };
static const struct place breakers = { "circuit_breaker_thresholds:\n  ",
				       "circuit_breaker_thresholds.", 2, 3 };
static const struct place mtls = { "downstream_mtls:\n  ", "downstream_mtls.", 2, 3 };
static const struct place user = { "local_users:\n  - ", "local_users[0].", 2, 5 };
static const struct place pair = { "certificates:\n  - ", "certificates[0].", 2, 5 };
static const struct place issuer = { "identity_providers:\n  ci:\n    ", "identity_providers.ci.",
				     3, 5 };
static const struct place check = {
	"routes:\n  - from: tcp+https://a:1\n    to: tcp://b\n    health_checks:\n"
	"      - tcp_health_check: {}\n        ",
	"routes[0].health_checks[0].", 6, 9
};

/* Among others perhaps: a setting that could not be read may be missing then. */
static void assert_reported(const struct place *place, const char *key, const char *value,
			    const char *severity, unsigned column, const char *sentence)
{
	char text[300];
	char expected[300];
	char *report;

	(void)snprintf(text, sizeof(text), "%s%s: %s\n", place->above, key, value);
	(void)snprintf(expected, sizeof(expected), "%s c.yaml:%u:%u: %s%s%s\n", severity,
		       place->line, column, place->path, key, sentence);
	config_free(parse_text(str_from(text), "c.yaml", &report));
	if (!strstr(report, expected))
		fail_msg("%swants %sgot %s", text, expected, report);
	mem_free(report);
}

static void assert_silent(const struct place *place, const char *key, const char *value)
{
	char text[300];

	(void)snprintf(text, sizeof(text), "%s%s: %s\n", place->above, key, value);
	config_free(parse_good(text));
}

static void check_form(const struct place *place, const struct setting *setting)
{
	const struct form *form = find_form(setting->type);
	unsigned column = place->column + (unsigned)strlen(setting->key) + 2;
	char sentence[100];

	if (!form)
		return;
	(void)snprintf(sentence, sizeof(sentence), ": %s", form->sentence);
	assert_reported(place, setting->key, form->value, "E", column, sentence);
}

/* Of what is only known, the form of some types is looked at. */
static bool is_form_checked(const struct setting *setting)
{
	return setting->type == SETTING_BOOL || setting->type == SETTING_DURATION;
}

/* One that is not the default; what stands for asking. */
static const char *some_value(const struct setting *setting)
{
	bool is_on = setting->default_text && setting->default_text[0] == 't';

	if (setting->type == SETTING_BOOL)
		return is_on ? "false" : "true";
	return setting->type == SETTING_DURATION ? "7s" : "7";
}

static void check_status(const struct place *place, const struct setting *setting)
{
	const char *value = some_value(setting);
	unsigned column = place->column;

	switch (setting->status) {
	case SETTING_SUPPORTED:
		check_form(place, setting);
		return;
	case SETTING_NO_EFFECT:
		assert_silent(place, setting->key, value);
		if (is_form_checked(setting))
			check_form(place, setting);
		return;
	case SETTING_LATER:
		assert_reported(place, setting->key, value, "W", column,
				" is not supported yet and has no effect");
		if (is_form_checked(setting))
			check_form(place, setting);
		return;
	case SETTING_REFUSED:
		assert_reported(place, setting->key, value, "E", column, " is not supported yet");
		return;
	case SETTING_HTTP_ONLY:
		assert_reported(place, setting->key, value, "E", column,
				" does not work on a TCP route; use to");
		return;
	case SETTING_REMOVED:
		assert_reported(place, setting->key, value, "E", column, " is no longer supported");
		return;
	}
}

static void check_table(const struct place *place, const struct schema *schema)
{
	for (size_t i = 0; i < schema->count; i++)
		check_status(place, &schema->settings[i]);
}

static void test_global_settings(void **state)
{
	check_table(&top, &options_schema);
}

/* The ones that make it a route are in the text already. */
static void test_route_settings(void **state)
{
	for (size_t i = 0; i < route_schema.count; i++) {
		const struct setting *setting = &route_schema.settings[i];
		const char *key = setting->key;

		if (strcmp(key, "from") != 0 && strcmp(key, "to") != 0)
			check_status(&route, setting);
	}
}

static void test_tables_below(void **state)
{
	check_table(&flags, &runtime_flags_schema);
	check_table(&breakers, &breakers_schema);
	check_table(&mtls, &client_certificates_schema);
	check_table(&user, &user_schema);
	check_table(&pair, &certificate_schema);
	check_table(&issuer, &issuer_schema);
	check_table(&check, &health_check_schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_global_settings),
		cmocka_unit_test(test_route_settings),
		cmocka_unit_test(test_tables_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
