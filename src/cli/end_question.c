/*
 * end_question.c - dial, one GET, and a table of words
 *
 * The tunnel is gone already when this begins: whoever waits for its end must not wait much longer for an explanation, so one
 * timer covers everything. Hundreds of connections begun at once would all be late: a few questions are under way, the
 * others wait in a list, and who has an answer passes its connection on to the next.
 */

#include "cli/end_question.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/destination.h"
#include "cli/gateway.h"
#include "cli/version.h"
#include "http/client.h"
#include "io/loop.h"
#include "io/stream.h"

#define ANSWER_MAX     256
#define WORD_MAX       32
#define REQUEST_ID_MAX 64
#define TARGET_MAX     256

struct end_question {
	struct list_node in_waiting;
	struct end_questions *questions;
	bool is_under_way;
	bool was_passed_on; /* the connection is another one's, and may have ended meanwhile */
	const struct gateway *gateway;
	struct gateway_dial *dial;
	struct http_client *request;
	struct timer timer;
	char request_id[REQUEST_ID_MAX + 1];
	void (*on_done)(void *arg, const struct err *sentence);
	void *arg;
};

/* ---- words ---- */

static const struct {
	const char *word;
	const char *sentence;
} rows[] = {
	{ "session-revoked", "the session was revoked" },
	{ "session-expired", "the session has expired" },
	{ "policy-denied", "the policy of its route does not allow it any more" },
	{ "route-removed", "its route was removed, or leads elsewhere now" },
	{ "idle-timeout", "it was silent for too long" },
	{ "duration-limit", "it has lasted as long as its route allows" },
	{ "closed-by-operator", "an operator has closed it" },
	{ "shutdown", "the gateway is shutting down" },
};

/* A newer gateway may know more words: then the word alone is shown. */
static const char *sentence_of(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_equal(word, str_from(rows[i].word)))
			return rows[i].sentence;
	return "it may not go on";
}

static bool is_word(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] != '-' && (text.at[i] < 'a' || text.at[i] > 'z'))
			return false;
	return text.len > 0 && text.len <= WORD_MAX;
}

int end_question_read(struct str body, struct str request_id, struct err *ret_sentence)
{
	const struct str before = STR("{\"reason\":\"");
	const struct str after = STR("\"}");
	struct str word;

	body = str_trim(body);
	if (!str_starts_with(body, before) || !str_ends_with(body, after) ||
	    body.len < before.len + after.len)
		return -1;
	word = str_first(str_from_pos(body, before.len), body.len - before.len - after.len);
	if (!is_word(word))
		return -1;
	(void)err_set(ret_sentence, ERR_CLOSED,
		      "the gateway closed the tunnel: %s (%.*s, request %.*s)", sentence_of(word),
		      STR_FMT(word), STR_FMT(request_id));
	return 0;
}

/* ---- asking ---- */

static void take_turn(struct end_question *q);
static void ask_next(struct end_questions *questions);
static void on_dialed(void *arg, struct stream *stream, const struct err *e);

void end_question_cancel(struct end_question *q)
{
	if (!q)
		return;
	list_remove(&q->in_waiting);
	timer_cancel(&q->timer);
	gateway_dial_cancel(q->dial);
	if (q->request)
		http_client_cancel(q->request);
	if (q->is_under_way) {
		q->questions->under_way--;
		ask_next(q->questions);
	}
	loop_free_later(q->gateway->loop, q);
}

static void finish(struct end_question *q, const struct err *sentence)
{
	q->on_done(q->arg, sentence);
	end_question_cancel(q);
}

static void pass_on(struct end_questions *questions, struct stream *stream)
{
	struct list_node *node = list_first(&questions->waiting);
	struct end_question *next;

	if (!node || !stream) {
		stream_close(stream, STREAM_CLOSE_NORMAL);
		return;
	}
	next = container_of(node, struct end_question, in_waiting);
	take_turn(next);
	next->was_passed_on = true;
	on_dialed(next, stream, NULL);
}

static void on_answer(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct end_question *q = arg;
	struct err sentence = { 0 };

	q->request = NULL;
	if (!response && q->was_passed_on) {
		q->was_passed_on = false;
		q->dial = gateway_dial_start(q->gateway, on_dialed, q);
		return;
	}
	if (response)
		pass_on(q->questions, response->stream);
	if (response && response->status == 200 &&
	    end_question_read(response->body, str_from(q->request_id), &sentence) == 0)
		finish(q, &sentence);
	else
		finish(q, NULL);
}

static void on_dialed(void *arg, struct stream *stream, const struct err *e)
{
	struct end_question *q = arg;
	const struct http_header agent = { STR("User-Agent"), STR(CLI_USER_AGENT) };
	char target[TARGET_MAX];

	q->dial = NULL;
	if (!stream) {
		finish(q, NULL);
		return;
	}
	(void)snprintf(target, sizeof(target), "/.pomerium/api/v1/tunnels/%s/end",
		       q->request_id); /* fits */
	q->request = http_client_start(
		q->gateway->loop, stream,
		&(struct http_client_request){
			.method = STR("GET"),
			.target = str_from(target),
			.host = str_from(q->gateway->destination->gateway_authority),
			.headers = &agent,
			.header_count = 1,
			.timeout_ms = END_QUESTION_MS,
			.body_max = ANSWER_MAX,
			.keeps_stream = true,
		},
		on_answer, q);
}

static void on_late(struct timer *timer)
{
	finish(container_of(timer, struct end_question, timer), NULL);
}

static void take_turn(struct end_question *q)
{
	struct loop *loop = q->gateway->loop;

	list_remove(&q->in_waiting);
	q->is_under_way = true;
	q->questions->under_way++;
	timer_start(&q->timer, loop, loop_now_ms(loop) + END_QUESTION_MS, on_late);
}

static void ask_next(struct end_questions *questions)
{
	struct list_node *node = list_first(&questions->waiting);
	struct end_question *next;

	if (!node || questions->under_way >= END_QUESTIONS_AT_ONCE)
		return;
	next = container_of(node, struct end_question, in_waiting);
	take_turn(next);
	next->dial = gateway_dial_start(next->gateway, on_dialed, next);
}

void end_questions_init(struct end_questions *questions)
{
	*questions = (struct end_questions){ 0 };
	list_init(&questions->waiting);
}

struct end_question *end_question_start(struct end_questions *questions,
					const struct gateway *gateway, struct str request_id,
					void (*on_done)(void *arg, const struct err *sentence),
					void *arg)
{
	struct end_question *q = mem_alloc(sizeof(*q));

	*q = (struct end_question){
		.questions = questions, .gateway = gateway, .on_done = on_done, .arg = arg
	};
	(void)snprintf(q->request_id, sizeof(q->request_id), "%.*s",
		       STR_FMT(request_id)); /* tunnel.c has looked at it */
	timer_start(&q->timer, gateway->loop, loop_now_ms(gateway->loop) + END_QUESTION_WAIT_MS,
		    on_late);
	list_append(&questions->waiting, &q->in_waiting);
	ask_next(questions);
	return q;
}
