/*
 * What a gateway says about the end of a tunnel, as a sentence; and very many who ask at the same time.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/destination.h"
#include "cli/end_question.h"
#include "cli/fake_gateway.h"
#include "cli/gateway.h"
#include "io/loop.h"
#include "io/resolver.h"

#define QUESTIONS (5 * END_QUESTIONS_AT_ONCE)

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

struct asker {
	struct end_question *question; /* NULL: it is over */
	bool has_sentence;
};

struct scene {
	struct loop *loop;
	struct resolver *resolver;
	struct fake_gateway fake;
	struct destination destination;
	struct gateway gateway;
	struct end_questions questions;
	struct asker askers[QUESTIONS];
};

static void on_done(void *arg, const struct err *sentence)
{
	struct asker *asker = arg;

	asker->question = NULL;
	asker->has_sentence = sentence != NULL;
}

static void open_scene(struct scene *s, const char *end_answer)
{
	struct err e;

	*s = (struct scene){ .loop = loop_new() };
	s->resolver = resolver_new(s->loop, &e);
	fake_gateway_open(&s->fake, s->loop, s->resolver);
	s->fake.end_answer = end_answer;
	assert_int_equal(
		destination_parse(STR("db.example:5432"), s->fake.url, &s->destination, &e), 0);
	s->gateway = (struct gateway){ .loop = s->loop,
				       .resolver = s->resolver,
				       .destination = &s->destination };
	end_questions_init(&s->questions);
	for (size_t i = 0; i < QUESTIONS; i++)
		s->askers[i].question = end_question_start(
			&s->questions, &s->gateway, STR(FAKE_TUNNEL_ID), on_done, &s->askers[i]);
}

static void cancel(struct asker *asker)
{
	end_question_cancel(TAKE(asker->question));
}

/* Until nobody waits; never too many at once. */
static void run(struct scene *s)
{
	for (size_t i = 0; i < QUESTIONS; i++) {
		while (s->askers[i].question) {
			assert_in_range(s->questions.under_way, 1, END_QUESTIONS_AT_ONCE);
			loop_turn(s->loop, true);
		}
	}
	assert_int_equal(s->questions.under_way, 0);
	assert_null(list_first(&s->questions.waiting));
}

static void close_scene(struct scene *s)
{
	fake_gateway_close(&s->fake);
	resolver_free(s->resolver);
	destination_done(&s->destination);
	loop_free(s->loop);
}

static void test_many_ask_at_once(void **state)
{
	struct scene s;

	open_scene(&s, "{\"reason\":\"session-revoked\"}\n");
	assert_int_equal(s.questions.under_way, END_QUESTIONS_AT_ONCE);
	run(&s);
	assert_int_equal(s.fake.end_count, QUESTIONS);
	assert_int_equal(s.fake.accept_count, QUESTIONS);
	for (size_t i = 0; i < QUESTIONS; i++)
		assert_true(s.askers[i].has_sentence);
	close_scene(&s);
}

static void test_connections_are_passed_on(void **state)
{
	struct scene s;

	open_scene(&s, "{\"reason\":\"session-revoked\"}\n");
	s.fake.keeps_asker = true;
	run(&s);
	assert_int_equal(s.fake.end_count, QUESTIONS);
	assert_int_equal(s.fake.accept_count, END_QUESTIONS_AT_ONCE);
	for (size_t i = 0; i < QUESTIONS; i++)
		assert_true(s.askers[i].has_sentence);
	close_scene(&s);
}

static void test_nobody_knows(void **state)
{
	struct scene s;

	open_scene(&s, NULL);
	run(&s);
	assert_int_equal(s.fake.end_count, QUESTIONS);
	for (size_t i = 0; i < QUESTIONS; i++)
		assert_false(s.askers[i].has_sentence);
	close_scene(&s);
}

static void test_some_give_up(void **state)
{
	struct scene s;

	open_scene(&s, "{\"reason\":\"session-revoked\"}\n");
	cancel(&s.askers[0]);             /* under way: another one's turn comes */
	cancel(&s.askers[QUESTIONS - 1]); /* waiting */
	assert_int_equal(s.questions.under_way, END_QUESTIONS_AT_ONCE);
	run(&s);
	assert_int_equal(s.fake.end_count, QUESTIONS - 2);
	close_scene(&s);
}

static void test_all_give_up(void **state)
{
	struct scene s;

	open_scene(&s, NULL);
	for (size_t i = 0; i < QUESTIONS; i++)
		cancel(&s.askers[i]);
	run(&s);
	loop_turn(s.loop, false);
	assert_int_equal(s.fake.end_count, 0);
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_many_ask_at_once),
		cmocka_unit_test(test_nobody_knows),
		cmocka_unit_test(test_some_give_up),
		cmocka_unit_test(test_all_give_up),
		cmocka_unit_test(test_connections_are_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
