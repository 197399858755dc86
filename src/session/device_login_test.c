#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "session/device_login.h"

static void test_facts_are_kept(void **state)
{
	struct device_login facts = {
		.hash = "h",
		.user_code = "BCDFGHJK",
		.state = DEVICE_APPROVED,
		.session_id = "s",
		.client_name = STR("Alice's laptop \xc3\xa9"),
		.client_address = STR("192.0.2.1"),
		.authority = STR("redis.example.com:6379"),
		.created_unix = 1000,
		.expires_unix = 1600,
		.record_version = 7,
	};
	struct device_login *login = device_login_new(&facts);

	assert_ptr_equal(device_login_ref(login), login);
	device_login_unref(login);
	assert_string_equal(login->user_code, "BCDFGHJK");
	assert_int_equal(login->state, DEVICE_APPROVED);
	assert_true(str_equal(login->client_name, facts.client_name));
	assert_ptr_not_equal(login->client_name.at, facts.client_name.at);
	assert_true(str_equal(login->client_address, STR("192.0.2.1")));
	assert_true(str_equal(login->authority, STR("redis.example.com:6379")));
	assert_int_equal(login->record_version, 7);
	device_login_unref(login);
	device_login_unref(NULL);
}

static void test_names_are_made_presentable(void **state)
{
	static const struct {
		struct str given;
		const char *shown;
	} cases[] = {
		{ { "", 0 }, "" },
		{ { "plain name", 10 }, "plain name" },
		{ { "a\0b", 3 }, "a?b" },
		{ { "a\r\nb\tc\x7f", 7 }, "a??b?c?" },
		{ { "\xff\xc3", 2 }, "??" },
		{ { "\xc2\x85", 2 }, "?" },         /* next line */
		{ { "x\xe2\x80\xaey", 5 }, "x?y" }, /* right-to-left override */
		{ { "x\xe2\x81\xa6y", 5 }, "x?y" }, /* isolate */
		{ { "x\xe2\x80\x8by", 5 }, "x?y" }, /* zero width */
		{ { "<b>&\"'", 6 }, "<b>&\"'" },    /* whoever writes the page escapes */
		{ { "\xd7\xa9\xd7\x9c", 4 }, "\xd7\xa9\xd7\x9c" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct device_login *login = device_login_new(
			&(struct device_login){ .client_name = cases[i].given });

		assert_true(str_equal(login->client_name, str_from(cases[i].shown)));
		device_login_unref(login);
	}
}

static void test_long_names_are_cut(void **state)
{
	char name[2 * DEVICE_NAME_MAX];
	struct device_login *login;

	/* Three bytes each, which 128 is no multiple of: no half character is left. */
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = "\xe2\x82\xac"[i % 3];
	login = device_login_new(
		&(struct device_login){ .client_name = str_of(name, sizeof(name)) });
	assert_int_equal(login->client_name.len, DEVICE_NAME_MAX / 3 * 3);
	assert_true(str_equal(login->client_name, str_of(name, DEVICE_NAME_MAX / 3 * 3)));
	device_login_unref(login);
}

static void test_user_codes(void **state)
{
	unsigned seen[256] = { 0 };
	char before[DEVICE_USER_CODE_LEN + 1] = "";

	for (int i = 0; i < 1000; i++) {
		char code[DEVICE_USER_CODE_LEN + 1];
		char read[DEVICE_USER_CODE_LEN + 1];

		device_user_code_new(code);
		assert_int_equal(strlen(code), DEVICE_USER_CODE_LEN);
		assert_string_not_equal(code, before);
		assert_true(device_user_code_read(str_from(code), read));
		assert_string_equal(read, code);
		for (size_t j = 0; code[j]; j++)
			seen[(unsigned char)code[j]]++;
		memcpy(before, code, sizeof(before));
	}
	/* 8000 letters of 20: each about 400 times. */
	for (size_t i = 0; i < sizeof("BCDFGHJKLMNPQRSTVWXZ") - 1; i++)
		assert_in_range(seen[(unsigned char)"BCDFGHJKLMNPQRSTVWXZ"[i]], 250, 600);
	assert_int_equal(seen['A'] + seen['Y'] + seen['O'] + seen['1'], 0);
}

static void test_typed_codes(void **state)
{
	static const struct {
		struct str typed;
		const char *code; /* NULL: cannot be one */
	} cases[] = {
		{ { "BCDFGHJK", 8 }, "BCDFGHJK" },
		{ { "bcdf-ghjk", 9 }, "BCDFGHJK" },
		{ { " bcdf  GHJK ", 12 }, "BCDFGHJK" },
		{ { "B-C-D-F-G-H-J-K", 15 }, "BCDFGHJK" },
		{ { "", 0 }, NULL },
		{ { "BCDFGHJ", 7 }, NULL },
		{ { "BCDFGHJKL", 9 }, NULL },
		{ { "BCDFGHJA", 8 }, NULL },
		{ { "BCDFGHJ1", 8 }, NULL },
		{ { "BCDF\0GHJK", 9 }, NULL },
		{ { "BCDF\nGHJK", 9 }, NULL },
		{ { "BCDFGHJ\xc3\xa9", 9 }, NULL },
		{ { "----", 4 }, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char code[DEVICE_USER_CODE_LEN + 1] = "before";

		assert_int_equal(device_user_code_read(cases[i].typed, code),
				 cases[i].code != NULL);
		assert_string_equal(code, cases[i].code ? cases[i].code : "before");
	}
}

static void test_device_codes(void **state)
{
	struct buf first = BUF_INIT(128);
	struct buf second = BUF_INIT(128);
	char hash[DEVICE_HASH_LEN + 1];

	device_code_new(&first);
	device_code_new(&second);
	assert_int_equal(first.len, 43); /* 32 bytes in base64url */
	assert_false(str_equal(buf_view(&first), buf_view(&second)));
	device_code_hash(STR("abc"), hash);
	assert_string_equal(hash,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	buf_done(&first);
	buf_done(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts_are_kept),
		cmocka_unit_test(test_names_are_made_presentable),
		cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_user_codes),
		cmocka_unit_test(test_typed_codes),
		cmocka_unit_test(test_device_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
