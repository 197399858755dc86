#pragma once

/*
 * ask.h - an exchange asks another thread, and goes on when the answer is there
 *
 * Embedded in what travels. The exchange may be gone before the answer comes (its client left): then the answer is
 * only released.
 *
 * Ownership  From ask_begin() on it belongs to its journey; release() frees it, in every case, once.
 */

#include "io/mailbox.h"
#include "proxy/exchange.h"
#include "proxy/idp_service.h"
#include "session/store.h"

struct ask {
	struct mailbox_message message;
	struct worker *worker;
	struct exchange *x; /* NULL: nobody waits any more. The worker's thread only */
	/* As a stage. It may begin another ask and say STEP_WAIT. */
	enum step (*on_answer)(struct ask *ask, struct exchange *x);
	void (*release)(struct ask *ask);
};

/* Makes the exchange wait: the stage returns STEP_WAIT. on_answer and release are set already. */
enum step ask_begin(struct ask *ask, struct exchange *x);

/* Sends it to the control thread, where run is called with it. */
void ask_control(struct ask *ask, void (*run)(struct mailbox_message *message));

/* The answer is in it. From any thread, once. */
void ask_answer(struct ask *ask);

/* ---- the two kinds of questions there are ---- */

struct store_ask {
	struct ask ask;
	struct store_call call;
	void *extra; /* what on_answer wants to know; in the exchange's arena */
};

struct idp_ask {
	struct ask ask;
	struct idp_call call;
	void *extra; /* likewise */
};

/* Both are released by themselves. Fill in call, then start. */
struct store_ask *store_ask_new(enum step (*on_answer)(struct ask *ask, struct exchange *x));
enum step store_ask_start(struct store_ask *ask, struct exchange *x);

/* With a reference to the exchange's snapshot, its idp, and the time. */
struct idp_ask *idp_ask_new(struct exchange *x, const struct idp *idp, enum idp_verb verb,
			    enum step (*on_answer)(struct ask *ask, struct exchange *x));
enum step idp_ask_start(struct idp_ask *ask, struct exchange *x);

/* Without waiting for the answer, whatever it is. */
void idp_ask_send(struct idp_ask *ask, struct worker *worker);
