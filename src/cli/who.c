/*
 * who.c - claims may hold anything, so whatever a terminal could take for a command is left out when they are printed
 */

#include "cli/who.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/gateway_request.h"
#include "jose/json_strict.h"

#define DEPTH_MAX 8

/* Escaping makes at most six bytes of one. */
#define PRINTED_MAX (6 * GATEWAY_REQUEST_BODY_MAX + 4096)

static struct str get_text(struct who *who, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return arena_copy(&who->arena, str_of(json_string_value(value), json_string_length(value)));
}

static void read_groups(struct who *who, const json_t *array)
{
	size_t count = json_array_size(array);

	if (count > WHO_GROUPS_MAX)
		count = WHO_GROUPS_MAX;
	who->groups = arena_alloc_array(&who->arena, count, sizeof(*who->groups));
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_array_get(array, i);

		if (json_is_string(value))
			who->groups[who->group_count++] = arena_copy(
				&who->arena,
				str_of(json_string_value(value), json_string_length(value)));
	}
}

int who_read(struct str json, struct who *ret, struct err *e)
{
	json_auto_t *object = json_strict_read(json, DEPTH_MAX, e);
	struct who who = { 0 };

	if (!object)
		return -1;
	who.email = get_text(&who, object, "email");
	who.name = get_text(&who, object, "name");
	who.id = get_text(&who, object, "sub");
	read_groups(&who, json_object_get(object, "groups"));
	*ret = who;
	return 0;
}

void who_done(struct who *who)
{
	arena_done(&who->arena);
	*who = (struct who){ 0 };
}

struct str who_name(const struct who *who)
{
	if (!str_is_empty(who->email))
		return who->email;
	return str_is_empty(who->id) ? STR("somebody") : who->id;
}

static void print_text(struct str text, FILE *out)
{
	struct buf shown = BUF_INIT(text.len);

	(void)utf8_append_shown(&shown, text);       /* not longer than before */
	(void)fwrite(shown.data, 1, shown.len, out); /* the caller looks at out */
	buf_done(&shown);
}

static void print_row(const char *label, struct str text, FILE *out)
{
	if (str_is_empty(text))
		return;
	fputs(label, out);
	print_text(text, out);
	fputc('\n', out);
}

void who_print(const struct who *who, const char *gateway_name, FILE *out)
{
	char expires[CLOCK_RFC3339_MAX];

	print_row("", who_name(who), out);
	print_row("gateway: ", str_from(gateway_name), out);
	print_row("name:    ", who->name, out);
	print_row("id:      ", who->id, out);
	if (who->group_count > 0)
		fputs("groups:  ", out);
	for (size_t i = 0; i < who->group_count; i++) {
		print_text(who->groups[i], out);
		fputs(i + 1 < who->group_count ? ", " : "\n", out);
	}
	if (who->expires_unix <= 0)
		return;
	clock_format_rfc3339(who->expires_unix, expires);
	print_row("expires: ", str_from(expires), out);
}

static void write_text(struct json_writer *w, struct str key, struct str value)
{
	json_key(w, key);
	json_text(w, value);
}

void who_print_json(const struct who *who, const char *gateway_name, FILE *out)
{
	struct buf text = BUF_INIT(PRINTED_MAX);
	struct json_writer w = { .out = &text };
	char expires[CLOCK_RFC3339_MAX];

	json_object_begin(&w);
	write_text(&w, STR("gateway"), str_from(gateway_name));
	write_text(&w, STR("email"), who->email);
	write_text(&w, STR("name"), who->name);
	write_text(&w, STR("id"), who->id);
	json_key(&w, STR("groups"));
	json_array_begin(&w);
	for (size_t i = 0; i < who->group_count; i++)
		json_text(&w, who->groups[i]);
	json_array_end(&w);
	if (who->expires_unix > 0) {
		clock_format_rfc3339(who->expires_unix, expires);
		write_text(&w, STR("expires_at"), str_from(expires));
	}
	json_object_end(&w);
	fprintf(out, "%.*s\n", STR_FMT(buf_view(&text)));
	buf_done(&text);
}
