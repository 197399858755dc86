#pragma once

/*
 * end_question.h - ask the gateway why it has cut a tunnel (extensions.md 4)
 *
 * Once, for END_QUESTION_MS altogether, without a token: only who was given the id of a tunnel can ask for it. Other gateways
 * do not know; then nothing is said. When very many tunnels are cut at the same time, their questions wait for each other.
 *
 * Ownership  The operation belongs to the caller until on_done has run or it was cancelled.
 * Errors     None: no answer is an answer.
 * Limits     END_QUESTIONS_AT_ONCE under way; END_QUESTION_WAIT_MS until a question's turn.
 */

#include "base/err.h"
#include "base/list.h"
#include "base/str.h"

#define END_QUESTION_MS       2000
#define END_QUESTION_WAIT_MS  10000
#define END_QUESTIONS_AT_ONCE 8

/* Those that wait for each other; outlives them. */
struct end_questions {
	struct list waiting;
	unsigned under_way;
};

void end_questions_init(struct end_questions *questions);

struct end_question;
struct gateway;

/*
 * request_id: of the tunnel's 200. on_done runs once, later; sentence: "the gateway closed the tunnel: the session was revoked
 * (session-revoked, request 3f1c...)", or NULL.
 */
struct end_question *end_question_start(struct end_questions *questions,
					const struct gateway *gateway, struct str request_id,
					void (*on_done)(void *arg, const struct err *sentence),
					void *arg);

/* on_done will not run. NULL is ignored. */
void end_question_cancel(struct end_question *q);

/* {"reason":"session-revoked"} as that sentence; -1: it is none. */
int end_question_read(struct str body, struct str request_id, struct err *ret_sentence);
