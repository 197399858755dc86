#pragma once

/*
 * api_call.h - one request to the gateway itself, as the user: with the stored token, and a login if it is not good
 *
 * What becomes of tokens is the same as for tunnels: forgotten on 401 or a redirect to a login, never otherwise.
 *
 * Ownership  The operation belongs to the caller until on_done has run or it was cancelled. account is borrowed.
 * Errors     Only through on_done, later.
 */

#include "base/err.h"
#include "base/str.h"
#include "cli/exit_status.h"

struct account;
struct api_call;

/* Borrowed until the call is over: literals. */
struct api_request {
	struct str method;
	struct str target;
	size_t body_max; /* of the answer */
};

struct api_result {
	int status;       /* 200 to 499 but for 3xx and 401; 0: there is no such answer */
	struct str body;  /* valid during the call */
	struct err error; /* status 0: why, in a sentence */
	enum exit_status exit_status; /* status 0: what that means */
};

struct api_call *api_call_start(struct account *account, const struct api_request *request,
				void (*on_done)(void *arg, const struct api_result *result),
				void *arg);

/* on_done will not run. NULL is ignored. */
void api_call_cancel(struct api_call *call);
