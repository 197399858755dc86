/*
 * What a gateway says about the end of a tunnel, as a sentence.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/end_question.h"

static const struct {
	const char *body;
	const char *sentence; /* NULL: none */
} cases[] = {
	{ "{\"reason\":\"session-revoked\"}\n",
	  "the gateway closed the tunnel: the session was revoked "
	  "(session-revoked, request 3f1c)" },
	{ "{\"reason\":\"policy-denied\"}",
	  "the gateway closed the tunnel: the policy of its route does not allow it any more "
	  "(policy-denied, request 3f1c)" },
	{ "{\"reason\":\"full-moon\"}\n",
	  "the gateway closed the tunnel: it may not go on (full-moon, request 3f1c)" },
	{ "", NULL },
	{ "{}", NULL },
	{ "{\"reason\":\"", NULL },
	{ "{\"reason\":\"}", NULL },
	{ "{\"reason\":\"\"}", NULL },
	{ "{\"reason\":\"Revoked\"}", NULL },
	{ "{\"reason\":\"a\\u001b[2Jb\"}", NULL },
	{ "{\"reason\":\"a\x1b[2Jb\"}", NULL },
	{ "{\"reason\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", NULL },
	{ "{\"reason\":\"a\",\"b\":\"c\"}", NULL },
	{ "<html>session-revoked</html>", NULL },
};

static void test_sentences(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err sentence = { 0 };
		int rc = end_question_read(str_from(cases[i].body), STR("3f1c"), &sentence);

		if (!cases[i].sentence) {
			if (rc == 0)
				fail_msg("%s: %s", cases[i].body, sentence.text);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_string_equal(sentence.text, cases[i].sentence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
