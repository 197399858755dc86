/*
 * pages_test.c - every page with plain facts, and with facts that try to break out of their places
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "proxy/pages/page.h"
#include "proxy/pages/pages.h"

#define ROUNDS         300
#define CLAIM_TEXT_LEN (128u * 1024)

/* A page is written with the same text in the place of every fact. */
typedef void write_function(struct buf *out, struct str fact);

static void write_login(struct buf *out, struct str fact)
{
	login_page_write(out, &(struct login_page){ fact, fact, fact, fact, fact });
}

static void write_user(struct buf *out, struct str fact)
{
	const struct str groups[] = { fact, fact };
	const struct user_page facts = {
		.email = fact,
		.name = fact,
		.user_id = fact,
		.groups = groups,
		.group_count = 2,
		.session_id = fact,
	};

	user_page_write(out, &facts, fact);
}

static void write_sign_out(struct buf *out, struct str fact)
{
	sign_out_page_write(out, fact);
}

static void write_device_code(struct buf *out, struct str fact)
{
	device_code_page_write(out, &(struct device_code_page){ fact, fact });
}

static void write_device_question(struct buf *out, struct str fact)
{
	device_question_page_write(out, &(struct device_question_page){
						.email = fact,
						.csrf = fact,
						.user_code = fact,
						.client_name = fact,
						.client_address = fact,
					});
}

static void write_error(struct buf *out, struct str fact)
{
	error_page_write(out, &(struct error_page){ 403, fact, fact, fact, fact });
}

static const struct {
	const char *name;
	write_function *write;
} pages[] = {
	{ "login", write_login },
	{ "user", write_user },
	{ "sign out", write_sign_out },
	{ "device code", write_device_code },
	{ "device question", write_device_question },
	{ "error", write_error },
};

/*
 * What a browser sees of a page's structure: tags and attributes with "" for each value, "." for text. Fails on anything that
 * is no plain HTML.
 */
static void read_structure(struct str page, struct buf *out)
{
	enum { TEXT, TAG, VALUE } at = TEXT;

	for (size_t i = 0; i < page.len; i++) {
		char c = page.at[i];

		switch (at) {
		case TEXT:
			if (c == '<')
				at = TAG;
			else if (out->len == 0 || out->data[out->len - 1] != '.')
				c = '.';
			else
				continue;
			break;
		case TAG:
			assert_true(c != '<' && c != '\'');
			if (c == '>')
				at = TEXT;
			else if (c == '"')
				at = VALUE;
			break;
		case VALUE:
			if (c != '"')
				continue;
			at = TAG;
			break;
		}
		assert_int_equal(buf_append_char(out, c), 0);
	}
	assert_int_equal(at, TEXT);
}

static void structure_of(write_function *write, struct str fact, struct buf *out)
{
	struct buf page = BUF_INIT(PAGE_MAX);

	write(&page, fact);
	assert_false(page.is_overflown);
	*out = BUF_INIT(PAGE_MAX);
	read_structure(buf_view(&page), out);
	buf_done(&page);
}

static void expect_same_structure(size_t i, struct str fact)
{
	struct buf plain;
	struct buf hostile;

	structure_of(pages[i].write, STR("x"), &plain);
	structure_of(pages[i].write, fact, &hostile);
	if (!str_equal(buf_view(&plain), buf_view(&hostile)))
		fail_msg("%s: %.*s", pages[i].name, STR_FMT(fact));
	buf_done(&plain);
	buf_done(&hostile);
}

static void test_hostile_texts(void **state)
{
	static const char *const texts[] = {
		"<script>alert(1)</script>",
		"\"><img src=x onerror=alert(1)>",
		"' onfocus='alert(1)' autofocus='",
		"\" onfocus=\"alert(1)\" autofocus=\"",
		"</title></h1></p></dd><h1>",
		"-->",
		"<!--",
		"]]>",
		"&lt;b&gt;",
		"&#60;b&#62;",
		"javascript:alert(1)",
		"\xc0\xbcscript\xc0\xbe",
		"\xe2\x80\xae<b>",
		"\xff\xfe<\x80",
		"a\r\n\r\n<b>",
		"<",
		">",
		"\"",
		"'",
		"&",
	};

	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		for (size_t j = 0; j < ARRAY_LEN(texts); j++)
			expect_same_structure(i, str_from(texts[j]));
}

