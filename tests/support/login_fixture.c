#include "tests/support/login_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/mem.h"
#include "session/signed_url.h"

struct str login_fixture_sign(struct login_fixture *l, const char *base, int64_t now,
			      struct buf *out)
{
	struct query params = { 0 };
	struct str text;

	query_add(&params, STR("pomerium_redirect_uri"), STR("https://redis.example.com/"));
	buf_truncate(out, 0);
	assert_int_equal(signed_url_sign(l->f.worker.snapshot->shared_key, str_from(base), &params,
					 now, out, NULL),
			 0);
	text = buf_view(out);
	return str_from_pos(text, sizeof("https://") - 1 + str_find(str_from_pos(text, 8), '/'));
}

static void escape(struct buf *out, struct str text)
{
	assert_int_equal(query_escape(out, text), 0);
}

void login_fixture_get(struct login_fixture *l, struct str next, const char *more_headers)
{
	struct buf escaped = BUF_INIT(URL_MAX);

	escape(&escaped, next);
	exchange_fixture_sendf(&l->f,
			       "GET " LOGIN_FORM_PATH
			       "?next=%.*s HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST "\r\n%s\r\n",
			       STR_FMT(buf_view(&escaped)), more_headers);
	buf_done(&escaped);
}

void login_fixture_take_csrf(struct login_fixture *l)
{
	struct str cookie = exchange_fixture_header(&l->f, "set-cookie");

	assert_true(str_starts_with(cookie, STR("_pomerium_csrf=")));
	cookie = str_from_pos(cookie, 15);
	assert_int_equal(str_find(cookie, ';'), LOGIN_CSRF_LEN);
	memcpy(l->csrf, cookie.at, LOGIN_CSRF_LEN);
}

int login_fixture_setup(void **state)
{
	struct login_fixture *l = mem_alloc(sizeof(*l));
	struct buf url = BUF_INIT(URL_MAX);

	exchange_fixture_init(&l->f, FIXTURE_SETTINGS);
	l->next = BUF_INIT(URL_MAX);
	(void)buf_append_str(
		&l->next, login_fixture_sign(l, "https://" FIXTURE_AUTH_HOST "/.pomerium/sign_in",
					     FIXTURE_NOW, &url));
	buf_done(&url);
	login_fixture_get(l, buf_view(&l->next), "");
	assert_int_equal(l->f.status, 200);
	login_fixture_take_csrf(l);
	*state = l;
	return 0;
}

int login_fixture_teardown(void **state)
{
	struct login_fixture *l = *state;

	exchange_fixture_done(&l->f);
	buf_done(&l->next);
	mem_free(l);
	return 0;
}

void login_fixture_start_post(struct login_fixture *l, const struct login_form_fields *form)
{
	struct buf body = BUF_INIT(URL_MAX);
	struct str next = form->next.at ? form->next : buf_view(&l->next);

	(void)buf_append_str(&body, STR("csrf="));
	escape(&body, str_from(form->csrf ? form->csrf : l->csrf));
	(void)buf_append_str(&body, STR("&next="));
	escape(&body, next);
	(void)buf_append_str(&body, STR("&email="));
	escape(&body, str_from(form->email));
	(void)buf_append_str(&body, STR("&password="));
	escape(&body, str_from(form->password));
	exchange_fixture_sendf(
		&l->f,
		"POST " LOGIN_FORM_PATH " HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST "\r\n"
		"Content-Type: %s\r\nCookie: _pomerium_csrf=%s\r\n"
		"Content-Length: %zu\r\n\r\n%.*s",
		form->type ? form->type : "application/x-www-form-urlencoded",
		form->cookie ? form->cookie : l->csrf, body.len, STR_FMT(buf_view(&body)));
	buf_done_secret(&body);
}

void login_fixture_post(struct login_fixture *l, const struct login_form_fields *form)
{
	login_fixture_start_post(l, form);
	exchange_fixture_wait(&l->f);
}

void login_fixture_try(struct login_fixture *l, const char *email, const char *password)
{
	login_fixture_post(l, &(struct login_form_fields){ .email = email, .password = password });
}
