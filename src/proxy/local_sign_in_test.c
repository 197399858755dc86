/*
 * local_sign_in_test.c - the login form: its token, and where it leads next (extensions.md 2)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/url.h"
#include "session/store.h"
#include "tests/support/login_fixture.h"

/* ---- the form itself ---- */

static void test_form(void **state)
{
	struct login_fixture *l = *state;
	char expected[256];

	(void)snprintf(
		expected, sizeof(expected),
		"_pomerium_csrf=%s; Path=/; Expires=Thu, 01 Jan 2026 12:00:00 GMT; HttpOnly; "
		"Secure; SameSite=Strict",
		l->csrf);
	assert_true(str_equal(exchange_fixture_header(&l->f, "set-cookie"), str_from(expected)));
	assert_true(
		str_equal(exchange_fixture_header(&l->f, "x-frame-options"), STR("SAMEORIGIN")));
	(void)snprintf(expected, sizeof(expected),
		       "<input type=\"hidden\" name=\"csrf\" value=\"%s\">\n", l->csrf);
	assert_true(exchange_fixture_body_has(&l->f, expected));
	assert_true(exchange_fixture_body_has(
		&l->f, "<form method=\"post\" action=\"/.pomerium/local/sign_in\">\n"));
	assert_true(exchange_fixture_body_has(
		&l->f, "name=\"next\" value=\"/.pomerium/sign_in?pomerium_expiry=1767225900&amp;"));
	assert_false(exchange_fixture_body_has(&l->f, "<script"));
}

/* A token the browser has stays, so that two open forms both work; one that is not ours is replaced. */
static void test_csrf_is_kept(void **state)
{
	static const char *const foreign[] = {
		"",
		"x",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"<script>alert(1)</script>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct login_fixture *l = *state;
	char header[256];
	char first[LOGIN_CSRF_LEN + 1];

	memcpy(first, l->csrf, sizeof(first));
	(void)snprintf(header, sizeof(header), "Cookie: _pomerium_csrf=%s\r\n", first);
	login_fixture_get(l, buf_view(&l->next), header);
	login_fixture_take_csrf(l);
	assert_string_equal(l->csrf, first);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		(void)snprintf(header, sizeof(header), "Cookie: _pomerium_csrf=%s\r\n", foreign[i]);
		login_fixture_get(l, buf_view(&l->next), header);
		login_fixture_take_csrf(l);
		assert_string_not_equal(l->csrf, foreign[i]);
		assert_string_not_equal(l->csrf, first);
		assert_false(exchange_fixture_body_has(&l->f, "<script"));
	}
}

static void expect_refused_form(struct login_fixture *l, const struct login_form_fields *form)
{
	login_fixture_post(l, form);
	assert_int_equal(l->f.status, 400);
	assert_true(str_is_empty(exchange_fixture_header(&l->f, "set-cookie")));
	assert_int_equal(store_index_size(l->f.worker.shared.store), 0);
	assert_null(strstr(exchange_fixture_log(&l->f), "\"logged in\""));
}

static void test_csrf(void **state)
{
	struct login_fixture *l = *state;
	static const char zeros[] =
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	char cut[LOGIN_CSRF_LEN + 2];
	char longer[LOGIN_CSRF_LEN + 2];
	char other[LOGIN_CSRF_LEN + 1];

	memcpy(cut, l->csrf, sizeof(other));
	cut[LOGIN_CSRF_LEN - 1] = '\0';
	(void)snprintf(longer, sizeof(longer), "%sA", l->csrf);
	memcpy(other, l->csrf, sizeof(other));
	other[0] = other[0] == 'A' ? 'B' : 'A';

	const struct {
		const char *cookie;
		const char *csrf;
	} rows[] = {
		{ NULL, "" },     { "", NULL },       { "", "" },       { NULL, other },
		{ other, NULL },  { other, other },   { cut, cut },     { NULL, cut },
		{ cut, NULL },    { longer, longer }, { NULL, longer }, { longer, NULL },
		{ zeros, zeros }, { "x", "x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_refused_form(l, &(struct login_form_fields){ .cookie = rows[i].cookie,
								    .csrf = rows[i].csrf,
								    .email = "alice@example.com",
								    .password = FIXTURE_PASSWORD });
	/* It was not the rest of the form. */
	login_fixture_try(l, "alice@example.com", FIXTURE_PASSWORD);
	assert_int_equal(l->f.status, 303);
}

/* Made under another cookie secret: by another gateway, or before the secret was changed. */
static void test_csrf_of_others(void **state)
{
	struct login_fixture *l = *state;

	l->f.worker.snapshot->config->keys.cookie_secret[0] ^= 1;
	expect_refused_form(l, &(struct login_form_fields){ .email = "alice@example.com",
							    .password = FIXTURE_PASSWORD });
}

static void test_content_types(void **state)
{
	static const struct {
		const char *type;
		int status;
	} rows[] = {
		{ "application/x-www-form-urlencoded; charset=UTF-8", 303 },
		{ "Application/X-WWW-form-urlencoded", 303 },
		{ "text/plain", 400 },
		{ "multipart/form-data; boundary=x", 400 },
		{ "application/x-www-form-urlencoded2", 400 },
		{ "", 400 },
	};
	struct login_fixture *l = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		login_fixture_post(l, &(struct login_form_fields){ .type = rows[i].type,
								   .email = "alice@example.com",
								   .password = FIXTURE_PASSWORD });
		assert_int_equal(l->f.status, rows[i].status);
	}
	exchange_fixture_send(
		&l->f, STR("POST " LOGIN_FORM_PATH " HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST "\r\n"
			   "Content-Type: application/x-www-form-urlencoded\r\n\r\n%zz"));
	assert_int_equal(l->f.status, 400);
}

/* ---- next ---- */

