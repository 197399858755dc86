/*
 * log.c - builds lines; how they reach the file is the business of log_sink and log_queue
 *
 * Fields may use FIELDS_MAX bytes of a line. The rest is kept for what every line ends with, so
 * that the time and the message always fit: a message grows at most sixfold when it is escaped.
 */

#include "base/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_console.h"
#include "base/log_file.h"
#include "base/log_queue.h"
#include "base/log_sink.h"
#include "base/mem.h"

#define ESCAPE_GROWTH_MAX 6
#define FRAME_MAX         512
#define FIELDS_MAX        (LOG_LINE_MAX - LOG_MESSAGE_MAX * ESCAPE_GROWTH_MAX - FRAME_MAX)

struct log {
	struct log_file *file;   /* or NULL, and one of the next two: */
	struct log_queue *queue; /* NULL: lines are written by the caller */
	enum log_form form;
	atomic_int level;     /* enum log_level */
	pthread_mutex_t lock; /* one writer at a time, without a queue */
	struct log_sink sink;
	atomic_uint_fast64_t dropped;
};

struct level_name {
	const char *text;
	enum log_level level;
};

/* The first name of each level is the one that is written. */
static const struct level_name level_names[] = {
	{ "trace", LOG_TRACE },  { "debug", LOG_DEBUG }, { "info", LOG_INFO },
	{ "", LOG_INFO },        { "warn", LOG_WARN },   { "warning", LOG_WARN },
	{ "error", LOG_ERROR },  { "fatal", LOG_FATAL }, { "critical", LOG_FATAL },
	{ "panic", LOG_FATAL },  { "off", LOG_OFF },     { "none", LOG_OFF },
	{ "disabled", LOG_OFF },
};

static const char *const console_levels[] = { "TRC", "DBG", "INF", "WRN", "ERR", "FTL", "OFF" };

static void report_dropped(void *arg, uint64_t count, struct buf *out);

struct log *log_new(int fd, enum log_form form, enum log_mode mode, enum log_level level)
{
	struct log *log = mem_alloc(sizeof(*log));

	log->form = form;
	atomic_init(&log->level, (int)level);
	(void)pthread_mutex_init(&log->lock, NULL); /* cannot fail on Linux */
	log_sink_init(&log->sink, fd);
	if (mode == LOG_QUEUED)
		log->queue = log_queue_new(fd, report_dropped,
					   log); /* without a thread: directly */
	return log;
}

struct log *log_new_to_file(struct log_file *file, enum log_level level)
{
	struct log *log = mem_alloc(sizeof(*log));

	log->file = file;
	log->form = LOG_JSON;
	atomic_init(&log->level, (int)level);
	(void)pthread_mutex_init(&log->lock, NULL); /* cannot fail on Linux */
	return log;
}

void log_free(struct log *log)
{
	if (!log)
		return;
	log_queue_free(log->queue);
	(void)pthread_mutex_destroy(&log->lock); /* nobody holds it */
	mem_free(log);
}

bool log_level_parse(struct str text, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (str_equal(text, str_from(level_names[i].text))) {
			*ret = level_names[i].level;
			return true;
		}
	}
	return false;
}

const char *log_level_name(enum log_level level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (level_names[i].level == level)
			return level_names[i].text;
	}
	return "unknown";
}

