/*
 * config_test.c - good files: defaults, values, secrets, certificates, users, examples
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"

#define SECRET_TEXT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER_TEXT  "//////////////////////////////////////////8="

static void test_defaults(void **state)
{
	static const char *const texts[] = { "", "{}\n", "# nothing\n", "routes:\npolicy: ~\n" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config *config = parse_good(texts[i]);

		assert_int_equal(addr_port(&config->listen.address), 443);
		assert_int_equal(config->listen.workers, 0);
		assert_int_equal(config->cookies.expire_s, 14 * 3600);
		assert_int_equal(config->logs.level, LOG_INFO);
		assert_int_equal(config->idp_provider, CONFIG_IDP_NONE);
		assert_int_equal(config->redirect_whitelist.count, 1);
		assert_str(config->redirect_whitelist.items[0], "localhost");
		assert_str(config->authenticate_service_url, "");
		assert_false(config->keys.has_shared_secret || config->keys.has_cookie_secret);
		assert_int_equal(
			config->tls.key_pair_count + config->users.count + config->route_count, 0);
		config_free(config);
	}
}

static void test_values(void **state)
{
	struct config *config = parse_good(
		"ADDRESS: 127.0.0.1:8443\n"
		"Workers: '4'\n"
		"cookie_expire: 1h30m\n"
		"log_level: debug\n"
		"authenticate_service_url: https://login.test:8443/\n"
		"programmatic_redirect_domain_whitelist: localhost,a.test\n");
	char address[ADDR_TEXT_MAX];

	addr_format(&config->listen.address, address);
	assert_string_equal(address, "127.0.0.1:8443");
	assert_int_equal(config->listen.workers, 4);
	assert_int_equal(config->cookies.expire_s, 5400);
	assert_int_equal(config->logs.level, LOG_DEBUG);
	assert_str(config->authenticate_service_url, "https://login.test:8443");
	assert_int_equal(config->redirect_whitelist.count, 2);
	assert_str(config->redirect_whitelist.items[1], "a.test");
	config_free(config);

	config = parse_good("programmatic_redirect_domain_whitelist: []\naddress: 127.0.0.1\n"
			    "cookie_expire: 2000000000\n");
	assert_int_equal(config->redirect_whitelist.count, 0);
	assert_int_equal(addr_port(&config->listen.address), 443);
	assert_int_equal(config->cookies.expire_s, 2);
	config_free(config);
}

static void assert_secret(const uint8_t secret[CONFIG_SECRET_SIZE], bool is_counting)
{
	for (unsigned i = 0; i < CONFIG_SECRET_SIZE; i++)
		assert_int_equal(secret[i], is_counting ? i : 0xff);
}

static void test_secrets(void **state)
{
	folder_write(*state, "secret", SECRET_TEXT "\r\n\n");
	struct config *config = parse_in(
		*state, "shared_secret: " SECRET_TEXT "\ncookie_secret: " OTHER_TEXT "\n", "");

	assert_true(config->keys.has_shared_secret && config->keys.has_cookie_secret);
	assert_secret(config->keys.shared_secret, true);
	assert_secret(config->keys.cookie_secret, false);
	config_free(config);

	/* the file wins */
	config = parse_in(*state, "shared_secret: " OTHER_TEXT "\nshared_secret_file: %/secret\n",
			  "");
	assert_true(config->keys.has_shared_secret);
	assert_false(config->keys.has_cookie_secret);
	assert_secret(config->keys.shared_secret, true);
	config_free(config);
}

static void test_certificates(void **state)
{
	folder_write(*state, "cert.pem", "-----BEGIN CERTIFICATE-----\n");
	folder_write(*state, "key.pem", "-----BEGIN PRIVATE KEY-----\n");
	struct config *config = parse_in(*state,
					 "certificate: Q0VS\n"
					 "certificate_key: |\n"
					 "  S0\n"
					 "  VZ\n"
					 "certificate_file: %/cert.pem\n"
					 "certificate_key_file: %/key.pem\n"
					 "certificates:\n"
					 "  - cert: %/cert.pem\n"
					 "    key: %/key.pem\n",
					 "");

	assert_int_equal(config->tls.key_pair_count, 3);
	assert_str(config->tls.key_pairs[0].certificate_pem, "CER");
	assert_str(config->tls.key_pairs[0].key_pem, "KEY");
	assert_string_equal(config->tls.key_pairs[0].origin, "c.yaml:1:14: certificate");
	assert_str(config->tls.key_pairs[1].certificate_pem, "-----BEGIN CERTIFICATE-----\n");
	assert_str(config->tls.key_pairs[1].key_pem, "-----BEGIN PRIVATE KEY-----\n");
	assert_string_equal(config->tls.key_pairs[1].origin, "c.yaml:5:19: certificate_file");
	assert_str(config->tls.key_pairs[2].key_pem, "-----BEGIN PRIVATE KEY-----\n");
	assert_string_equal(config->tls.key_pairs[2].origin, "c.yaml:8:11: certificates[0]");
	config_free(config);
}

