#pragma once

/*
 * pages.h - our HTML pages: a struct of facts in, a whole page out
 *
 * Pure, and safe with any facts: see page.h. The buffer is the caller's, with PAGE_MAX as its maximum.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct login_page {
	struct str host; /* where one logs in */
	struct str csrf;
	struct str next;
	struct str email;   /* what was filled in before */
	struct str problem; /* ""; else why the form is shown again */
};

void login_page_write(struct buf *out, const struct login_page *facts);

/* Who am I? */
struct user_page {
	struct str email; /* each may be empty */
	struct str name;
	struct str user_id;
	const struct str *groups;
	size_t group_count;
	struct str session_id;
	int64_t expires_unix; /* 0: never */
};

/* facts NULL: nobody. */
void user_page_write(struct buf *out, const struct user_page *facts, struct str request_id);

/* action: where the confirmation is posted to. */
void sign_out_page_write(struct buf *out, struct str action);
void signed_out_page_write(struct buf *out);

/* ---- the login of a machine without a browser ---- */

struct device_code_page {
	struct str user_code; /* what was filled in before */
	struct str problem;
};

void device_code_page_write(struct buf *out, const struct device_code_page *facts);

struct device_question_page {
	struct str email;
	struct str csrf;
	struct str user_code; /* without a dash */
	struct str client_name;
	struct str client_address;
	int64_t asked_unix;
	int64_t now_unix;
};

void device_question_page_write(struct buf *out, const struct device_question_page *facts);
void device_done_page_write(struct buf *out, bool is_approved);

/* ---- errors ---- */

struct error_page {
	int status;
	struct str status_text; /* "Not Found" */
	struct str sentence;    /* what happened */
	struct str advice;      /* what to do about it; may be empty */
	struct str request_id;
};

void error_page_write(struct buf *out, const struct error_page *facts);
