/*
 * What a gateway says about logins without a browser, good and bad.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/credentials.h"
#include "cli/device_login.h"

#define HERE "https://gw.example:8443"

static void test_offer(void **state)
{
	struct device_login_offer offer;

	assert_int_equal(device_login_read_offer(
				 STR("{\"issuer\":\"x\",\"device_authorization_endpoint\":\"" HERE
				     "/a/b\",\"token_endpoint\":\"https://elsewhere.example/t\"}"),
				 &offer),
			 0);
	assert_string_equal(offer.authorization_path, "/a/b");
	assert_string_equal(offer.token_path, "/t"); /* nobody else is asked */
}

static void test_no_offer(void **state)
{
	static const char *const cases[] = {
		"",
		"{}",
		"[]",
		"<html>",
		"{\"issuer\":\"" HERE "/\"}",
		"{\"device_authorization_endpoint\":\"" HERE "/a\"}",
		"{\"token_endpoint\":\"" HERE "/a\"}",
		"{\"device_authorization_endpoint\":1,\"token_endpoint\":\"" HERE "/a\"}",
		"{\"device_authorization_endpoint\":\"/a\",\"token_endpoint\":\"" HERE "/a\"}",
		"{\"device_authorization_endpoint\":\"" HERE "\",\"token_endpoint\":\"" HERE
		"/a\"}",
		"{\"device_authorization_endpoint\":\"" HERE "/a b\",\"token_endpoint\":\"" HERE
		"/a\"}",
		"{\"device_authorization_endpoint\":\"" HERE
		"/a\\r\\nX: y\",\"token_endpoint\":\"" HERE "/a\"}",
	};
	struct device_login_offer offer;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (device_login_read_offer(str_from(cases[i]), &offer) == 0)
			fail_msg("%s", cases[i]);
}

#define CODES(device, user, uri, rest)                                                             \
	"{\"device_code\":\"" device "\",\"user_code\":\"" user "\",\"verification_uri\":\"" uri   \
	"\"" rest "}"

static void test_codes(void **state)
{
	struct device_login_codes codes;
	struct err e;

	assert_int_equal(device_login_read_codes(
				 STR(CODES("d", "BCDF-GHJK", HERE "/device",
					   ",\"verification_uri_complete\":\"" HERE
					   "/device?user_code=BCDF-GHJK\",\"expires_in\":600,"
					   "\"interval\":2")),
				 &codes, &e),
			 0);
	assert_string_equal(codes.device_code, "d");
	assert_string_equal(codes.user_code, "BCDF-GHJK");
	assert_string_equal(codes.address, HERE "/device");
	assert_string_equal(codes.complete_address, HERE "/device?user_code=BCDF-GHJK");
	assert_int_equal(codes.expires_s, 600);
	assert_int_equal(codes.interval_s, 2);
}

static void test_codes_with_less(void **state)
{
	static const struct {
		const char *json;
		unsigned expires_s;
		unsigned interval_s;
	} cases[] = {
		{ CODES("d", "u", HERE "/d", ""), DEVICE_LOGIN_S_MAX, 5 },
		{ CODES("d", "u", HERE "/d", ",\"expires_in\":0,\"interval\":0"),
		  DEVICE_LOGIN_S_MAX, 5 },
		{ CODES("d", "u", HERE "/d", ",\"expires_in\":-1,\"interval\":-1"),
		  DEVICE_LOGIN_S_MAX, 5 },
		{ CODES("d", "u", HERE "/d", ",\"expires_in\":1e300,\"interval\":1e300"),
		  DEVICE_LOGIN_S_MAX, DEVICE_LOGIN_INTERVAL_MAX },
		{ CODES("d", "u", HERE "/d", ",\"expires_in\":\"9\",\"interval\":null"),
		  DEVICE_LOGIN_S_MAX, 5 },
		{ CODES("d", "u", HERE "/d", ",\"expires_in\":30.9,\"interval\":1"), 30, 1 },
	};
	struct device_login_codes codes;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(device_login_read_codes(str_from(cases[i].json), &codes, &e), 0);
		assert_string_equal(codes.complete_address, HERE "/d");
		assert_int_equal(codes.expires_s, cases[i].expires_s);
		assert_int_equal(codes.interval_s, cases[i].interval_s);
	}
}

