#pragma once

/*
 * api_ask.h - an api_call for commands that do nothing else meanwhile: runs the loop until the answer is there
 */

#include "base/buf.h"
#include "cli/api_call.h"
#include "cli/client.h"

struct routes_list;

struct api_answer {
	int status; /* 200 to 499 */
	struct buf body;
};

/*
 * EXIT_STATUS_OK, and the answer is filled in (api_answer_done()); otherwise the person has been told why, or has ended the
 * program with a signal.
 */
enum exit_status api_ask(struct client *client, struct account *account,
			 const struct api_request *request, struct api_answer *ret);
void api_answer_done(struct api_answer *answer);

/* The same for the list of routes of a gateway. */
enum exit_status api_ask_routes(struct client *client, struct account *account,
				struct routes_list *ret);

/* Makes sure that the stored token is good, with a login if there is none, and appends it. ret_token: at most TOKEN_MAX. */
enum exit_status api_ask_token(struct client *client, struct account *account,
			       struct buf *ret_token);
