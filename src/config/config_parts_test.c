/*
 * config_parts_test.c - cookies, the session store, the assertion, the operator's entrances
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "config/config_testing.h"

#define PEM "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
/* of that, with a newline at the end */
#define PEM_BASE64                                                                                 \
	"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCkFBQUEKLS0tLS1FTkQgUFJJVkFURSBLRVktLS0tLQo="

struct bad_case {
	const char *text;
	const char *report;
};

static void check_cases(const struct bad_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_report(cases[i].text, cases[i].report);
}

/* A file with that text, named in *state; removed by file_teardown(). */
static int file_setup(void **state)
{
	char *path = mem_copy_string("/tmp/config_parts_test.XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)close(fd);
	*state = path;
	return 0;
}

static int file_teardown(void **state)
{
	assert_int_equal(unlink(*state), 0);
	mem_free(*state);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	struct err e;

	assert_int_equal(file_replace(path, str_from(text), 0600, &e), 0);
}

/* "%s" in the text and in the report stands for the file. NULL: refused. */
static struct config *parse_with(const char *path, const char *text, const char *expected)
{
	char full[1000];
	char *report;
	const char *mark = strstr(text, "%s");
	const char *rest = mark ? mark + 2 : "";

	(void)snprintf(full, sizeof(full), "%.*s%s%s", (int)(mark ? mark - text : 1000), text,
		       mark ? path : "", rest);
	struct config *config = parse_text(str_from(full), "c.yaml", &report);
	assert_string_equal(report, expected);
	mem_free(report);
	return config;
}

static void test_defaults(void **state)
{
	struct config *config = parse_good("cookie_name: ''\ncookie_domain: ''\n"
					   "cookie_same_site: ''\ndatabroker_storage_type: ''\n"
					   "databroker_storage_connection_string: ''\n"
					   "admin_socket: ''\nhealth_check_addr: ''\n"
					   "jwt_issuer_format: ''\njwt_claims_headers: ''\n"
					   "signing_key: ''\ncertificate_authority: ''\n");
	struct config *empty = parse_good("");
	char address[ADDR_TEXT_MAX];

	for (int i = 0; i < 2; i++) {
		assert_str(config->cookies.name, "_pomerium");
		assert_str(config->cookies.domain, "");
		assert_str(config->cookies.same_site, "");
		assert_true(config->cookies.http_only);
		assert_int_equal(config->storage.type, CONFIG_STORAGE_FILE);
		assert_str(config->storage.connection, "");
		assert_str(config->operator.admin_socket, "");
		assert_false(config->operator.has_health_address);
		addr_format(&config->operator.health_address, address);
		assert_string_equal(address, "127.0.0.1:28080");
		assert_str(config->assertion.signing_key_pem, "");
		assert_int_equal(config->assertion.headers.count, 0);
		assert_false(config->assertion.issuer_is_uri || config->assertion.has_endpoint);
		assert_str(config->tls.authority_pem, "");
		config_free(config);
		config = empty;
	}
}

static void test_cookies(void **state)
{
	static const struct bad_case cases[] = {
		{ "cookie_name: a b\n",
		  "E c.yaml:1:14: cookie_name: \"a b\" cannot be the name of a cookie\n" },
		{ "cookie_name: 'a;b'\n",
		  "E c.yaml:1:14: cookie_name: \"a;b\" cannot be the name of a cookie\n" },
		{ "cookie_domain: a.test:80\n",
		  "E c.yaml:1:16: cookie_domain: \"a.test:80\" is not a domain name\n" },
		{ "cookie_domain: 'a.test; Secure'\n",
		  "E c.yaml:1:16: cookie_domain: \"a.test; Secure\" is not a domain name\n" },
		{ "cookie_domain: .\n",
		  "E c.yaml:1:16: cookie_domain: \".\" is not a domain name\n" },
		{ "cookie_same_site: loose\n",
		  "E c.yaml:1:19: cookie_same_site: \"loose\" is not one of lax, strict, none\n" },
		{ "cookie_http_only: maybe\n",
		  "E c.yaml:1:19: cookie_http_only: \"maybe\" is not true or false\n" },
	};
	struct config *config = parse_good("cookie_name: gate\ncookie_domain: .a.test\n"
					   "cookie_same_site: STRICT\ncookie_http_only: 0\n");
	char text[200];

	assert_str(config->cookies.name, "gate");
	assert_str(config->cookies.domain, "a.test");
	assert_str(config->cookies.same_site, "Strict");
	assert_false(config->cookies.http_only);
	config_free(config);
	check_cases(cases, ARRAY_LEN(cases));

	(void)snprintf(text, sizeof(text), "cookie_name: %0129d\n", 0);
	assert_report(text, "E c.yaml:1:14: cookie_name: is longer than 128 bytes\n");
}

#define FILE_TYPE     "databroker_storage_type: file\ndatabroker_storage_connection_string: "
#define POSTGRES_TYPE "databroker_storage_type: postgres\ndatabroker_storage_connection_string: "

static void test_storage(void **state)
{
	static const struct {
		const char *text;
		enum config_storage_type type;
		const char *connection;
	} cases[] = {
		{ "databroker_storage_type: sqlite\n", CONFIG_STORAGE_FILE, "" },
		{ "databroker_storage_type: memory\n", CONFIG_STORAGE_MEMORY, "" },
		{ FILE_TYPE "file:///var/lib/x\n", CONFIG_STORAGE_FILE, "/var/lib/x" },
		{ FILE_TYPE "sessions\n", CONFIG_STORAGE_FILE, "sessions" },
		{ "databroker_storage_connection_string: /x\n", CONFIG_STORAGE_FILE, "/x" },
		{ POSTGRES_TYPE "' postgres://u:p@h/d '\n", CONFIG_STORAGE_POSTGRES,
		  "postgres://u:p@h/d" },
		{ POSTGRES_TYPE "host=/run dbname=x\n", CONFIG_STORAGE_POSTGRES,
		  "host=/run dbname=x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *config = parse_good(cases[i].text);

		assert_int_equal(config->storage.type, cases[i].type);
		assert_str(config->storage.connection, cases[i].connection);
		config_free(config);
	}
}

static void test_bad_storage(void **state)
{
	static const struct bad_case cases[] = {
		{ "databroker_storage_type: floppy\n",
		  "E c.yaml:1:26: databroker_storage_type: \"floppy\" is not a storage type (file, "
		  "memory, postgres)\n" },
		{ "databroker_storage_type: postgres\n",
		  "E c.yaml:1:26: databroker_storage_type: postgres needs "
		  "databroker_storage_connection_string: postgres://user@host/database or a list "
		  "of key=value\n" },
		{ FILE_TYPE "file://host/x\n",
		  "E c.yaml:2:39: databroker_storage_connection_string: is not a directory (a path, "
		  "or file:// and an absolute path)\n" },
		{ FILE_TYPE "postgres://u:hunter2@h/d\n",
		  "E c.yaml:2:39: databroker_storage_connection_string: is not a directory (a path, "
		  "or file:// and an absolute path)\n" },
		{ POSTGRES_TYPE "/hunter2\n",
		  "E c.yaml:2:39: databroker_storage_connection_string: is neither "
		  "postgres://user@host/database nor a list of key=value\n" },
		{ "databroker_storage_type: memory\ndatabroker_storage_connection_string: /x\n",
		  "W c.yaml:2:39: databroker_storage_connection_string has no effect on storage in "
		  "memory\n" },
		{ "databroker_storage_connection_string_file: /nonexistent/x\n",
		  "E c.yaml:1:44: databroker_storage_connection_string_file: cannot open "
		  "/nonexistent/x: No such file or directory\n" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void test_connection_in_file(void **state)
{
	write_file(*state, "  postgres://h/d \n\n");
	struct config *config = parse_with(*state,
					   "databroker_storage_connection_string_file: %s\n"
					   "databroker_storage_connection_string: other\n"
					   "databroker_storage_type: postgres\n",
					   "");

	assert_str(config->storage.connection, "postgres://h/d");
	config_free(config);

	write_file(*state, "hunter2");
	assert_null(
		parse_with(*state,
			   "databroker_storage_connection_string_file: %s\n"
			   "databroker_storage_type: postgres\n",
			   "E c.yaml:1:44: databroker_storage_connection_string_file: is neither "
			   "postgres://user@host/database nor a list of key=value\n"));
}

static void test_nul_in_file(void **state)
{
	struct err e;

	assert_int_equal(file_replace(*state, STR("host=a\0b"), 0600, &e), 0);
	assert_null(parse_with(*state,
			       "databroker_storage_connection_string_file: %s\n"
			       "databroker_storage_type: postgres\n",
			       "E c.yaml:1:44: databroker_storage_connection_string_file: must not "
			       "contain a NUL byte\n"));
}

static void test_client_secret_in_file(void **state)
{
	const char *text = "idp_client_secret_file: %s\nidp_client_secret: inline\n"
			   "idp_provider: google\nidp_client_id: gate\n"
			   "authenticate_service_url: https://login.test\n";

	write_file(*state, " a secret \r\n\n");
	struct config *config = parse_with(*state, text, "");
	assert_str(config->idp.client_secret, " a secret ");
	config_free(config);

	write_file(*state, "\n");
	assert_null(parse_with(*state, text,
			       "E c.yaml:1:25: idp_client_secret_file: the file is empty\n"));
}

static void test_signing_key(void **state)
{
	static const char *const texts[] = { PEM "\n\n", PEM_BASE64, PEM_BASE64 "\n" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		write_file(*state, texts[i]);
		struct config *config = parse_with(*state, "signing_key_file: %s\nsigning_key: x\n",
						   "");
		assert_memory_equal(config->assertion.signing_key_pem.at, PEM, strlen(PEM));
		config_free(config);
	}
	write_file(*state, "hunter2");
	assert_null(parse_with(*state, "signing_key_file: %s\n",
			       "E c.yaml:1:19: signing_key_file: is not standard base64 of PEM "
			       "text\n"));
	assert_report("signing_key: aHVudGVyMg==\n",
		      "E c.yaml:1:14: signing_key: is neither PEM nor base64 of it\n");
	assert_report("signing_key: hunter2*\n",
		      "E c.yaml:1:14: signing_key: is not standard base64 of PEM text\n");

	struct config *config = parse_good("signing_key: |\n  -----BEGIN PRIVATE KEY-----\n  AAAA\n"
					   "  -----END PRIVATE KEY-----\n");
	assert_str(config->assertion.signing_key_pem, PEM);
	config_free(config);
}

static void test_authority(void **state)
{
	write_file(*state, "-----BEGIN CERTIFICATE-----\n");
	struct config *config = parse_with(*state, "certificate_authority_file: %s\n", "");

	assert_str(config->tls.authority_pem, "-----BEGIN CERTIFICATE-----\n");
	config_free(config);

	/* the inline one wins */
	config = parse_with(*state, "certificate_authority_file: %s\ncertificate_authority: Q0E=\n",
			    "");
	assert_str(config->tls.authority_pem, "CA");
	config_free(config);

	write_file(*state, "");
	assert_null(parse_with(*state, "certificate_authority_file: %s\n",
			       "E c.yaml:1:29: certificate_authority_file: the file is empty\n"));
	assert_report("certificate_authority: '*'\n",
		      "E c.yaml:1:24: certificate_authority: is not standard base64 of PEM text\n");
}

static void test_claims(void **state)
{
	static const char *const lists[] = {
		"jwt_claims_headers: [email, Family_Name]\n",
		"jwt_claims_headers: ' email,, Family_Name '\n",
		"jwt_claims_headers: email Family_Name\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct config *config = parse_good(lists[i]);
		const struct config_pairs *headers = &config->assertion.headers;

		assert_int_equal(headers->count, 2);
		assert_str(headers->items[0].name, "x-pomerium-claim-email");
		assert_str(headers->items[0].value, "email");
		assert_str(headers->items[1].name, "x-pomerium-claim-family_name");
		assert_str(headers->items[1].value, "Family_Name");
		config_free(config);
	}
	struct config *config = parse_good("jwt_claims_headers:\n  X-Email: email\n"
					   "jwt_claims_headers.x-groups: Groups\n"
					   "jwt_issuer_format: URI\n"
					   "runtime_flags.pomerium_jwt_endpoint: true\n");
	assert_int_equal(config->assertion.headers.count, 2);
	assert_str(config->assertion.headers.items[0].name, "x-email");
	assert_str(config->assertion.headers.items[1].name, "x-groups");
	assert_str(config->assertion.headers.items[1].value, "Groups");
	assert_true(config->assertion.issuer_is_uri && config->assertion.has_endpoint);
	config_free(config);
}

static void test_bad_claims(void **state)
{
	static const struct bad_case cases[] = {
		{ "jwt_claims_headers: {x y: email}\n",
		  "E c.yaml:1:22: jwt_claims_headers: \"x y\" is not a header name\n" },
		{ "jwt_claims_headers: ['https://a/groups']\n",
		  "E c.yaml:1:22: jwt_claims_headers: \"x-pomerium-claim-https://a/groups\" is not "
		  "a header name\n" },
		{ "jwt_claims_headers: {x: ''}\n",
		  "E c.yaml:1:22: jwt_claims_headers: \"x\" needs the name of a claim\n" },
		{ "jwt_claims_headers: [a, {b: c}]\n",
		  "E c.yaml:1:25: jwt_claims_headers[1]: must be a text, not a mapping\n" },
		{ "jwt_claims_headers: {x: {b: c}}\n",
		  "E c.yaml:1:25: jwt_claims_headers.x: must be a text, not a mapping\n" },
		{ "jwt_issuer_format: url\n",
		  "E c.yaml:1:20: jwt_issuer_format: \"url\" is not one of hostonly, uri\n" },
		{ "runtime_flags.pomerium_jwt_endpoint: sure\n",
		  "E c.yaml:1:38: runtime_flags.pomerium_jwt_endpoint: \"sure\" is not true or "
		  "false\n" },
	};
	struct buf text = BUF_INIT(10000);

	check_cases(cases, ARRAY_LEN(cases));
	(void)buf_append_str(&text, STR("jwt_claims_headers: '"));
	for (int i = 0; i <= CONFIG_CLAIMS_MAX; i++)
		(void)buf_printf(&text, "c%d ", i);
	(void)buf_append(&text, "'\n", 3);
	assert_report((const char *)text.data,
		      "E c.yaml:1:21: jwt_claims_headers: has more than 64 claims\n");
	buf_done(&text);
}

static void test_operator(void **state)
{
	static const struct bad_case cases[] = {
		{ "health_check_addr: 127.0.0.1\n",
		  "E c.yaml:1:20: health_check_addr: \"127.0.0.1\" is not a listening address "
		  "(host:port or :port)\n" },
		{ "health_check_addr: :0\n", "E c.yaml:1:20: health_check_addr: the port must not "
					     "be 0\n" },
		{ "health_check_addr: :99999\n",
		  "E c.yaml:1:20: health_check_addr: the port of \":99999\" is not a number up to "
		  "65535\n" },
		{ "admin_socket: [a]\n", "E c.yaml:1:15: admin_socket: must be a text, not a "
					 "list\n" },
	};
	struct config *config = parse_good(
		"health_check_addr: ':9000'\nadmin_socket: /run/x.sock\n");
	char text[200];

	assert_true(config->operator.has_health_address);
	assert_int_equal(addr_port(&config->operator.health_address), 9000);
	assert_str(config->operator.admin_socket, "/run/x.sock");
	config_free(config);
	check_cases(cases, ARRAY_LEN(cases));

	(void)snprintf(text, sizeof(text), "admin_socket: /%0107d\n", 0);
	assert_report(text, "E c.yaml:1:15: admin_socket: is longer than 107 bytes\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_storage),
		cmocka_unit_test(test_bad_storage),
		cmocka_unit_test_setup_teardown(test_connection_in_file, file_setup, file_teardown),
		cmocka_unit_test_setup_teardown(test_nul_in_file, file_setup, file_teardown),
		cmocka_unit_test_setup_teardown(test_client_secret_in_file, file_setup,
						file_teardown),
		cmocka_unit_test_setup_teardown(test_signing_key, file_setup, file_teardown),
		cmocka_unit_test_setup_teardown(test_authority, file_setup, file_teardown),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_bad_claims),
		cmocka_unit_test(test_operator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
