#pragma once

/*
 * device_fixture.h - a machine that asks for a login, and a browser in which somebody says yes or no, on an exchange fixture
 */

#include "session/device_login.h"
#include "tests/support/exchange_fixture.h"

#define DEVICE_PAGE_PATH  "/.pomerium/device"
#define DEVICE_ASK_PATH   "/.pomerium/api/v1/device_authorization"
#define DEVICE_TOKEN_PATH "/.pomerium/api/v1/token"
#define DEVICE_GRANT      "urn:ietf:params:oauth:grant-type:device_code"
#define DEVICE_HOST       "redis.example.com:8443" /* that the machine asks */
#define DEVICE_CSRF_LEN   64

struct device_fixture {
	struct exchange_fixture f;
	char code[64];      /* of the last answer */
	char user_code[16]; /* with its dash */
	char *session;      /* the browser's cookie; NULL: nobody is logged in */
	char csrf[DEVICE_CSRF_LEN + 1];
};

/* For cmocka: alice is logged in, no machine has asked yet. */
int device_fixture_set_up(void **state);
int device_fixture_tear_down(void **state);

/* Asks for a login; name is escaped already, NULL: none is given. Remembers the codes. */
void device_fixture_ask(struct device_fixture *d, const char *name);

/* One poll with the code, after the machine's pause. */
void device_fixture_poll(struct device_fixture *d);
void device_fixture_poll_with(struct device_fixture *d, const char *code);
void device_fixture_pause(void);

/* The last answer was that error of RFC 8628, with status 400. */
void device_fixture_expect_error(struct device_fixture *d, const char *error);

/* A text of the last answer, which is JSON; released with mem_free(). NULL if there is none. */
char *device_fixture_json_text(struct device_fixture *d, const char *name);

/* The page in the browser; query with its '?', or "". Remembers the token of the form, if one came. */
void device_fixture_open(struct device_fixture *d, const char *query);

/* What is sent; NULL: as the browser does. */
struct device_form {
	const char *csrf;
	const char *cookie;
	const char *user_code;
	const char *answer;
	const char *headers;
};

void device_fixture_submit(struct device_fixture *d, const struct device_form *form);

/* Opens the page with the code and presses that button. */
void device_fixture_answer(struct device_fixture *d, const char *answer);
