#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "identity/local_users.h"

static void assert_text(struct str is, const char *should)
{
	assert_int_equal(is.len, strlen(should));
	assert_memory_equal(is.at, should, is.len);
}

static void test_email(void **state)
{
	static const struct {
		struct str email;
		bool is_valid;
	} cases[] = {
		{ STR("a@b"), true },
		{ STR("ann.o'neil+tag@example.com"), true },
		{ STR("\xc3\xa4@example.com"), true },
		{ STR(""), false },
		{ STR("@"), false },
		{ STR("a@"), false },
		{ STR("@b"), false },
		{ STR("ab"), false },
		{ STR("a@b@c"), false },
		{ STR("a@evil.com@example.com"), false },
		{ STR("\"a@evil.com\"@example.com"), false },
		{ STR("a@@b"), false },
		{ STR("a b@c"), false },
		{ STR(" a@b"), false },
		{ STR("a@b "), false },
		{ STR("a@b\n"), false },
		{ STR("a@b\r\nBcc: c@d"), false },
		{ STR("a\t@b"), false },
		{ STR("a@b\0"), false },
		{ STR("a\0@b"), false },
		{ STR("a@b\x7f"), false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (email_is_valid(cases[i].email) != cases[i].is_valid)
			fail_msg("e-mail %s", cases[i].email.at);
	}
	assert_false(email_is_valid((struct str){ 0 }));
}

static void test_email_length(void **state)
{
	char text[255];

	memset(text, 'a', sizeof(text));
	text[1] = '@';
	assert_true(email_is_valid(str_of(text, 254)));
	assert_false(email_is_valid(str_of(text, 255)));
}

/* The value was computed with another implementation of RFC 9562. */
static void test_default_id(void **state)
{
	char id[37];
	char same[37];

	local_user_default_id(STR("ann@example.com"), id);
	assert_string_equal(id, "20aad8fb-fe28-5ca5-bbde-a5143cb4bcc9");
	local_user_default_id(STR("Ann@EXAMPLE.com"), same);
	assert_string_equal(id, same);
	local_user_default_id(STR("bob@example.com"), same);
	assert_string_not_equal(id, same);
}

static void test_find(void **state)
{
	static const struct str groups[] = { STR("ops"), STR("dev") };
	char text[] = "Ann@Example.com";
	struct local_user list[] = {
		{ .email = str_from(text), .name = STR("Ann"), .groups = groups, .group_count = 2 },
		{ .email = STR("bob@example.com"),
		  .id = STR("bob"),
		  .password_hash = STR("$y$"),
		  .is_disabled = true },
	};
	struct local_users *users = NULL;
	const struct local_user *user;
	size_t bad;
	struct err e;

	assert_int_equal(local_users_new(list, ARRAY_LEN(list), &users, &bad, &e), 0);
	mem_wipe(text, sizeof(text));
	user = local_users_find(users, STR("aNN@exAMPLE.com"));
	assert_non_null(user);
	assert_text(user->email, "Ann@Example.com");
	assert_text(user->name, "Ann");
	assert_text(user->id, "20aad8fb-fe28-5ca5-bbde-a5143cb4bcc9");
	assert_int_equal(user->group_count, 2);
	assert_text(user->groups[1], "dev");
	assert_false(user->is_disabled);
	user = local_users_find(users, STR("bob@example.com"));
	assert_non_null(user);
	assert_text(user->id, "bob");
	assert_true(user->is_disabled);
	assert_null(local_users_find(users, STR("carl@example.com")));
	assert_null(local_users_find(users, STR("bob@example.co")));
	assert_null(local_users_find(users, STR("")));
	assert_null(local_users_find(users, (struct str){ 0 }));
	assert_ptr_equal(local_users_ref(users), users);
	local_users_unref(users);
	assert_non_null(local_users_find(users, STR("bob@example.com")));
	local_users_unref(users);
	local_users_unref(NULL);
}

static void test_nobody_at_all(void **state)
{
	struct local_users *users = NULL;
	size_t bad;
	struct err e;

	assert_int_equal(local_users_new(NULL, 0, &users, &bad, &e), 0);
	assert_null(local_users_find(users, STR("a@b")));
	local_users_unref(users);
}

#define BCRYPT   "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
#define YESCRYPT "$y$j9T$tWfnUs1rZQY0A39pzZNZE/$xDzqKVYkfWB/poGTfRA/W8izRII3wVWPco2kWghEuU9"

/* Nobody, and who has no hash that can be checked, cost what some user costs; and never get in with his password. */
static void test_hash_to_check(void **state)
{
	static const struct local_user list[] = {
		{ .email = STR("a@b"), .password_hash = STR(BCRYPT) },
		{ .email = STR("c@d"), .password_hash = STR(YESCRYPT) },
		{ .email = STR("none@b") },
		{ .email = STR("broken@b"), .password_hash = STR("$6$salt$hash") },
	};
	static const struct str others[] = { STR("none@b"), STR("broken@b"), STR("nobody@b"),
					     STR(""), STR("nobody") };
	struct local_users *users;
	size_t bad;
	bool is_own;
	size_t bcrypt_count = 0;

	assert_int_equal(local_users_new(list, ARRAY_LEN(list), &users, &bad, NULL), 0);
	assert_text(local_users_hash_to_check(users, STR("A@B"), &is_own), BCRYPT);
	assert_true(is_own);
	assert_text(local_users_hash_to_check(users, STR("c@d"), &is_own), YESCRYPT);
	assert_true(is_own);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct str hash = local_users_hash_to_check(users, others[i], &is_own);

		assert_false(is_own);
		assert_true(str_equal(hash, STR(BCRYPT)) || str_equal(hash, STR(YESCRYPT)));
		assert_ptr_equal(local_users_hash_to_check(users, others[i], &is_own).at, hash.at);
	}
	for (int i = 0; i < 256; i++) {
		char email[32];

		(void)snprintf(email, sizeof(email), "user%d@example.com", i);
		bcrypt_count += str_equal(
			local_users_hash_to_check(users, str_from(email), &is_own), STR(BCRYPT));
	}
	assert_in_range(bcrypt_count, 32, 224);
	local_users_unref(users);
}

