#include "proxy/cmd_admin_client.h"

#include <stdio.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/random.h"
#include "config/config.h"
#include "http/fetch.h"
#include "identity/claims.h"
#include "io/loop.h"
#include "proxy/cmd_admin_client_table.h"
#include "proxy/commands.h"
#include "proxy/state_dir.h"

#define PATH_LEN_MAX 4096
#define URL_LEN_MAX  8192
#define TIMEOUT_MS   60000

/* ---- where it is ---- */

static int find_in_config(const char *file, struct buf *out, struct err *e)
{
	struct report report = { 0 };
	struct config *config = NULL;
	int result = config_load(file, &config, &report, e);

	report_done(&report);
	if (result < 0)
		return -1;
	if (!str_is_empty(config->operator.admin_socket))
		(void)buf_append_str(out, config->operator.admin_socket);
	config_free(config);
	return 0;
}

static int find_socket(const struct admin_flags *flags, struct buf *out, struct err *e)
{
	if (flags->socket)
		return buf_append_str(out, str_from(flags->socket));
	if (flags->config && find_in_config(flags->config, out, e) < 0)
		return -1;
	if (out->len > 0)
		return 0;
	if (state_dir_path(out, e) < 0)
		return -1;
	return buf_append_str(out, STR("/admin.sock"));
}

/* ---- asking ---- */

struct conversation {
	struct loop *loop;
	const char *socket;
	struct buf *body;
	bool takes_refusal;
	int result;
};

/* The server's own sentence, if its answer has one. */
static void complain(const struct fetch_response *response)
{
	struct arena arena = { 0 };
	struct claims claims = { 0 };
	struct str sentence = { 0 };

	if (claims_parse(response->body, &arena, &claims, NULL) == 0)
		sentence = claims_text(&claims, STR("error"));
	if (str_is_empty(sentence))
		(void)command_fail(1, "the gateway answers with status %d", response->status);
	else
		(void)command_fail(1, "%.*s", STR_FMT(sentence));
	arena_done(&arena);
}

static void on_answer(void *arg, const struct fetch_response *response, const struct err *e)
{
	struct conversation *c = arg;

	loop_stop(c->loop);
	c->result = -1;
	if (!response && (e->kind == ERR_REFUSED || e->kind == ERR_UNREACHABLE))
		(void)command_fail(
			1, "is the gateway running? nobody listens at %s (or you may not connect)",
			c->socket);
	else if (!response)
		(void)command_fail(1, "%s: %s", c->socket, e->text);
	else if (response->status / 100 != 2 && !c->takes_refusal)
		complain(response);
	else if (buf_append_str(c->body, response->body) == 0)
		c->result = response->status / 100 != 2;
}

static void converse(struct conversation *c, const struct admin_ask *ask)
{
	const struct http_header headers[] = {
		{ STR("accept"),
		  ask->wants_lines ? STR("text/tab-separated-values") : STR("application/json") },
		{ STR("content-type"), STR("application/json") },
	};
	struct buf url = BUF_INIT(URL_LEN_MAX);
	struct err e = { 0 };
	struct fetcher *fetcher = fetcher_new(
		c->loop, &(struct fetcher_options){ .unix_socket_path = c->socket }, &e);

	c->result = -1;
	(void)buf_printf(&url, "http://gateway/%.*s", STR_FMT(ask->path));
	if (!fetcher) {
		(void)command_fail(1, "%s", e.text);
	} else {
		(void)fetch_start(fetcher,
				  &(struct fetch_request){
					  .method = str_from(ask->method),
					  .url = buf_view(&url),
					  .headers = headers,
					  .header_count = ARRAY_LEN(headers),
					  .body = ask->body,
					  .timeout_ms = TIMEOUT_MS,
					  .body_max = ADMIN_ANSWER_MAX,
				  },
				  on_answer, c);
		loop_run(c->loop);
	}
	fetcher_free(fetcher);
	buf_done(&url);
}