/* Made of what HTML is made of, and of any bytes. */
static void make_noise(char *text, size_t len)
{
	static const char special[] = "<>\"'&=/-!; \n";

	random_bytes(text, len);
	for (size_t i = 0; i < len; i++)
		if (text[i] & 1)
			text[i] = special[(unsigned char)text[i] % (sizeof(special) - 1)];
}

static void test_noise(void **state)
{
	char text[200];

	for (int round = 0; round < ROUNDS; round++) {
		make_noise(text, sizeof(text));
		for (size_t i = 0; i < ARRAY_LEN(pages); i++)
			expect_same_structure(i, str_of(text, sizeof(text)));
	}
}

static bool has(const struct buf *page, const char *text)
{
	return str_contains(buf_view(page), str_from(text));
}

/* Nothing of a page runs, or comes from elsewhere; every field has its label; the document is whole. */
static void test_frame(void **state)
{
	static const char *const wanted[] = {
		"<!doctype html>\n<html lang=\"en\">",
		"<meta charset=\"utf-8\">",
		"<meta name=\"viewport\"",
		"<title>",
		"<main>\n<h1>",
		"</main>",
		"</html>\n",
	};
	static const char *const unwanted[] = { "<script", "style=", "javascript:", "http:",
						"https:",  "<img",   " onclick" };

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		struct buf page = BUF_INIT(PAGE_MAX);

		pages[i].write(&page, STR("x"));
		for (size_t j = 0; j < ARRAY_LEN(wanted); j++)
			if (!has(&page, wanted[j]))
				fail_msg("%s: no %s", pages[i].name, wanted[j]);
		for (size_t j = 0; j < ARRAY_LEN(unwanted); j++)
			if (has(&page, unwanted[j]))
				fail_msg("%s: %s", pages[i].name, unwanted[j]);
		buf_done(&page);
	}
}

static void expect_texts(struct buf *page, const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!has(page, texts[i]))
			fail_msg("no %s in %.*s", texts[i], STR_FMT(buf_view(page)));
	buf_done(page);
}

static void test_login(void **state)
{
	static const char *const first[] = {
		"<title>Log in - Pomerium</title>",
		"at login.example.com",
		"<form method=\"post\" action=\"/.pomerium/local/sign_in\">\n",
		"<input type=\"hidden\" name=\"csrf\" value=\"c&amp;\">\n",
		"<input type=\"hidden\" name=\"next\" value=\"/n?a=b&amp;c\">\n",
		"<label for=\"email\">E-mail</label>\n<input id=\"email\" name=\"email\" type=\"email\"",
		"required autofocus value=\"\">",
		"<label for=\"password\">Password</label>\n<input id=\"password\" name=\"password\" "
		"type=\"password\" autocomplete=\"current-password\" required>",
	};
	static const char *const again[] = {
		"<p class=\"problem\" role=\"alert\">Wrong &lt;it is&gt;.</p>\n",
		"required value=\"alice@example.com\">",
		"autocomplete=\"current-password\" required autofocus>",
	};
	struct login_page facts = {
		.host = STR("login.example.com"),
		.csrf = STR("c&"),
		.next = STR("/n?a=b&c"),
	};
	struct buf page = BUF_INIT(PAGE_MAX);

	login_page_write(&page, &facts);
	assert_false(has(&page, "role=\"alert\""));
	expect_texts(&page, first, ARRAY_LEN(first));
	facts.email = STR("alice@example.com");
	facts.problem = STR("Wrong <it is>.");
	login_page_write(&page, &facts);
	expect_texts(&page, again, ARRAY_LEN(again));
}

static void test_user(void **state)
{
	static const char *const nobody[] = { "<h1>You are not logged in</h1>",
					      "<footer>Request r-1</footer>" };
	static const char *const endless[] = {
		"<h1>You are logged in</h1>",
		"<dt>Groups</dt>\n<dd>g</dd>\n",
		"<dd>and 450 more</dd>",
		"<dt>Ends</dt>\n<dd>never</dd>",
	};
	struct str groups[500];
	struct user_page facts = { .groups = groups, .group_count = ARRAY_LEN(groups) };
	struct buf page = BUF_INIT(PAGE_MAX);

	user_page_write(&page, NULL, STR("r-1"));
	expect_texts(&page, nobody, ARRAY_LEN(nobody));
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		groups[i] = STR("g");
	user_page_write(&page, &facts, STR(""));
	assert_false(has(&page, "<dt>E-mail</dt>"));
	expect_texts(&page, endless, ARRAY_LEN(endless));
}

