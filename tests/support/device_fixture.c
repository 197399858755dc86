#include "tests/support/device_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/clock_fake.h"

int device_fixture_set_up(void **state)
{
	struct device_fixture *d = mem_alloc(sizeof(*d));

	exchange_fixture_init(&d->f, FIXTURE_SETTINGS);
	d->session = exchange_fixture_log_in(&d->f, "alice@example.com");
	*state = d;
	return 0;
}

int device_fixture_tear_down(void **state)
{
	struct device_fixture *d = *state;

	exchange_fixture_done(&d->f);
	mem_free_secret(d->session);
	mem_free(d);
	return 0;
}

/* ---- the machine ---- */

char *device_fixture_json_text(struct device_fixture *d, const char *name)
{
	struct str body = buf_view(&d->f.body);
	char key[64];

	(void)snprintf(key, sizeof(key), "\"%s\":\"", name);
	for (; body.len > 0; body = str_from_pos(body, 1)) {
		if (!str_starts_with(body, str_from(key)))
			continue;
		body = str_from_pos(body, strlen(key));
		return str_copy(str_first(body, str_find(body, '"')));
	}
	return NULL;
}

static void keep(struct device_fixture *d, const char *name, char *out, size_t size)
{
	char *text = device_fixture_json_text(d, name);

	assert_non_null(text);
	assert_true(strlen(text) < size);
	memcpy(out, text, strlen(text) + 1);
	mem_free_secret(text);
}

static void post(struct device_fixture *d, const char *path, const char *body)
{
	exchange_fixture_sendf(&d->f,
			       "POST %s HTTP/1.1\r\nHost: " DEVICE_HOST "\r\n"
			       "Content-Type: application/x-www-form-urlencoded\r\n\r\n%s",
			       path, body);
}

void device_fixture_ask(struct device_fixture *d, const char *name)
{
	char body[1024] = "";

	if (name)
		(void)snprintf(body, sizeof(body), "client_name=%s", name);
	post(d, DEVICE_ASK_PATH, body);
	assert_int_equal(d->f.status, 200);
	keep(d, "device_code", d->code, sizeof(d->code));
	keep(d, "user_code", d->user_code, sizeof(d->user_code));
}

void device_fixture_pause(void)
{
	clock_fake_advance_ms(1000 * DEVICE_INTERVAL_S);
}

void device_fixture_poll_with(struct device_fixture *d, const char *code)
{
	char body[256];

	(void)snprintf(body, sizeof(body), "grant_type=" DEVICE_GRANT "&device_code=%s", code);
	post(d, DEVICE_TOKEN_PATH, body);
}

void device_fixture_poll(struct device_fixture *d)
{
	device_fixture_pause();
	device_fixture_poll_with(d, d->code);
}

void device_fixture_expect_error(struct device_fixture *d, const char *error)
{
	char *text = device_fixture_json_text(d, "error");

	if (!text || strcmp(text, error) != 0)
		fail_msg("%.*s", STR_FMT(buf_view(&d->f.body)));
	mem_free(text);
	assert_int_equal(d->f.status, 400);
	assert_true(
		str_equal(exchange_fixture_header(&d->f, "content-type"), STR("application/json")));
	assert_true(str_equal(exchange_fixture_header(&d->f, "cache-control"), STR("no-store")));
}

/* ---- the browser ---- */

static void take_csrf(struct device_fixture *d)
{
	struct str cookie = exchange_fixture_header(&d->f, "set-cookie");

	if (!str_starts_with(cookie, STR("_pomerium_csrf=")))
		return;
	cookie = str_from_pos(cookie, 15);
	assert_int_equal(str_find(cookie, ';'), DEVICE_CSRF_LEN);
	memcpy(d->csrf, cookie.at, DEVICE_CSRF_LEN);
}

void device_fixture_open(struct device_fixture *d, const char *query)
{
	exchange_fixture_sendf(
		&d->f,
		"GET " DEVICE_PAGE_PATH "%s HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST "\r\n"
		"Accept: text/html\r\nCookie: _pomerium_csrf=%s; _pomerium_authenticate=%s\r\n\r\n",
		query, d->csrf, d->session ? d->session : "");
	take_csrf(d);
}

void device_fixture_submit(struct device_fixture *d, const struct device_form *form)
{
	exchange_fixture_sendf(
		&d->f,
		"POST " DEVICE_PAGE_PATH " HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST "\r\n"
		"Content-Type: application/x-www-form-urlencoded\r\n%s"
		"Cookie: _pomerium_csrf=%s; _pomerium_authenticate=%s\r\n\r\n"
		"csrf=%s&user_code=%s&answer=%s",
		form->headers ? form->headers : "Origin: https://" FIXTURE_AUTH_HOST "\r\n",
		form->cookie ? form->cookie : d->csrf, d->session ? d->session : "",
		form->csrf ? form->csrf : d->csrf, form->user_code ? form->user_code : d->user_code,
		form->answer ? form->answer : "yes");
}

void device_fixture_answer(struct device_fixture *d, const char *answer)
{
	char query[64];

	(void)snprintf(query, sizeof(query), "?user_code=%s", d->user_code);
	device_fixture_open(d, query);
	assert_int_equal(d->f.status, 200);
	device_fixture_submit(d, &(struct device_form){ .answer = answer });
	assert_int_equal(d->f.status, 200);
}
