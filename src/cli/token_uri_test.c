#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "cli/token_uri.h"

static const struct {
	const char *text;
	const char *object;
	const char *module_path;
	const char *pin;
	const char *pin_path;
} good[] = {
	{ .text = "pkcs11:token=laptop", .object = "pkcs11:token=laptop" },
	{ .text = "PKCS11:token=a%20b;object=c;type=cert;id=%01%00",
	  .object = "PKCS11:token=a%20b;object=c;type=cert;id=%01%00" },
	{ .text = "pkcs11:object=k?pin-value=1%26+2", .object = "pkcs11:object=k", .pin = "1&+2" },
	{ .text = "pkcs11:object=k?pin-source=/etc/p%20q&module-path=/lib/m.so",
	  .object = "pkcs11:object=k",
	  .pin_path = "/etc/p q",
	  .module_path = "/lib/m.so" },
	{ .text = "pkcs11:object=k?pin-source=file:/etc/pin",
	  .object = "pkcs11:object=k",
	  .pin_path = "/etc/pin" },
	{ .text = "pkcs11:object=k?pin-source=file%3A%2F%2F%2Fetc/pin",
	  .object = "pkcs11:object=k",
	  .pin_path = "/etc/pin" },
};

static const char *const bad[] = {
	"pkcs11:",
	"pkcs11:?pin-value=sesame",
	"pkcs11:token",
	"pkcs11:token=",
	"pkcs11:=sesame",
	"pkcs11:token=a;token=sesame",
	"pkcs11:token=a;",
	"pkcs11:token=a;quark=sesame",
	"pkcs11:token=a?",
	"pkcs11:token=a?pin-value",
	"pkcs11:token=a?pin-value=",
	"pkcs11:token=a?pin-value=sesame&pin-value=sesame",
	"pkcs11:token=a?pin-value=sesame&pin-source=/a",
	"pkcs11:token=a?pin-value=sesame%2",
	"pkcs11:token=a?pin-value=sesame%00",
	"pkcs11:token=a?module-name=sesame",
	"pkcs11:token=a?pin-source=sesame",
	"pkcs11:token=a?pin-source=file:sesame",
	"pkcs11:token=a?pin-source=file://sesame/pin",
	"pkcs11:token=a?pin-source=|sesame",
};

static void assert_same(const char *got, const char *wanted)
{
	if (wanted)
		assert_string_equal(got, wanted);
	else
		assert_null(got);
}

static void test_good(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct token_uri uri;
		struct err e;

		assert_true(token_uri_is(good[i].text));
		assert_int_equal(token_uri_parse(str_from(good[i].text), &uri, &e), 0);
		assert_same(uri.object, good[i].object);
		assert_same(uri.module_path, good[i].module_path);
		assert_same(uri.pin, good[i].pin);
		assert_same(uri.pin_path, good[i].pin_path);
		token_uri_done(&uri);
	}
}

/* And the message does not show what may be a PIN. */
static void test_bad(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct token_uri uri;
		struct err e = { 0 };

		assert_int_equal(token_uri_parse(str_from(bad[i]), &uri, &e), -1);
		assert_non_null(strstr(e.text, "pkcs11:"));
		assert_null(strstr(e.text, "sesame"));
	}
}

static void test_length(void **state)
{
	char text[TOKEN_URI_MAX + 2];
	struct token_uri uri;
	struct err e;

	memset(text, 'a', sizeof(text));
	memcpy(text, "pkcs11:token=", strlen("pkcs11:token="));
	assert_int_equal(token_uri_parse(str_of(text, TOKEN_URI_MAX + 1), &uri, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(token_uri_parse(str_of(text, TOKEN_URI_MAX), &uri, &e), 0);
	token_uri_done(&uri);
}

static void test_files_are_none(void **state)
{
	assert_false(token_uri_is(NULL));
	assert_false(token_uri_is(""));
	assert_false(token_uri_is("pkcs11"));
	assert_false(token_uri_is("/etc/pkcs11:token=a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_files_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