int admin_ask(const struct admin_flags *flags, const struct admin_ask *ask, struct buf *ret_body)
{
	struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct conversation c = { .body = ret_body, .takes_refusal = ask->takes_refusal };
	struct err e = { 0 };
	int result = find_socket(flags, &path, &e);
	_cleanup_(mem_freep) char *socket = buf_take_string(&path);

	if (result < 0)
		return command_fail(-1, "%s",
				    *e.text ? e.text : "the path of the socket is too long");
	c.socket = socket;
	c.loop = loop_new();
	converse(&c, ask);
	loop_turn(c.loop, false);
	loop_free(c.loop);
	return c.result;
}

/* ---- for the commands ---- */

void admin_path(struct buf *out, const char *collection, const char *id, const char *user)
{
	(void)buf_printf(out, "%s%s", collection, id ? "/" : "?user=");
	(void)query_escape(out, str_from(id ? id : user));
}

int admin_do(const struct admin_flags *flags, const char *method, struct str path, struct str body,
	     void (*say)(struct str answer))
{
	struct buf answer = BUF_INIT(ADMIN_ANSWER_MAX);
	int result = admin_ask(flags,
			       &(struct admin_ask){ .method = method, .path = path, .body = body },
			       &answer);

	if (result == 0 && flags->json)
		(void)printf("%.*s", STR_FMT(buf_view(&answer)));
	else if (result == 0)
		say(buf_view(&answer));
	buf_done_secret(&answer);
	return result < 0 ? 1 : 0;
}

void admin_print_value(struct str answer, const char *name)
{
	struct arena arena = { 0 };
	struct claims claims = { 0 };

	if (claims_parse(answer, &arena, &claims, NULL) == 0)
		(void)printf("%.*s", STR_FMT(claims_text(&claims, str_from(name))));
	arena_done(&arena);
}

/* The last thing in a page, if there is more: {...,"next":"ID"}. */
static struct str next_of(struct str page, bool is_lines)
{
	const struct str mark = is_lines ? STR("\n#next\t") : STR("\"next\":\"");
	const size_t tail = is_lines ? 1 : 3; /* "}\n, and the newline */
	size_t len = mark.len + UUID_TEXT_LEN + tail;
	struct str end;

	if (page.len < len)
		return STR("");
	end = str_from_pos(page, page.len - len);
	return str_starts_with(end, mark) ? str_first(str_from_pos(end, mark.len), UUID_TEXT_LEN)
					  : STR("");
}

int admin_print_list(const struct admin_flags *flags, const char *collection)
{
	struct buf lines = BUF_INIT(ADMIN_ANSWER_MAX);
	char after[UUID_TEXT_LEN + 1] = "";
	int result;

	do {
		struct buf page = BUF_INIT(ADMIN_ANSWER_MAX);
		char path[64 + UUID_TEXT_LEN];
		struct str next;

		(void)snprintf(path, sizeof(path), "%s?after=%s", collection, after);
		result = admin_ask(flags,
				   &(struct admin_ask){ .method = "GET",
							.path = str_from(path),
							.wants_lines = !flags->json },
				   &page);
		next = next_of(buf_view(&page), !flags->json);
		(void)snprintf(after, sizeof(after), "%.*s", STR_FMT(next));
		if (result == 0 && flags->json)
			(void)printf("%.*s", STR_FMT(buf_view(&page)));
		else if (result == 0)
			result = table_add_page(&lines, buf_view(&page));
		buf_done(&page);
	} while (result == 0 && *after);
	if (result == 0 && !flags->json)
		table_print(buf_view(&lines));
	buf_done(&lines);
	return result < 0 ? 1 : 0;
}

int admin_command(int argc, char **argv, const char *help,
		  int (*run)(const struct admin_flags *flags))
{
	struct admin_flags values = { 0 };
	const struct flag table[] = { ADMIN_FLAGS(values) };
	const char *word = NULL;

	if (flags_parse(table, ARRAY_LEN(table), argc, argv, &word, 0) < 0)
		return EXIT_USAGE;
	if (!values.help)
		return run(&values);
	(void)printf("%s\nFlags:\n", help);
	flags_print(table, ARRAY_LEN(table));
	return 0;
}