#define OWN_HOST "https://" FIXTURE_AUTH_HOST

static void expect_bad_next(struct login_fixture *l, struct str next)
{
	login_fixture_get(l, next, "");
	if (l->f.status != 400)
		fail_msg("%.*s", STR_FMT(next));
	assert_false(exchange_fixture_body_has(&l->f, "<form"));
	expect_refused_form(l, &(struct login_form_fields){ .next = next,
							    .email = "alice@example.com",
							    .password = FIXTURE_PASSWORD });
}

static void test_next(void **state)
{
	struct login_fixture *l = *state;
	struct buf url = BUF_INIT(URL_MAX);
	struct buf changed = BUF_INIT(URL_MAX);
	struct str genuine = buf_view(&l->next);

	expect_bad_next(l, STR(""));
	expect_bad_next(l, STR("/.pomerium/sign_in"));
	expect_bad_next(l, STR("/.pomerium/sign_in?"));
	expect_bad_next(l,
			STR("/.pomerium/sign_in?pomerium_redirect_uri=https%3A%2F%2Fevil.example"));
	expect_bad_next(l, STR("https://evil.example/"));
	expect_bad_next(l, STR("//evil.example/"));
	expect_bad_next(l, STR("\"><script>alert(1)</script>"));
	expect_bad_next(l, login_fixture_sign(l, "https://evil.example/.pomerium/sign_in",
					      FIXTURE_NOW, &url));
	expect_bad_next(
		l, login_fixture_sign(l, OWN_HOST ":8443/.pomerium/sign_in", FIXTURE_NOW, &url));
	expect_bad_next(l,
			login_fixture_sign(l, OWN_HOST "/.pomerium/sign_out", FIXTURE_NOW, &url));
	expect_bad_next(l,
			login_fixture_sign(l, OWN_HOST "/.pomerium/sign_in/", FIXTURE_NOW, &url));
	expect_bad_next(
		l, login_fixture_sign(l, OWN_HOST "/.pomerium/sign_in", FIXTURE_NOW - 361, &url));
	expect_bad_next(
		l, login_fixture_sign(l, OWN_HOST "/.pomerium/sign_in", FIXTURE_NOW + 61, &url));
	/* The whole URL instead of its path. */
	(void)login_fixture_sign(l, OWN_HOST "/.pomerium/sign_in", FIXTURE_NOW, &url);
	expect_bad_next(l, buf_view(&url));

	(void)buf_printf(&changed, "%.*s&pomerium_programmatic=true", STR_FMT(genuine));
	expect_bad_next(l, buf_view(&changed));
	buf_truncate(&changed, 0);
	(void)buf_printf(&changed, "%.*s\r\nset-cookie: a=b", STR_FMT(genuine));
	expect_bad_next(l, buf_view(&changed));
	buf_done(&changed);
	buf_done(&url);
}

static void test_next_missing(void **state)
{
	struct login_fixture *l = *state;

	exchange_fixture_send(&l->f, STR("GET " LOGIN_FORM_PATH
					 " HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST "\r\n\r\n"));
	assert_int_equal(l->f.status, 400);
	exchange_fixture_send(&l->f,
			      STR("GET " LOGIN_FORM_PATH
				  "?next=%zz HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST "\r\n\r\n"));
	assert_int_equal(l->f.status, 400);
}

/* A form with the right token, sent with these headers; email is escaped already. */
static int post_with(struct login_fixture *l, const char *headers, const char *email)
{
	struct buf body = BUF_INIT(URL_MAX);

	(void)buf_printf(&body, "csrf=%s&email=%s&password=correct+horse&next=", l->csrf, email);
	(void)query_escape(&body, buf_view(&l->next));
	exchange_fixture_sendf(&l->f,
			       "POST " LOGIN_FORM_PATH " HTTP/1.1\r\nHost: " FIXTURE_AUTH_HOST
			       "\r\nContent-Type: application/x-www-form-urlencoded\r\n%s"
			       "Cookie: _pomerium_csrf=%s\r\nContent-Length: %zu\r\n\r\n%.*s",
			       headers, l->csrf, body.len, STR_FMT(buf_view(&body)));
	buf_done_secret(&body);
	exchange_fixture_wait(&l->f);
	return l->f.status;
}

/* Planted cookie and token of the attacker: the browser tells on him. */
static void test_origin(void **state)
{
	static const char *const others[] = {
		"null",
		"https://evil.example.com",
		"http://" FIXTURE_AUTH_HOST,
		"https://" FIXTURE_AUTH_HOST ":8443",
		"https://" FIXTURE_AUTH_HOST ".evil.example",
		"",
	};
	struct login_fixture *l = *state;
	char header[256];

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		(void)snprintf(header, sizeof(header), "Origin: %s\r\n", others[i]);
		if (post_with(l, header, "alice@example.com") != 400)
			fail_msg("%s: %d", others[i], l->f.status);
	}
	assert_int_equal(
		post_with(l, "Origin: https://Authenticate.example.com\r\n", "alice@example.com"),
		303);
	assert_int_equal(post_with(l, "", "alice@example.com"), 303);
}

/* The guard would count a name of the attacker's choice, one per try. */
static void test_email_with_nul(void **state)
{
	struct login_fixture *l = *state;

	assert_int_equal(post_with(l, "", "alice@example.com%00"), 400);
	assert_int_equal(post_with(l, "", "alice@example.com%00x"), 400);
	assert_int_equal(post_with(l, "", "%00"), 400);
	assert_int_equal(store_index_size(l->f.worker.shared.store), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_origin, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_email_with_nul, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_form, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_csrf_is_kept, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_csrf, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_csrf_of_others, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_content_types, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_next, login_fixture_setup,
						login_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_next_missing, login_fixture_setup,
						login_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