/* However much an identity provider says, the page stays whole; characters are not cut in two. */
static void test_long_values(void **state)
{
	char *text = mem_alloc(CLAIM_TEXT_LEN + 1);
	struct buf page = BUF_INIT(PAGE_MAX);

	for (size_t i = 0; i < CLAIM_TEXT_LEN; i++)
		text[i] = i % 2 ? '\xa4' : '\xc3';
	/* An odd start: the cut would be inside a character. */
	write_user(&page, str_of(text + 1, CLAIM_TEXT_LEN - 1));
	assert_false(page.is_overflown);
	assert_true(has(&page, "\xc3\xa4&hellip;</dd>"));
	assert_true(has(&page, "</html>\n"));
	buf_done(&page);
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		expect_same_structure(i, str_of(text, 200));
	mem_free(text);
}

static void test_device(void **state)
{
	static const char *const question[] = {
		"<p class=\"code\">BCDF-GHJK</p>",
		"<b>alice@example.com</b>",
		"<dd>build &lt;1&gt;</dd>",
		"<dd>203.0.113.7</dd>",
		"<dd>1 minute ago (Thu, 01 Jan 2026 00:00:00 GMT)</dd>",
		"<form method=\"post\" action=\"/.pomerium/device\">\n",
		"<input type=\"hidden\" name=\"user_code\" value=\"BCDFGHJK\">",
		"name=\"answer\" value=\"yes\"",
		"name=\"answer\" value=\"no\"",
	};
	static const char *const nameless[] = { "<dd>(no name given)</dd>",
						"<dd>less than a minute ago (" };
	struct device_question_page facts = {
		.email = STR("alice@example.com"),
		.csrf = STR("c"),
		.user_code = STR("BCDFGHJK"),
		.client_name = STR("build <1>"),
		.client_address = STR("203.0.113.7"),
		.asked_unix = 1767225600,
		.now_unix = 1767225600 + 119,
	};
	struct buf page = BUF_INIT(PAGE_MAX);

	device_question_page_write(&page, &facts);
	expect_texts(&page, question, ARRAY_LEN(question));
	facts.client_name = STR("");
	facts.now_unix = facts.asked_unix - 5;
	device_question_page_write(&page, &facts);
	expect_texts(&page, nameless, ARRAY_LEN(nameless));
}

static void test_error(void **state)
{
	static const struct {
		int status;
		const char *heading;
	} rows[] = {
		{ 400, "<h1>That did not work</h1>" },
		{ 401, "<h1>You have to log in</h1>" },
		{ 403, "<h1>You have no access</h1>" },
		{ 404, "<h1>There is nothing here</h1>" },
		{ 429, "<h1>Too many tries</h1>" },
		{ 500, "<h1>Something went wrong</h1>" },
		{ 503, "<h1>Not available just now</h1>" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *const texts[] = {
			rows[i].heading,
			"<p role=\"alert\">It is so.</p>\n<p>Do that.</p>\n</main>\n<footer>",
			" Words \302\267 Request r-1</footer>",
		};
		struct buf page = BUF_INIT(PAGE_MAX);

		error_page_write(&page, &(struct error_page){ rows[i].status, STR("Words"),
							      STR("It is so."), STR("Do that."),
							      STR("r-1") });
		expect_texts(&page, texts, ARRAY_LEN(texts));
	}
}

/* Every class that the pages use is in the style sheet, which loads nothing itself. */
static void test_style(void **state)
{
	struct str style = page_style();

	assert_true(str_contains(style, STR(".problem{")));
	assert_true(str_contains(style, STR(".code{")));
	assert_true(str_contains(style, STR(".buttons{")));
	assert_true(str_contains(style, STR("button.other{")));
	assert_true(str_contains(style, STR("prefers-color-scheme:dark")));
	assert_true(str_contains(style, STR(":focus-visible")));
	assert_false(str_contains(style, STR("url(")));
	assert_false(str_contains(style, STR("@import")));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_texts), cmocka_unit_test(test_noise),
		cmocka_unit_test(test_frame),         cmocka_unit_test(test_login),
		cmocka_unit_test(test_user),          cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_device),        cmocka_unit_test(test_error),
		cmocka_unit_test(test_style),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
