#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/token_expiry.h"

static void test_expiry(void **state)
{
	static const struct {
		const char *token;
		int64_t expiry;
	} rows[] = {
		{ "e30.eyJleHAiOjE3NjcyMjU2MDB9.sig", 1767225600 },    /* {"exp":1767225600} */
		{ "e30.eyJleHAiOjE3NjcyMjU2MDAuNX0.sig", 1767225600 }, /* and a half */
		{ "e30.eyJleHAiOiIxIn0.sig", 0 },                      /* {"exp":"1"} */
		{ "e30.eyJleHAiOi0xfQ.sig", 0 },                       /* {"exp":-1} */
		{ "e30.eyJleHAiOjFlMzAwfQ.sig", 0 },                   /* {"exp":1e300} */
		{ "e30.e30.sig", 0 },
		{ "e30.W10.sig", 0 }, /* [] */
		{ "e30.eyJleHAiOjE3NjcyMjU2MDB9", 0 },
		{ "e30", 0 },
		{ "", 0 },
		{ "..", 0 },
		{ "e30.!!!.sig", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(token_expiry(str_from(rows[i].token)), rows[i].expiry);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_expiry) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
