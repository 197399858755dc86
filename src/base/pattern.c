#include "base/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

/*
 * PCRE2 knows more than we want: what it does by going back over the text again and again. It has no option against
 * that, so the pattern is looked through first, and refused at what RE2 would refuse, too. What remains is still
 * matched by backtracking: the limits end that.
 */

#define NESTING_MAX 100

struct pattern {
	pcre2_code *code;
	pcre2_match_context *limits;
};

/* ---- what is not taken ---- */

struct scan {
	struct str text;
	size_t at;
	bool is_in_class;
};

static char scan_peek(const struct scan *s, size_t ahead)
{
	return s->at + ahead < s->text.len ? s->text.at[s->at + ahead] : '\0';
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* Behind the backslash. */
static const char *refuse_escape(struct scan *s)
{
	char c = scan_peek(s, 0);

	s->at++;
	if (c == 'Q') {
		while (s->at < s->text.len &&
		       !(s->text.at[s->at] == '\\' && scan_peek(s, 1) == 'E'))
			s->at++;
		s->at += 2;
		return NULL;
	}
	if (s->is_in_class)
		return NULL;
	if ((c >= '1' && c <= '9') || is_one_of(c, "gk"))
		return "back-references are not supported";
	if (is_one_of(c, "CGKRXZ"))
		return "this escape is not supported";
	return NULL;
}

/* Behind "(?". */
static const char *refuse_group(struct scan *s)
{
	char c = scan_peek(s, 0);

	if (c == 'P' || c == '<') {
		size_t name = c == 'P' ? 2 : 1;

		if (c == 'P' && scan_peek(s, 1) != '<')
			return "back-references are not supported";
		if (is_one_of(scan_peek(s, name), "=!"))
			return "lookaround is not supported";
		return NULL;
	}
	if (is_one_of(c, "=!"))
		return "lookaround is not supported";
	while (is_one_of(scan_peek(s, 0), "imsU-"))
		s->at++;
	if (!is_one_of(scan_peek(s, 0), ":)"))
		return "this kind of group is not supported";
	return NULL;
}

static const char *refuse_next(struct scan *s)
{
	char c = scan_peek(s, 0);

	s->at++;
	if (c == '\\')
		return refuse_escape(s);
	if (s->is_in_class) {
		s->is_in_class = c != ']';
		return NULL;
	}
	if (c == '[') {
		s->is_in_class = true;
		/* the first one is an ordinary character */
		s->at += scan_peek(s, 0) == '^';
		s->at += scan_peek(s, 0) == ']';
		return NULL;
	}
	if (c != '(' || !is_one_of(scan_peek(s, 0), "?*"))
		return NULL;
	if (scan_peek(s, 0) == '*')
		return "verbs are not supported";
	s->at++;
	return refuse_group(s);
}

static int refuse(struct str text, struct err *e)
{
	struct scan s = { .text = text };

	if (text.len > PATTERN_LEN_MAX)
		return err_set(e, ERR_CONFIG, "a pattern of more than %d bytes", PATTERN_LEN_MAX);
	while (s.at < text.len) {
		size_t begin = s.at;
		const char *why = refuse_next(&s);

		if (why)
			return err_set(e, ERR_CONFIG, "at character %zu: %s", begin + 1, why);
	}
	return 0;
}

/* ---- compiling ---- */

static pcre2_code *compile(struct str text, pcre2_compile_context *context, struct err *e)
{
	PCRE2_SIZE at = 0;
	int error = 0;
	PCRE2_UCHAR why[256];
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)(text.at ? text.at : ""), text.len,
					 PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF |
						 PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C,
					 &error, &at, context);

	if (code)
		return code;
	if (pcre2_get_error_message(error, why, sizeof(why)) < 0)
		why[0] = '\0';
	err_set(e, ERR_CONFIG, "at character %zu: %s", (size_t)at + 1, (const char *)why);
	return NULL;
}

int pattern_new(struct str text, struct pattern **ret, struct err *e)
{
	pcre2_compile_context *context;
	pcre2_match_context *limits;
	pcre2_code *code = NULL;

	if (refuse(text, e) < 0)
		return -1;
	context = pcre2_compile_context_create(NULL);
	limits = pcre2_match_context_create(NULL);
	if (context && limits) {
		pcre2_set_newline(context, PCRE2_NEWLINE_LF);
		pcre2_set_parens_nest_limit(context, NESTING_MAX);
		pcre2_set_match_limit(limits, PATTERN_STEPS_MAX);
		pcre2_set_depth_limit(limits, PATTERN_STEPS_MAX);
		pcre2_set_heap_limit(limits, PATTERN_MEMORY_KIB);
		code = compile(text, context, e);
	} else {
		err_set(e, ERR_LIMIT, "no memory for a pattern");
	}
	pcre2_compile_context_free(context);
	if (!code) {
		pcre2_match_context_free(limits);
		return -1;
	}
	*ret = mem_alloc(sizeof(**ret));
	**ret = (struct pattern){ .code = code, .limits = limits };
	return 0;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_code_free(pattern->code);
	pcre2_match_context_free(pattern->limits);
	mem_free(pattern);
}

bool pattern_matches(const struct pattern *pattern, struct str text)
{
	pcre2_match_data *where = pcre2_match_data_create(1, NULL);
	int result = PCRE2_ERROR_NOMEMORY;

	if (where)
		result = pcre2_match(pattern->code, (PCRE2_SPTR)(text.at ? text.at : ""), text.len,
				     0, 0, where, pattern->limits);
	pcre2_match_data_free(where);
	return result >= 0;
}
