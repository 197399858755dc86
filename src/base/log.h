#pragma once

/*
 * log.h - one line per event, structured (protocol.md 7.1)
 *
 * A line is built by the caller on its own stack and given away whole:
 *
 *	struct log_line line;
 *	log_begin(log, &line, LOG_INFO, "authorize");
 *	log_str(&line, "request-id", id);
 *	log_end(&line, "authorize check");
 *
 * Below the log's level log_begin() makes the other calls do nothing. Keys keep their order: level,
 * service, fields, time, message. In console form: "5:57PM INF service: message key=value".
 *
 * Threads    Any thread may write. With LOG_QUEUED lines go to a writer thread through a queue of
 *            LOG_QUEUE_MAX bytes: writing never blocks a worker; lines that do not fit are counted
 *            and the count is reported in a line of its own. Otherwise the caller writes the line.
 * Limits     LOG_LINE_MAX bytes per line; fields that do not fit are left out and the line says so
 *            with "truncated":true. Messages are cut at LOG_MESSAGE_MAX bytes.
 * Failures   A line that cannot be written (full disk, closed pipe) is dropped and counted; the
 *            process gets no SIGPIPE from it.
 * Secrets    The caller never passes one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#define LOG_LINE_MAX    16384
#define LOG_MESSAGE_MAX 1024
#define LOG_QUEUE_MAX   (4u << 20)

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL, LOG_OFF };
enum log_form { LOG_JSON, LOG_CONSOLE };
enum log_mode { LOG_DIRECT, LOG_QUEUED };

struct log;

struct log_file;

/* To a file that must not lose a line (log_file.h), which is borrowed and goes last: as JSON. */
struct log *log_new_to_file(struct log_file *file, enum log_level level);

/* fd is borrowed. */
struct log *log_new(int fd, enum log_form form, enum log_mode mode, enum log_level level);

/* Writes what is queued and ends the writer thread; a reader that takes nothing is not waited for
 * long. NULL is ignored. */
void log_free(struct log *log);

/* "info", "warning", ... (configuration.md 3.10); the empty text is LOG_INFO. */
bool log_level_parse(struct str text, enum log_level *ret);
const char *log_level_name(enum log_level level);
bool log_is_enabled(const struct log *log, enum log_level level);

/* From any thread. */
void log_set_level(struct log *log, enum log_level level);

/* LOG_CONSOLE when fd is a terminal; LOG_FORMAT=console|json in the environment decides explicitly.
 */
enum log_form log_form_for(int fd);

/* Lines dropped so far because the queue was full or the line could not be written. */
uint64_t log_dropped(const struct log *log);

struct log_line {
	struct log *log; /* NULL: this line is not wanted */
	enum log_level level;
	struct str service;
	struct buf fields;       /* JSON: the object so far; console: " key=value" ... */
	struct json_writer json; /* writes to fields; not used for the console */
	bool is_truncated;
};

/* Every log_begin() is followed by one log_end(). service may be NULL and is borrowed until then.
 * log may be NULL: nothing is written. */
void log_begin(struct log *log, struct log_line *line, enum log_level level, const char *service);
void log_str(struct log_line *line, const char *key, struct str value);
void log_cstr(struct log_line *line, const char *key, const char *value); /* NULL is "" */
void log_int(struct log_line *line, const char *key, int64_t value);
void log_uint(struct log_line *line, const char *key, uint64_t value);
void log_bool(struct log_line *line, const char *key, bool value);
void log_thousandths(struct log_line *line, const char *key, uint64_t value);
void log_str_list(struct log_line *line, const char *key, const struct str *items, size_t count);
void log_end(struct log_line *line, const char *message);

/* A line with only a message, and one with an "error" field. */
void log_message(struct log *log, enum log_level level, const char *service, const char *message);
void log_error(struct log *log, enum log_level level, const char *service, const char *message,
	       const struct err *e);