bool log_is_enabled(const struct log *log, enum log_level level)
{
	return log && level < LOG_OFF &&
	       (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}

void log_set_level(struct log *log, enum log_level level)
{
	atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

enum log_form log_form_for(int fd)
{
	struct str chosen = str_from(getenv("LOG_FORMAT"));

	if (str_equal(chosen, STR("console")))
		return LOG_CONSOLE;
	if (str_equal(chosen, STR("json")))
		return LOG_JSON;
	return isatty(fd) ? LOG_CONSOLE : LOG_JSON;
}

uint64_t log_dropped(const struct log *log)
{
	if (log->file)
		return log_file_dropped(log->file);
	if (log->queue)
		return log_queue_dropped(log->queue);
	return atomic_load_explicit(&log->dropped, memory_order_relaxed);
}

void log_begin(struct log *log, struct log_line *line, enum log_level level, const char *service)
{
	*line = (struct log_line){ .level = level, .service = str_from(service) };
	if (!log_is_enabled(log, level) || (log->file && !log_file_has_file(log->file)))
		return;
	line->log = log;
	line->fields = BUF_INIT(LOG_LINE_MAX);
	if (log->form == LOG_CONSOLE)
		return;
	/* The line is where the caller put it and is not moved, so the writer may point into it. */
	line->json = (struct json_writer){ .out = &line->fields };
	json_object_begin(&line->json);
	json_key(&line->json, STR("level"));
	json_text(&line->json, str_from(log_level_name(level)));
	if (service)
		log_str(line, "service", line->service);
}

/* One value of any kind, so that what a field is and how it is written are two things. */
struct log_value {
	enum { VALUE_STR, VALUE_INT, VALUE_UINT, VALUE_BOOL, VALUE_THOUSANDTHS, VALUE_LIST } kind;
	union {
		struct str text;
		int64_t number;
		uint64_t natural;
		bool truth;
		struct {
			const struct str *items;
			size_t count;
		};
	};
};

static void put_json(struct json_writer *w, const struct log_value *value)
{
	switch (value->kind) {
	case VALUE_STR:
		json_text(w, value->text);
		return;
	case VALUE_INT:
		json_int(w, value->number);
		return;
	case VALUE_UINT:
		json_uint(w, value->natural);
		return;
	case VALUE_BOOL:
		json_bool(w, value->truth);
		return;
	case VALUE_THOUSANDTHS:
		json_thousandths(w, value->natural);
		return;
	case VALUE_LIST:
		json_array_begin(w);
		for (size_t i = 0; i < value->count; i++)
			json_text(w, value->items[i]);
		json_array_end(w);
		return;
	}
}

static void put_console(struct buf *out, const struct log_value *value)
{
	/* numbers look the same in both forms */
	struct json_writer w = { .out = out };

	if (value->kind == VALUE_STR) {
		log_console_value(out, value->text);
		return;
	}
	if (value->kind != VALUE_LIST) {
		put_json(&w, value);
		return;
	}
	(void)buf_append_char(out, '['); /* an overflow is seen in put_field() */
	for (size_t i = 0; i < value->count; i++) {
		if (i > 0)
			(void)buf_append_char(out, ',');
		log_console_value(out, value->items[i]);
	}
	(void)buf_append_char(out, ']');
}

static void put_field(struct log_line *line, const char *key, const struct log_value *value)
{
	if (!line->log)
		return;
	size_t before = line->fields.len;
	if (line->log->form == LOG_CONSOLE) {
		(void)buf_printf(&line->fields, " %s=", key); /* looked at below */
		put_console(&line->fields, value);
	} else {
		json_key(&line->json, str_from(key));
		put_json(&line->json, value);
	}
	if (line->fields.len <= FIELDS_MAX && !line->fields.is_overflown)
		return;
	buf_truncate(&line->fields, before);
	line->fields.is_overflown = false;
	line->is_truncated = true;
}

void log_str(struct log_line *line, const char *key, struct str value)
{
	put_field(line, key, &(struct log_value){ .kind = VALUE_STR, .text = value });
}

void log_cstr(struct log_line *line, const char *key, const char *value)
{
	log_str(line, key, str_from(value));
}

void log_int(struct log_line *line, const char *key, int64_t value)
{
	put_field(line, key, &(struct log_value){ .kind = VALUE_INT, .number = value });
}

void log_uint(struct log_line *line, const char *key, uint64_t value)
{
	put_field(line, key, &(struct log_value){ .kind = VALUE_UINT, .natural = value });
}

void log_bool(struct log_line *line, const char *key, bool value)
{
	put_field(line, key, &(struct log_value){ .kind = VALUE_BOOL, .truth = value });
}

void log_thousandths(struct log_line *line, const char *key, uint64_t value)
{
	put_field(line, key, &(struct log_value){ .kind = VALUE_THOUSANDTHS, .natural = value });
}

void log_str_list(struct log_line *line, const char *key, const struct str *items, size_t count)
{
	put_field(line, key,
		  &(struct log_value){ .kind = VALUE_LIST, .items = items, .count = count });
}

static void end_json(struct log_line *line, struct str message)
{
	char now[CLOCK_RFC3339_MAX];

	if (line->is_truncated) {
		json_key(&line->json, STR("truncated"));
		json_bool(&line->json, true);
	}
	clock_format_rfc3339(clock_now_unix(), now);
	json_key(&line->json, STR("time"));
	json_text(&line->json, str_from(now));
	json_key(&line->json, STR("message"));
	json_text(&line->json, message);
	json_object_end(&line->json);
	(void)buf_append_char(&line->fields, '\n'); /* there is room: see FIELDS_MAX */
}

static void end_console(struct log_line *line, struct str message)
{
	struct buf whole = BUF_INIT(LOG_LINE_MAX);
	char now[CLOCK_KITCHEN_MAX];

	/* there is room for all of this: see FIELDS_MAX */
	clock_format_kitchen(clock_now_unix(), now);
	(void)buf_printf(&whole, "%s %s ", now, console_levels[line->level]);
	if (line->service.len)
		(void)buf_printf(&whole,
				 "%.*s: ", STR_FMT(str_first(line->service, FRAME_MAX / 4)));
	log_console_text(&whole, message);
	(void)buf_append_str(&whole, buf_view(&line->fields));
	if (line->is_truncated)
		(void)buf_append_str(&whole, STR(" truncated=true"));
	(void)buf_append_char(&whole, '\n');
	buf_move(&line->fields, &whole);
}

static void finish_line(struct log_line *line, const char *message)
{
	struct str cut = str_first(str_from(message), LOG_MESSAGE_MAX);

	if (line->log->form == LOG_CONSOLE)
		end_console(line, cut);
	else
		end_json(line, cut);
}

static void write_directly(struct log *log, struct str line)
{
	(void)pthread_mutex_lock(&log->lock);
	uint64_t lost = log_sink_write(&log->sink, line);
	(void)pthread_mutex_unlock(&log->lock);
	atomic_fetch_add_explicit(&log->dropped, lost, memory_order_relaxed);
}

void log_end(struct log_line *line, const char *message)
{
	if (!line->log)
		return;
	finish_line(line, message);
	if (line->log->file)
		log_file_append(line->log->file, buf_view(&line->fields));
	else if (line->log->queue)
		log_queue_append(line->log->queue, buf_view(&line->fields));
	else
		write_directly(line->log, buf_view(&line->fields));
	buf_done(&line->fields);
	line->log = NULL;
}

/* As the queue wants it: formatted, not written. Reported whatever the level. */
static void report_dropped(void *arg, uint64_t count, struct buf *out)
{
	struct log_line line;
	enum log_level level = LOG_WARN;

	while (level < LOG_FATAL && !log_is_enabled(arg, level))
		level++;
	log_begin(arg, &line, level, NULL);
	if (!line.log)
		return;
	log_uint(&line, "count", count);
	finish_line(&line, "log lines dropped");
	buf_move(out, &line.fields);
}

void log_message(struct log *log, enum log_level level, const char *service, const char *message)
{
	struct log_line line;

	log_begin(log, &line, level, service);
	log_end(&line, message);
}

void log_error(struct log *log, enum log_level level, const char *service, const char *message,
	       const struct err *e)
{
	struct log_line line;

	log_begin(log, &line, level, service);
	log_cstr(&line, "error", e ? e->text : NULL);
	log_end(&line, message);
}
