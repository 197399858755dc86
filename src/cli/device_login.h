#pragma once

/*
 * device_login.h - log in with a browser that is on another machine (RFC 8628; extensions.md 8)
 *
 * Asks the gateway whether it offers that, shows an address and a code, and asks until somebody has answered there, it is
 * refused, or the code is too old.
 *
 * Ownership  The operation belongs to the caller until on_done has run or it was cancelled.
 * Errors     Only through on_done, later.
 * Limits     DEVICE_LOGIN_S_MAX for the whole of it, whatever the gateway says.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define DEVICE_LOGIN_S_MAX         3600
#define DEVICE_LOGIN_INTERVAL_MAX  60
#define DEVICE_LOGIN_PATH_MAX      256
#define DEVICE_LOGIN_CODE_MAX      512
#define DEVICE_LOGIN_USER_CODE_MAX 32
#define DEVICE_LOGIN_ADDRESS_MAX   2048

struct device_login;
struct events;
struct gateway;

enum device_login_result {
	DEVICE_LOGIN_DONE,        /* the token is valid during the call */
	DEVICE_LOGIN_FAILED,      /* e says why */
	DEVICE_LOGIN_NOT_OFFERED, /* by this gateway */
};

typedef void device_login_done_fn(void *arg, enum device_login_result result, struct str token,
				  const struct err *e);

struct device_login *device_login_start(const struct gateway *gateway, const struct events *events,
					device_login_done_fn *on_done, void *arg);

/* on_done will not run. NULL is ignored. */
void device_login_cancel(struct device_login *login);

/* ---- what the gateway says ---- */

/* Paths of the endpoints, from /.well-known/pomerium. */
struct device_login_offer {
	char authorization_path[DEVICE_LOGIN_PATH_MAX];
	char token_path[DEVICE_LOGIN_PATH_MAX];
};

/* -1: it offers none. */
int device_login_read_offer(struct str json, struct device_login_offer *ret);

struct device_login_codes {
	char device_code[DEVICE_LOGIN_CODE_MAX]; /* secret */
	char user_code[DEVICE_LOGIN_USER_CODE_MAX];
	char address[DEVICE_LOGIN_ADDRESS_MAX];
	char complete_address
		[DEVICE_LOGIN_ADDRESS_MAX]; /* with the code in it; as address if there is none */
	unsigned expires_s;
	unsigned interval_s;
};

int device_login_read_codes(struct str json, struct device_login_codes *ret, struct err *e);

enum device_login_answer {
	DEVICE_ANSWER_TOKEN,
	DEVICE_ANSWER_PENDING,
	DEVICE_ANSWER_SLOW_DOWN,
	DEVICE_ANSWER_AGAIN, /* the gateway has a problem: later */
	DEVICE_ANSWER_FINAL, /* e says what */
};

/* ret_token needs a maximum of TOKEN_MAX. */
enum device_login_answer device_login_read_answer(int status, struct str json,
						  struct buf *ret_token, struct err *e);