static void test_hash_to_check_without_users(void **state)
{
	struct local_users *users;
	size_t bad;
	bool is_own = true;

	assert_int_equal(local_users_new(NULL, 0, &users, &bad, NULL), 0);
	assert_text(local_users_hash_to_check(users, STR("a@b"), &is_own), YESCRYPT);
	assert_false(is_own);
	local_users_unref(users);
}

static void test_refused_lists(void **state)
{
	static const struct str groups[IDENTITY_GROUPS_MAX + 1];
	static const struct local_user lists[][3] = {
		{ { .email = STR("a@b") }, { .email = STR("b@b") }, { .email = STR("a@b@c") } },
		{ { .email = STR("a@b") }, { .email = STR("b@b") }, { .email = STR("") } },
		{ { .email = STR("a@b") }, { .email = STR("b@b") }, { .email = STR("A@B") } },
		{ { .email = STR("a@b"), .id = STR("1") },
		  { .email = STR("b@b") },
		  { .email = STR("c@b"), .id = STR("1") } },
		{ { .email = STR("ann@example.com") },
		  { .email = STR("b@b") },
		  { .email = STR("c@b"), .id = STR("20aad8fb-fe28-5ca5-bbde-a5143cb4bcc9") } },
		{ { .email = STR("a@b"), .id = STR("20aad8fb-fe28-5ca5-bbde-a5143cb4bcc9") },
		  { .email = STR("b@b") },
		  { .email = STR("ann@example.com") } },
		{ { .email = STR("a@b") },
		  { .email = STR("b@b") },
		  { .email = STR("c@b"), .groups = groups, .group_count = ARRAY_LEN(groups) } },
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct local_users *users = NULL;
		size_t bad = 99;
		struct err e;

		assert_int_equal(local_users_new(lists[i], 3, &users, &bad, &e), -1);
		assert_int_equal(e.kind, ERR_CONFIG);
		assert_int_equal(bad, 2);
		assert_null(users);
	}
}

static void test_credential_tag(void **state)
{
	struct local_user user = { .email = STR("a@b"), .password_hash = STR("$y$one") };
	uint8_t before[32];
	uint8_t after[32];

	local_user_credential_tag(&user, before);
	user.name = STR("another name");
	local_user_credential_tag(&user, after);
	assert_memory_equal(before, after, sizeof(before));
	user.password_hash = STR("$y$two");
	local_user_credential_tag(&user, after);
	assert_memory_not_equal(before, after, sizeof(before));
}

static void test_identity(void **state)
{
	static const struct str groups[] = { STR("ops") };
	struct local_user user = { .email = STR("a@b"),
				   .name = STR("Ann"),
				   .id = STR("1"),
				   .groups = groups,
				   .group_count = 1 };
	struct identity *identity = local_user_identity(&user);

	assert_text(identity->user_id, "1");
	assert_text(identity->email, "a@b");
	assert_text(identity->name, "Ann");
	assert_int_equal(identity->group_count, 1);
	assert_text(identity->groups[0], "ops");
	assert_int_equal(identity->claims.count, 5);
	assert_text(claims_text(&identity->claims, STR("sub")), "1");
	assert_text(claims_text(&identity->claims, STR("email")), "a@b");
	assert_text(claims_text(&identity->claims, STR("email_verified")), "true");
	assert_text(claims_text(&identity->claims, STR("name")), "Ann");
	assert_text(claims_text(&identity->claims, STR("groups")), "ops");
	identity_unref(identity);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_email),
		cmocka_unit_test(test_email_length),
		cmocka_unit_test(test_default_id),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_nobody_at_all),
		cmocka_unit_test(test_hash_to_check),
		cmocka_unit_test(test_hash_to_check_without_users),
		cmocka_unit_test(test_refused_lists),
		cmocka_unit_test(test_credential_tag),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
