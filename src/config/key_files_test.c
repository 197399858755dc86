/*
 * key_files_test.c - secrets, keys and certificates that cannot be used: what is said, and where
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"

struct bad_case {
	const char *text;
	const char *report;
};

static void check_cases(const struct bad_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_report(cases[i].text, cases[i].report);
}

static void test_secrets(void **state)
{
	static const struct bad_case cases[] = {
		{ "shared_secret: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
		  "E c.yaml:1:16: shared_secret: is not standard base64 (without blanks)\n" },
		{ "shared_secret: ' AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='\n",
		  "E c.yaml:1:16: shared_secret: is not standard base64 (without blanks)\n" },
		{ "shared_secret: |\n  AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
		  "E c.yaml:2:1: shared_secret: is not standard base64 (without blanks)\n" },
		{ "cookie_secret: c2hvcnQ=\n",
		  "E c.yaml:1:16: cookie_secret: must be the base64 of "
		  "32 bytes, not of 5\n" },
		{ "cookie_secret_file: /nonexistent/secret\n",
		  "E c.yaml:1:21: cookie_secret_file: cannot open /nonexistent/secret: No such "
		  "file or directory\n" },
		{ "shared_secret: c2hvcnQ=\n",
		  "E c.yaml:1:16: shared_secret: must be the base64 of 32 bytes, not of 5\n" },
		{ "shared_secret_file: /nonexistent/secret\n",
		  "E c.yaml:1:21: shared_secret_file: cannot open /nonexistent/secret: No such file or directory\n" },
		{ "shared_secret_file: [a]\n",
		  "E c.yaml:1:21: shared_secret_file: must be a text, not a list\n" },
		{ "cookie_secret: no base64!\n",
		  "E c.yaml:1:16: cookie_secret: is not standard base64 (without blanks)\n" },
		{ "signing_key_file: /nonexistent/k\n",
		  "E c.yaml:1:19: signing_key_file: cannot open /nonexistent/k: No such file or directory\n" },
		{ "idp_client_secret_file: /nonexistent/k\n"
		  "idp_provider: google\n"
		  "idp_client_id: a\n"
		  "authenticate_service_url: https://a.test\n",
		  "E c.yaml:1:25: idp_client_secret_file: cannot open /nonexistent/k: No such file or directory\n" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void test_certificates(void **state)
{
	static const struct bad_case cases[] = {
		{ "certificate_file: /nonexistent/a\n",
		  "E c.yaml:1:19: certificate_file needs certificate_key_file too\n" },
		{ "certificate_key: QQ==\n",
		  "E c.yaml:1:18: certificate_key needs certificate too\n" },
		{ "certificate: '*'\ncertificate_key: QQ==\n",
		  "E c.yaml:1:14: certificate: is not standard base64 of PEM text\n" },
		{ "certificates:\n  - cert: /nonexistent/a\n    key: /nonexistent/b\n  - cert: c\n  "
		  "- {}\n",
		  "E c.yaml:2:11: certificates[0].cert: cannot open /nonexistent/a: No such file or "
		  "directory\n"
		  "E c.yaml:3:10: certificates[0].key: cannot open /nonexistent/b: No such file or "
		  "directory\n"
		  "E c.yaml:4:11: certificates[1].cert needs key too\n"
		  "E c.yaml:5:5: certificates[2] needs cert and key\n" },
		{ "certificates: {cert: a, key: b}\n",
		  "E c.yaml:1:15: certificates: must be a list\n" },
		{ "certificate_key_file: /nonexistent/a\n",
		  "E c.yaml:1:23: certificate_key_file needs certificate_file too\n" },
		{ "certificate: QQ==\n", "E c.yaml:1:14: certificate needs certificate_key too\n" },
		{ "certificates: [{key: b}, x]\n",
		  "E c.yaml:1:26: certificates[1]: must be a mapping (key: value)\n"
		  "E c.yaml:1:22: certificates[0].key needs cert too\n"
		  "E c.yaml:1:26: certificates[1] needs cert and key\n" },
		{ "certificate_authority_file: /nonexistent/k\n",
		  "E c.yaml:1:29: certificate_authority_file: cannot open /nonexistent/k: No such file or directory\n" },
		{ "certificate_file: /nonexistent/a\n"
		  "certificate_key_file: /nonexistent/b\n",
		  "E c.yaml:1:19: certificate_file: cannot open /nonexistent/a: No such file or directory\n"
		  "E c.yaml:2:23: certificate_key_file: cannot open /nonexistent/b: No such file or directory\n" },
		{ "certificate: QQ==\n"
		  "certificate_key: '*'\n",
		  "E c.yaml:2:18: certificate_key: is not standard base64 of PEM text\n" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
