#pragma once

/*
 * login_fixture.h - a browser in front of the login form, on an exchange fixture
 */

#include "tests/support/exchange_fixture.h"

#define LOGIN_FORM_PATH "/.pomerium/local/sign_in"
#define LOGIN_CSRF_LEN  64

struct login_fixture {
	struct exchange_fixture f;
	struct buf next; /* the link of a journey that was begun: path and query */
	char csrf[LOGIN_CSRF_LEN + 1];
};

struct login_form_fields {
	const char *type;   /* NULL: as a browser sends it */
	const char *cookie; /* NULL: the one that was given */
	const char *csrf;   /* NULL: the one of the form */
	struct str next;    /* no address: the one of the form */
	const char *email;
	const char *password;
};

/* For cmocka: the form is on the screen. */
int login_fixture_setup(void **state);
int login_fixture_teardown(void **state);

/* Signs base; out gets the URL, the result is its path and query. */
struct str login_fixture_sign(struct login_fixture *l, const char *base, int64_t now,
			      struct buf *out);

void login_fixture_get(struct login_fixture *l, struct str next, const char *more_headers);

/* Remembers the token of the cookie that came. */
void login_fixture_take_csrf(struct login_fixture *l);

/* Sends the form, and waits for the answer. */
void login_fixture_start_post(struct login_fixture *l, const struct login_form_fields *form);
void login_fixture_post(struct login_fixture *l, const struct login_form_fields *form);
void login_fixture_try(struct login_fixture *l, const char *email, const char *password);
