#include "proxy/reload_changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "proxy/snapshot.h"

#define SECRET_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SECRET_B "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define HASH     "$6$salt$abc"
#define ROUTE_WITH(name, rest)                                                                     \
	"{from: 'tcp+https://" name ".example.com:1', to: 'tcp://127.0.0.1:1', "                   \
	"allow_any_authenticated_user: true" rest "}"
#define ROUTE(name) ROUTE_WITH(name, "")

static struct config *parse(const char *settings)
{
	struct buf text = BUF_INIT(64u * 1024);
	struct report report = { 0 };
	struct config *config = NULL;
	struct err e = { 0 };

	(void)buf_append_str(&text, str_from(settings));
	if (!strstr(settings, "shared_secret"))
		(void)buf_append_str(&text, STR("\nshared_secret: " SECRET_A));
	(void)buf_append_str(&text, STR("\ncookie_secret: " SECRET_B "\n"));
	if (config_parse(buf_view(&text), "c.yaml", &config, &report, &e) < 0)
		fail_msg("%s", e.text);
	report_done(&report);
	buf_done(&text);
	return config;
}

static struct snapshot *make(const char *settings)
{
	struct report report = { 0 };
	struct snapshot *snapshot = snapshot_new(parse(settings), NULL, &report);

	if (!snapshot)
		fail_msg("%s", report.problems[0].text);
	report_done(&report);
	return snapshot;
}

/* ---- what takes effect ---- */

struct changes_case {
	const char *before;
	const char *after;
	struct reload_changes expected;
};

#define USER(rest) "local_users: [{email: a@example.com, password_hash: '" HASH "'" rest "}]"

static const struct changes_case changes_cases[] = {
	{ "log_level: info", "log_level: info", { 0 } },
	{ "log_level: info", "log_level: warn", { .has_new_log_level = true } },
	{ "address: ':1'", "address: ':2'", { .has_new_address = true } },
	{ "address: '127.0.0.1:1'", "address: 'localhost:1'", { 0 } },
	{ "shared_secret: " SECRET_A, "shared_secret: " SECRET_B, { .has_new_keys = true } },
	{ USER(""), USER(", name: A"), { .has_new_users = true } },
	{ USER(""), USER(", groups: [g]"), { .has_new_users = true } },
	{ USER(", groups: [g]"), USER(", groups: [h]"), { .has_new_users = true } },
	{ USER(""), USER(", disabled: true"), { .has_new_users = true } },
	{ USER(""), USER(""), { 0 } },
	{ "log_level: info", USER(""), { .has_new_users = true } },
	{ "routes: [" ROUTE("a") "," ROUTE("b") "]",
	  "routes: [" ROUTE("b") "," ROUTE("c") "," ROUTE("d") "]",
	  { .routes = 3, .routes_added = 2, .routes_removed = 1 } },
	{ "routes: [" ROUTE("a") "," ROUTE("b") "]",
	  "routes: [" ROUTE_WITH("b", ", timeout: 1h") "," ROUTE("a") "]",
	  { .routes = 2, .routes_changed = 1 } },
	{ "routes: [" ROUTE("a") "]", "routes: []", { .routes_removed = 1 } },
};

static bool is_expected(const struct reload_changes *a, const struct reload_changes *b)
{
	return a->routes == b->routes && a->routes_added == b->routes_added &&
	       a->routes_removed == b->routes_removed && a->routes_changed == b->routes_changed &&
	       a->has_new_address == b->has_new_address &&
	       a->has_new_certificates == b->has_new_certificates &&
	       a->has_new_users == b->has_new_users && a->has_new_keys == b->has_new_keys &&
	       a->has_new_log_level == b->has_new_log_level;
}

static void test_changes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(changes_cases); i++) {
		const struct changes_case *c = &changes_cases[i];
		struct snapshot *before = make(c->before);
		struct snapshot *after = make(c->after);
		struct reload_changes changes;

		reload_changes_find(before, after, &changes);
		if (!is_expected(&changes, &c->expected))
			fail_msg("%s -> %s", c->before, c->after);
		snapshot_unref(before);
		snapshot_unref(after);
	}
}

/* ---- what needs a restart ---- */

static const struct {
	const char *wanted;
	unsigned settings;
	const char *name; /* of the only one */
} restart_cases[] = {
	{ "workers: 2", 0, NULL },
	{ "workers: 2\nlog_level: error", 0, NULL },
	{ "workers: 3", RESTART_WORKERS, "workers" },
	{ "workers: 2\ndatabroker_storage_type: file", RESTART_STORAGE_TYPE,
	  "databroker_storage_type" },
	{ "workers: 2\nhealth_check_addr: '127.0.0.1:1'", RESTART_HEALTH_ADDRESS,
	  "health_check_addr" },
	{ "workers: 2\nadmin_socket: /run/x.sock", RESTART_ADMIN_SOCKET, "admin_socket" },
	{ "databroker_storage_type: postgres\n"
	  "databroker_storage_connection_string: 'host=/tmp'",
	  RESTART_WORKERS | RESTART_STORAGE_TYPE | RESTART_STORAGE_CONNECTION, NULL },
};

static void test_restart(void **state)
{
	struct config *running = parse("workers: 2\ndatabroker_storage_type: memory");
	struct restart_settings settings;

	restart_settings_init(&settings, running);
	config_free(running); /* it may be gone */
	for (size_t i = 0; i < ARRAY_LEN(restart_cases); i++) {
		struct buf text = BUF_INIT(1024);
		struct config *wanted;

		(void)buf_printf(&text, "%s%s%c", restart_cases[i].wanted,
				 strstr(restart_cases[i].wanted, "storage_type")
					 ? ""
					 : "\ndatabroker_storage_type: memory",
				 '\0');
		wanted = parse((const char *)text.data);
		assert_int_equal(restart_settings_compare(&settings, wanted),
				 restart_cases[i].settings);
		if (restart_cases[i].name)
			assert_string_equal(restart_setting_name(restart_cases[i].settings),
					    restart_cases[i].name);
		config_free(wanted);
		buf_done(&text);
	}
	restart_settings_done(&settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
