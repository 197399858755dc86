#pragma once

/*
 * check.h - go the way of a tunnel step by step, and say how far one gets
 *
 * proxy, name, address, TLS, whether it is a gateway; then one CONNECT with the stored token, whose answer tells about route,
 * login, policy and upstream. Never starts a login. A tunnel that opens is closed at once.
 *
 * Ownership  The operation belongs to the caller until on_done has run or it was cancelled; what the options name is
 *            borrowed.
 * Errors     None: a failure is a result.
 * Limits     Each step has the limit of what it tries; CHECK_HANDSHAKE_MS for TLS.
 */

#include "cli/check_report.h"

#define CHECK_HANDSHAKE_MS 15000

struct check;
struct gateway;

struct check_options {
	const struct gateway *gateway; /* with the destination's target */
	struct str token;              /* empty: nobody is logged in */
};

struct check *check_start(const struct check_options *options,
			  void (*on_done)(void *arg, const struct check_report *report), void *arg);

/* on_done will not run. NULL is ignored. */
void check_cancel(struct check *check);
