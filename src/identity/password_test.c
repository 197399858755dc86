#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "identity/password.h"

#define BCRYPT  "$2b$04$rMUUl5jhBnMrkNF76xWAMOvsA.Mx.05Xibj8bUWAcvhbwGtcYNqoe"
#define BCRYPTY "$2y$04$RfszAeu1I1Pkf4C3JaNmj.nfOZ9RFV9t3FnVVCSvMyqiwwc5ANszS"
#define SHA512                                                                                     \
	"$6$rounds=1000$C1aZdVSUrUnm.np3$GzTOrawElSGZSU3lkIQsLDTZjERT0gxoE1Fm/Hd/"                 \
	"npYyFr9Adw2LtL/5rYPPJB5YwptSgd49oQ177abKTPQZ9."
#define YESCRYPT "$y$j75$uq2bkmm.MUrCOfGK0pw4f1$wLIQnjBPuY/kpwisz7eNc0HMgFKLX8wHvEgjXDc3Sw8"

static void test_known_hashes(void **state)
{
	static const char *const hashes[] = { BCRYPT, BCRYPTY, SHA512, YESCRYPT };

	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		struct str hash = str_from(hashes[i]);

		assert_true(password_hash_is_valid(hash));
		assert_true(password_verify(STR("correct horse"), hash));
		assert_false(password_verify(STR("correct hors"), hash));
		assert_false(password_verify(STR("correct horse "), hash));
		assert_false(password_verify(STR("Correct horse"), hash));
		assert_false(password_verify(STR("correct horse\0"), hash));
		assert_false(password_verify(STR(""), hash));
	}
}

static void test_round_trip(void **state)
{
	char first[PASSWORD_HASH_MAX];
	char second[PASSWORD_HASH_MAX];
	struct err e;

	assert_int_equal(password_hash(STR("p\xc3\xa4ssword"), first, &e), 0);
	assert_int_equal(password_hash(STR("p\xc3\xa4ssword"), second, &e), 0);
	assert_true(str_starts_with(str_from(first), STR("$y$")));
	assert_string_not_equal(first, second);
	assert_true(password_hash_is_valid(str_from(first)));
	assert_true(password_verify(STR("p\xc3\xa4ssword"), str_from(first)));
	assert_false(password_verify(STR("password"), str_from(first)));
}

static void test_refused_passwords(void **state)
{
	static const char text[PASSWORD_MAX + 1];
	char longest[PASSWORD_MAX + 1];
	char hash[PASSWORD_HASH_MAX] = "untouched";
	struct err e;

	memset(longest, 'x', sizeof(longest));
	assert_int_equal(password_hash(STR(""), hash, &e), -1);
	assert_int_equal(password_hash(STR("half\0half"), hash, &e), -1);
	assert_int_equal(password_hash(str_of(text, 1), hash, &e), -1);
	assert_int_equal(password_hash(str_of(longest, sizeof(longest)), hash, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_string_equal(hash, "untouched");
	assert_int_equal(password_hash(str_of(longest, PASSWORD_MAX), hash, &e), 0);
	assert_true(password_verify(str_of(longest, PASSWORD_MAX), str_from(hash)));
	assert_false(password_verify(str_of(longest, PASSWORD_MAX - 1), str_from(hash)));
	assert_false(password_verify(str_of(longest, PASSWORD_MAX + 1), str_from(hash)));
}

static void test_invalid_hashes(void **state)
{
	static const char *const hashes[] = {
		"",
		"x",
		"correct horse",
		"*0",
		"!",
		"$y$",
		"$2b$",
		"$6$",
		"$1$abcdefgh$0123456789012345678901",
		"$5$rounds=1000$abcdefgh$0123456789012345678901234567890123456789012",
		"$6$abc$",
		"$6$abc",
		"$2b$04$rMUUl5jhBnMrkNF76xWAMO",
		"$2b$04$rMUUl5jhBnMrkNF76xWAMOvsA.Mx.05Xibj8bUWAcvhbwGtcYNqo",
		BCRYPT "e",
		BCRYPT " ",
		" " BCRYPT,
		"\n" BCRYPT,
		"$2b$04$rMUUl5jhBnMrkNF76xWAMOvsA.Mx.05Xibj8bUWAcvhbwGtcYNq e",
		"$y$j75$uq2bkmm.MUrCOfGK0pw4f1$",
		"$y$j75$uq2bkmm.MUrCOfGK0pw4f1$wLIQnjBPuY/kpwisz7eNc0HMgFKLX8wHvEgjXDc3Sw",
		"$y$j75$uq2bkmm.MUrCOfGK0pw4f1$wLIQnjBPuY/kpwisz7eNc0HMgFKLX8wHvEgjXDc3Sw\xc3",
	};

	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		if (password_hash_is_valid(str_from(hashes[i])))
			fail_msg("hash %s", hashes[i]);
		assert_false(password_verify(STR("correct horse"), str_from(hashes[i])));
	}
	assert_false(password_hash_is_valid(STR("$y$\0")));
	assert_false(password_hash_is_valid((struct str){ 0 }));
}

/* Valid in form, but the library cannot compute it. */
static void test_impossible_cost(void **state)
{
	assert_false(password_verify(
		STR("correct horse"),
		STR("$2b$99$rMUUl5jhBnMrkNF76xWAMOvsA.Mx.05Xibj8bUWAcvhbwGtcYNqoe")));
}

static void test_nobody(void **state)
{
	struct str nobody = password_hash_of_nobody();

	assert_true(str_starts_with(nobody, STR("$y$j9T$")));
	assert_true(password_hash_is_valid(nobody));
	assert_false(password_verify(STR("correct horse"), nobody));
	assert_false(password_verify(STR(""), nobody));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_hashes),      cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused_passwords), cmocka_unit_test(test_invalid_hashes),
		cmocka_unit_test(test_impossible_cost),   cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