static void test_users(void **state)
{
	folder_write(*state, "users.yaml",
		     "- email: bob@b.test\n  disabled: true\n  groups: eng\n"
		     "  password_hash: $2b$12$abcdefghijklmnopqrstuv\n");
	struct config *config = parse_in(*state,
					 "idp_provider: local\n"
					 "local_users_file: %/users.yaml\n"
					 "local_users:\n"
					 "  - email: Alice@A.test\n"
					 "    name: Alice\n"
					 "    id: u-1\n"
					 "    groups: [eng, ops]\n"
					 "    password_hash: $y$j9T$salt$hash\n",
					 "");

	assert_int_equal(config->idp_provider, CONFIG_IDP_LOCAL);
	assert_int_equal(config->users.count, 2);
	assert_str(config->users.items[0].email, "Alice@A.test");
	assert_str(config->users.items[0].name, "Alice");
	assert_str(config->users.items[0].id, "u-1");
	assert_int_equal(config->users.items[0].groups.count, 2);
	assert_str(config->users.items[0].groups.items[1], "ops");
	assert_str(config->users.items[0].password_hash, "$y$j9T$salt$hash");
	assert_false(config->users.items[0].disabled);
	assert_int_equal(config->users.items[0].at.line, 4);
	assert_str(config->users.items[1].email, "bob@b.test");
	assert_true(config->users.items[1].disabled);
	assert_non_null(strstr(config->users.items[1].at.file, "/users.yaml"));
	config_free(config);
}

/* A problem in the other file is told with the other file's name. */
static void test_bad_users_file(void **state)
{
	const struct folder *folder = *state;
	char text[256];
	char expected[256];
	char *report;

	folder_write(folder, "users.yaml",
		     "- email: a@b.test\n  password_hash: $6$salt$hash\n"
		     "- email: A@b.test\n  password_hash: $6$salt$hash\n");
	(void)snprintf(text, sizeof(text), "local_users_file: %s/users.yaml\n", folder->path);
	(void)snprintf(expected, sizeof(expected),
		       "E %s/users.yaml:3:10: [1].email: A@b.test is there already, in "
		       "%s/users.yaml:1\n",
		       folder->path, folder->path);
	assert_null(parse_text(str_from(text), "c.yaml", &report));
	assert_string_equal(report, expected);
	mem_free(report);
}

static void test_json_file(void **state)
{
	const struct folder *folder = *state;
	char path[128];
	struct report report = { 0 };
	struct config *config = NULL;
	struct err e = { 0 };

	folder_write(folder, "c.json",
		     "{\n\t\"policy\": [{\"from\": \"tcp+https://a.test:1\", \"to\": "
		     "[\"tcp://b.test:2\"]}],\n\t\"workers\": 2\n}\n");
	(void)snprintf(path, sizeof(path), "%s/c.json", folder->path);
	if (config_load(path, &config, &report, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(report.count, 0);
	assert_int_equal(config->route_count, 1);
	assert_int_equal(config->listen.workers, 2);
	config_free(config);
	report_done(&report);
}

static void test_anchors(void **state)
{
	struct config *config = parse_good("routes:\n"
					   "  - &base\n"
					   "    from: tcp+https://a.test:1\n"
					   "    to: tcp://b.test:2\n"
					   "    allowed_users: &team [a@a.test, b@a.test]\n"
					   "  - <<: *base\n"
					   "    from: tcp+https://a.test:2\n"
					   "  - from: tcp+https://a.test:3\n"
					   "    to: tcp://b.test:3\n"
					   "    allowed_users: *team\n");

	assert_int_equal(config->route_count, 3);
	assert_int_equal(config->routes[1].names[0].port, 2);
	assert_int_equal(config->routes[1].targets[0].port, 2);
	assert_int_equal(config->routes[1].access.allowed_users.count, 2);
	assert_int_equal(config->routes[2].access.allowed_users.count, 2);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test_setup_teardown(test_secrets, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_certificates, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_users, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_bad_users_file, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_json_file, folder_setup, folder_teardown),
		cmocka_unit_test(test_anchors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