static void test_bad_codes(void **state)
{
	static const char *const cases[] = {
		"",
		"{}",
		"null",
		CODES("", "u", HERE "/d", ""),
		CODES("d", "", HERE "/d", ""),
		CODES("d", "u", "", ""),
		CODES("d", "u", "file:///etc/passwd", ""),
		CODES("d", "u", "javascript:alert(1)", ""),
		CODES("d", "\\u001b[2J", HERE "/d", ""),
		CODES("d", "u", HERE "/\\u001b[2J", ""),
		CODES("d", "u", "-" HERE "/d", ""),
		CODES("d", "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu", HERE "/d", ""),
		"{\"device_code\":{},\"user_code\":\"u\",\"verification_uri\":\"" HERE "\"}",
	};
	struct device_login_codes codes;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (device_login_read_codes(str_from(cases[i]), &codes, &e) == 0)
			fail_msg("%s", cases[i]);
}

static void test_answers(void **state)
{
	static const struct {
		int status;
		const char *json;
		enum device_login_answer answer;
		const char *words; /* of the token, or of the sentence */
	} cases[] = {
		{ 200, "{\"access_token\":\"a.b-c\",\"token_type\":\"Pomerium\"}",
		  DEVICE_ANSWER_TOKEN, "a.b-c" },
		{ 200, "{}", DEVICE_ANSWER_FINAL, "token" },
		{ 200, "{\"access_token\":\"a b\"}", DEVICE_ANSWER_FINAL, "token" },
		{ 200, "{\"access_token\":\"\"}", DEVICE_ANSWER_FINAL, "token" },
		{ 200, "{\"access_token\":7}", DEVICE_ANSWER_FINAL, "token" },
		{ 200, "<html>", DEVICE_ANSWER_FINAL, "token" },
		{ 400, "{\"error\":\"authorization_pending\"}", DEVICE_ANSWER_PENDING, "" },
		{ 400, "{\"error\":\"slow_down\"}", DEVICE_ANSWER_SLOW_DOWN, "" },
		{ 429, "{\"error\":\"slow_down\"}", DEVICE_ANSWER_SLOW_DOWN, "" },
		{ 400, "{\"error\":\"access_denied\"}", DEVICE_ANSWER_FINAL, "refused" },
		{ 400, "{\"error\":\"expired_token\"}", DEVICE_ANSWER_FINAL, "try again" },
		{ 400, "{\"error\":\"invalid_grant\"}", DEVICE_ANSWER_FINAL, "400" },
		{ 400, "", DEVICE_ANSWER_FINAL, "400" },
		{ 302, "", DEVICE_ANSWER_FINAL, "302" },
		{ 404, "{\"access_token\":\"a\"}", DEVICE_ANSWER_FINAL, "404" },
		{ 503, "{\"error\":\"access_denied\"}", DEVICE_ANSWER_AGAIN, "" },
		{ 502, "<html>", DEVICE_ANSWER_AGAIN, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf token = BUF_INIT(TOKEN_MAX);
		struct err e = { 0 };

		assert_int_equal(device_login_read_answer(cases[i].status, str_from(cases[i].json),
							  &token, &e),
				 cases[i].answer);
		if (cases[i].answer == DEVICE_ANSWER_TOKEN)
			assert_true(str_equal(buf_view(&token), str_from(cases[i].words)));
		else
			assert_non_null(strstr(e.text, cases[i].words));
		buf_done(&token);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offer),     cmocka_unit_test(test_no_offer),
		cmocka_unit_test(test_codes),     cmocka_unit_test(test_codes_with_less),
		cmocka_unit_test(test_bad_codes), cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
