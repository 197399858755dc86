/*
 * url_query.c - query strings: parameters in the order of the text, sorted only when formatted
 */

#include "base/url.h"

#include <assert.h>

#include "base/codec.h"

static int unescape_into_arena(struct str text, struct arena *arena, struct str *ret)
{
	struct buf plain = BUF_INIT(text.len);
	int rc = query_unescape(&plain, text);

	if (rc == 0)
		*ret = arena_copy(arena, buf_view(&plain));
	buf_done_secret(&plain); /* codes and tokens travel in queries */
	return rc;
}

static int parse_param(struct str piece, struct arena *arena, struct query_param *ret)
{
	size_t equals = str_find(piece, '=');

	if (unescape_into_arena(str_first(piece, equals), arena, &ret->name) < 0)
		return -1;
	return unescape_into_arena(str_from_pos(piece, equals + 1), arena, &ret->value);
}

int query_parse(struct str text, struct arena *arena, struct query *ret, struct err *e)
{
	struct query q = { 0 };
	struct str rest = text;
	struct str piece;

	if (text.len > URL_MAX)
		return err_set(e, ERR_LIMIT, "the query is longer than %d bytes", URL_MAX);
	while (str_cut(&rest, '&', &piece)) {
		if (piece.len == 0)
			continue;
		if (q.count == QUERY_PARAMS_MAX)
			return err_set(e, ERR_LIMIT, "the query has more than %d parameters",
				       QUERY_PARAMS_MAX);
		if (parse_param(piece, arena, &q.items[q.count]) < 0)
			return err_set(e, ERR_PROTOCOL, "the query has a broken %%-sequence");
		q.count++;
	}
	*ret = q;
	return 0;
}

bool query_get(const struct query *q, struct str name, struct str *ret_value)
{
	for (size_t i = 0; i < q->count; i++) {
		if (str_equal(q->items[i].name, name)) {
			*ret_value = q->items[i].value;
			return true;
		}
	}
	return false;
}

void query_add(struct query *q, struct str name, struct str value)
{
	assert(q->count < QUERY_PARAMS_MAX);
	q->items[q->count++] = (struct query_param){ .name = name, .value = value };
}

void query_remove(struct query *q, struct str name)
{
	size_t kept = 0;

	for (size_t i = 0; i < q->count; i++) {
		if (!str_equal(q->items[i].name, name))
			q->items[kept++] = q->items[i];
	}
	q->count = kept;
}

/* Insertion sort: stable, and there are few. */
static void sort_by_name(const struct query *q, const struct query_param **sorted)
{
	for (size_t i = 0; i < q->count; i++) {
		size_t at = i;
		while (at > 0 && str_compare(sorted[at - 1]->name, q->items[i].name) > 0) {
			sorted[at] = sorted[at - 1];
			at--;
		}
		sorted[at] = &q->items[i];
	}
}

static int format_param(const struct query_param *param, struct buf *out)
{
	if (query_escape(out, param->name) < 0 || buf_append_char(out, '=') < 0)
		return -1;
	return query_escape(out, param->value);
}

int query_format_canonical(const struct query *q, struct buf *out)
{
	const struct query_param *sorted[QUERY_PARAMS_MAX];
	size_t before = out->len;

	sort_by_name(q, sorted);
	for (size_t i = 0; i < q->count; i++) {
		if ((i > 0 && buf_append_char(out, '&') < 0) || format_param(sorted[i], out) < 0) {
			buf_truncate(out, before);
			return -1;
		}
	}
	return 0;
}
