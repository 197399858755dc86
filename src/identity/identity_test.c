#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "identity/identity.h"

static void assert_text(struct str is, const char *should)
{
	assert_int_equal(is.len, strlen(should));
	assert_memory_equal(is.at, should, is.len);
}

static void test_copies_everything(void **state)
{
	char text[] = "u1 a@b.c Ann g1 g2";
	struct str groups[] = { str_of(text + 13, 2), str_of(text + 16, 2) };
	struct claim claims[] = { { str_of(text, 2), groups, 2 },
				  { str_of(text + 9, 3), NULL, 0 } };
	struct identity facts = {
		.claims = { claims, 2 },
		.user_id = str_of(text, 2),
		.email = str_of(text + 3, 5),
		.name = str_of(text + 9, 3),
		.groups = groups,
		.group_count = 2,
	};
	struct identity *identity = identity_new(&facts);

	mem_wipe(text, sizeof(text));
	mem_wipe(groups, sizeof(groups));
	mem_wipe(claims, sizeof(claims));
	assert_text(identity->user_id, "u1");
	assert_text(identity->email, "a@b.c");
	assert_text(identity->name, "Ann");
	assert_int_equal(identity->group_count, 2);
	assert_text(identity->groups[0], "g1");
	assert_text(identity->groups[1], "g2");
	assert_int_equal(identity->claims.count, 2);
	assert_text(identity->claims.items[0].name, "u1");
	assert_int_equal(identity->claims.items[0].value_count, 2);
	assert_text(identity->claims.items[0].values[0], "g1");
	assert_text(identity->claims.items[0].values[1], "g2");
	assert_text(identity->claims.items[1].name, "Ann");
	assert_int_equal(identity->claims.items[1].value_count, 0);
	identity_unref(identity);
}

static void test_lives_until_the_last_reference(void **state)
{
	struct identity *identity = identity_new(&(struct identity){ .user_id = STR("u1") });
	struct identity *other = identity_ref(identity);

	assert_ptr_equal(identity, other);
	identity_unref(identity);
	assert_text(other->user_id, "u1");
	assert_int_equal(other->email.len, 0);
	assert_int_equal(other->group_count, 0);
	identity_unref(other);
	identity_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies_everything),
		cmocka_unit_test(test_lives_until_the_last_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
